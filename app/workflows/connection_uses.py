"""Which workflows name a connection: those that would fail without it."""

from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from app.workflows import repository
from app.workflows.references import list_references


class WorkflowUse(Struct, frozen=True, kw_only=True):
    """A workflow that names a connection in its draft, in its published version, or in both."""

    workflow_id: UUID
    workflow_name: str
    in_draft: bool
    in_published: bool


async def find_uses(connection: AsyncConnection, workspace_id: UUID, name: str) -> list[WorkflowUse]:
    """The workflows that name the connection, the oldest first."""
    rows = await repository.list_possible_uses(connection, workspace_id, name)
    uses = [
        WorkflowUse(
            workflow_id=row.id,
            workflow_name=row.name,
            in_draft=_names(row.draft, name),
            in_published=_names(row.published, name),
        )
        for row in rows
    ]
    return [use for use in uses if use.in_draft or use.in_published]


def _names(definition: bytes | None, name: str) -> bool:
    if definition is None:
        return False
    return name in list_references(msgspec.json.decode(definition)).connections.values()
