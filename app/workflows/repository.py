"""Queries of workflows and their versions, each scoped to a workspace. Deleted workflows are not found."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, func, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.workflows.tables import workflow, workflow_version


class WorkflowRow(Struct, frozen=True):
    """A workflow without its draft; the fields are in the order of `_SUMMARY`."""

    id: UUID
    name: str
    description: str
    enabled: bool
    published_version: int | None
    revision: int
    created_by: UUID
    updated_by: UUID
    created_at: datetime
    updated_at: datetime


class DraftRow(WorkflowRow, frozen=True):
    """A workflow with its draft."""

    definition: bytes


class VersionRow(Struct, frozen=True):
    """A version without its definition; the fields are in the order of `_VERSION_SUMMARY`."""

    id: UUID
    workflow_id: UUID
    version: int
    published_by: UUID
    created_at: datetime


class PublishedRow(VersionRow, frozen=True):
    """A version with its definition."""

    definition: bytes


_SUMMARY: tuple[ColumnElement[Any], ...] = (
    workflow.c.id,
    workflow.c.name,
    workflow.c.description,
    workflow.c.enabled,
    workflow.c.published_version,
    workflow.c.revision,
    workflow.c.created_by,
    workflow.c.updated_by,
    workflow.c.created_at,
    workflow.c.updated_at,
)
_VERSION_SUMMARY: tuple[ColumnElement[Any], ...] = (
    workflow_version.c.id,
    workflow_version.c.workflow_id,
    workflow_version.c.version,
    workflow_version.c.published_by,
    workflow_version.c.created_at,
)

_DRAFT: tuple[ColumnElement[Any], ...] = (*_SUMMARY, workflow.c.definition)
_VERSION: tuple[ColumnElement[Any], ...] = (*_VERSION_SUMMARY, workflow_version.c.definition)
# Version 0 is a draft as it was tested. Written out, so that the planner finds the index of the others.
_IS_PUBLISHED = workflow_version.c.version > literal_column("0")


# Both words stand in a definition that names the thing, or else are written with escapes.
_POSSIBLE_USES = text(
    """
    SELECT workflow.id, workflow.name, workflow.definition AS draft, version.definition AS published
    FROM workflow LEFT JOIN workflow_version AS version
      ON version.workflow_id = workflow.id AND version.version = workflow.published_version AND version.version > 0
    WHERE workflow.workspace_id = :workspace_id AND workflow.deleted_at IS NULL AND (
        (position(CAST(:key AS bytea) IN workflow.definition) > 0
         AND position(CAST(:name AS bytea) IN workflow.definition) > 0)
        OR position(CAST(:escape AS bytea) IN workflow.definition) > 0
        OR (position(CAST(:key AS bytea) IN version.definition) > 0
            AND position(CAST(:name AS bytea) IN version.definition) > 0)
        OR position(CAST(:escape AS bytea) IN version.definition) > 0
    )
    ORDER BY workflow.id
    """
)


def _is_visible(workspace_id: UUID, workflow_id: UUID) -> ColumnElement[bool]:
    return and_(workflow.c.workspace_id == workspace_id, workflow.c.id == workflow_id, workflow.c.deleted_at.is_(None))


async def insert_workflow(connection: AsyncConnection, values: dict[str, Any]) -> DraftRow:
    """Add a workflow; the whole row comes back."""
    statement = insert(workflow).values(**values).returning(*_DRAFT)
    return DraftRow(*(await connection.execute(statement)).one())


async def find_workflow(connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID) -> DraftRow | None:
    """The whole row, or None."""
    query = select(*_DRAFT).where(_is_visible(workspace_id, workflow_id))
    row = (await connection.execute(query)).first()
    return DraftRow(*row) if row is not None else None


async def lock_workflow(connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID) -> DraftRow | None:
    """The whole row, held until the transaction ends, so that changes come one after the other; or None."""
    query = select(*_DRAFT).where(_is_visible(workspace_id, workflow_id)).with_for_update()
    row = (await connection.execute(query)).first()
    return DraftRow(*row) if row is not None else None


async def workflow_exists(connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID) -> bool:
    """Whether the workflow is there."""
    query = select(workflow.c.id).where(_is_visible(workspace_id, workflow_id))
    return (await connection.execute(query)).first() is not None


async def find_existing(connection: AsyncConnection, workspace_id: UUID, workflow_ids: Collection[UUID]) -> set[UUID]:
    """Those of the ids that are workflows."""
    query = select(workflow.c.id).where(
        workflow.c.workspace_id == workspace_id, workflow.c.id.in_(workflow_ids), workflow.c.deleted_at.is_(None)
    )
    return set((await connection.execute(query)).scalars())


async def find_names(
    connection: AsyncConnection, workspace_id: UUID, workflow_ids: Collection[UUID]
) -> dict[UUID, str]:
    """The names of those of the ids that are workflows."""
    query = select(workflow.c.id, workflow.c.name).where(
        workflow.c.workspace_id == workspace_id, workflow.c.id.in_(workflow_ids), workflow.c.deleted_at.is_(None)
    )
    return {row.id: row.name for row in await connection.execute(query)}


async def list_possible_uses(
    connection: AsyncConnection, workspace_id: UUID, word: str, name: str
) -> list[Row[*tuple[Any, ...]]]:
    """The workflows, by id, in whose draft or published version both may stand: only reading them tells.

    Each with `draft` and `published`; of definitions without them, none comes. Every name holds the empty one.
    """
    given = {"workspace_id": workspace_id, "key": word.encode(), "name": name.encode(), "escape": b"\\u"}
    return list((await connection.execute(_POSSIBLE_USES, given)).all())


async def lock_named(connection: AsyncConnection, workspace_id: UUID, name: str) -> list[UUID]:
    """The ids of the workflows of this name, the oldest first; until the transaction ends, nobody else may ask."""
    turn = func.pg_advisory_xact_lock(func.hashtextextended(f"workflow name {workspace_id} {name}", 0))
    await connection.execute(select(turn))
    query = select(workflow.c.id).where(
        workflow.c.workspace_id == workspace_id, workflow.c.name == name, workflow.c.deleted_at.is_(None)
    )
    return list((await connection.execute(query.order_by(workflow.c.id))).scalars())


async def list_workflows(
    connection: AsyncConnection, workspace_id: UUID, *, q: str | None, after: UUID | None, limit: int
) -> list[WorkflowRow]:
    """Up to `limit` workflows, newest first, without definitions; `q` is looked for in names, in any case."""
    query = select(*_SUMMARY).where(workflow.c.workspace_id == workspace_id, workflow.c.deleted_at.is_(None))
    if q:
        query = query.where(workflow.c.name.icontains(q, autoescape=True))
    if after is not None:
        query = query.where(workflow.c.id < after)
    rows = await connection.execute(query.order_by(workflow.c.id.desc()).limit(limit))
    return [WorkflowRow(*row) for row in rows]


async def update_workflow(
    connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID, *, revision: int, values: dict[str, Any]
) -> DraftRow | None:
    """Change a workflow that is still at `revision`; None where it is not."""
    statement = (
        update(workflow)
        .where(_is_visible(workspace_id, workflow_id), workflow.c.revision == revision)
        .values(revision=revision + 1, updated_at=func.now(), **values)
        .returning(*_DRAFT)
    )
    row = (await connection.execute(statement)).first()
    return DraftRow(*row) if row is not None else None


async def delete_workflow(connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID, user_id: UUID) -> bool:
    """Hide a workflow for good; its versions and runs stay. False where there is none."""
    statement = (
        update(workflow)
        .where(_is_visible(workspace_id, workflow_id))
        .values(deleted_at=func.now(), updated_by=user_id)
        .returning(workflow.c.id)
    )
    return (await connection.execute(statement)).first() is not None


async def insert_version(connection: AsyncConnection, values: dict[str, Any]) -> PublishedRow:
    """Add a version and make it the published one; the workflow's row is held by `lock_workflow`."""
    statement = insert(workflow_version).values(**values).returning(*_VERSION)
    row = (await connection.execute(statement)).one()
    await connection.execute(
        update(workflow)
        .where(_is_visible(values["workspace_id"], values["workflow_id"]))
        .values(published_version=values["version"])
    )
    return PublishedRow(*row)


async def list_versions(
    connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID, *, after: UUID | None, limit: int
) -> list[VersionRow]:
    """Up to `limit` versions, newest first, without definitions."""
    query = select(*_VERSION_SUMMARY).where(
        workflow_version.c.workspace_id == workspace_id,
        workflow_version.c.workflow_id == workflow_id,
        _IS_PUBLISHED,
    )
    if after is not None:
        query = query.where(workflow_version.c.id < after)
    rows = await connection.execute(query.order_by(workflow_version.c.id.desc()).limit(limit))
    return [VersionRow(*row) for row in rows]


async def find_version(
    connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID, version: int
) -> PublishedRow | None:
    """The whole row of a version, or None."""
    query = select(*_VERSION).where(
        workflow_version.c.workspace_id == workspace_id,
        workflow_version.c.workflow_id == workflow_id,
        workflow_version.c.version == version,
        _IS_PUBLISHED,
    )
    row = (await connection.execute(query)).first()
    return PublishedRow(*row) if row is not None else None
