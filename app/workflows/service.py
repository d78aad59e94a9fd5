"""What the workflow calls do. Every method lives in the request's transaction and in the principal's workspace."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.audit.entries import Act, Action, Target, describe_bytes
from app.audit.trail import enter
from app.auth import service as identity
from app.auth.principal import Principal
from app.dependencies import driver_connection
from app.errors import InvalidDefinition, NotFound, PreconditionFailed
from app.etags import make_etag, matches
from app.pagination import Page, make_page
from app.workflows import repository
from app.workflows.definitions import decode_document, find_problems, find_repetitions, read_draft
from app.workflows.references import find_dangling, list_references
from app.workflows.repository import DraftRow, PublishedRow, VersionRow, WorkflowRow
from app.workflows.schemas import (
    NewWorkflow,
    RecentRun,
    Validation,
    VersionDetail,
    VersionSummary,
    WorkflowChange,
    WorkflowDetail,
    WorkflowSummary,
)
from engine.core.problems import Problem
from engine.core.statuses import RunStatus
from engine.infra.ids import new_id
from engine.steps.validation import sort_problems
from engine.store.activity import Activity, read_activity
from engine.store.held_pieces import look_again_at_workflow

# PostgreSQL's integer: a larger version number cannot exist.
_MAX_VERSION = 2**31 - 1
# Of each workflow in a list.
RUNS_SHOWN = 20


class WorkflowService:
    """Workflows of one workspace, on behalf of one principal."""

    def __init__(self, transaction: AsyncConnection, principal: Principal) -> None:
        self._transaction = transaction
        self._principal = principal
        self._workspace_id = principal.workspace_id

    async def create(self, new: NewWorkflow) -> WorkflowDetail:
        """Save a new workflow with whatever faults its draft has."""
        raw = bytes(new.definition)
        document = await read_draft(raw)
        row = await repository.insert_workflow(
            self._transaction,
            {
                "id": new_id(),
                "workspace_id": self._workspace_id,
                "name": new.name,
                "description": new.description,
                "enabled": new.enabled,
                "definition": raw,
                "created_by": self._principal.user_id,
                "updated_by": self._principal.user_id,
            },
        )
        return await self._detail(row, document)

    async def list(self, *, q: str | None, after: UUID | None, limit: int) -> Page[WorkflowSummary]:
        """A page of workflows, newest first."""
        rows = await repository.list_workflows(self._transaction, self._workspace_id, q=q, after=after, limit=limit + 1)
        shown = [row.id for row in rows[:limit]]
        connection = await driver_connection(self._transaction)
        activity = await read_activity(connection, self._workspace_id, shown, runs=RUNS_SHOWN) if shown else {}
        return make_page(rows, limit, lambda row: _summary(row, activity[row.id]), lambda row: row.id)

    async def read(self, workflow_id: UUID) -> WorkflowDetail:
        """A workflow with its draft; raises NotFound."""
        row = await repository.find_workflow(self._transaction, self._workspace_id, workflow_id)
        if row is None:
            raise _no_workflow()
        return await self._detail(row)

    async def change(self, workflow_id: UUID, change: WorkflowChange, if_match: str) -> WorkflowDetail:
        """Change what is named, if the draft is still the one that `if_match` stands for.

        Raises NotFound, or PreconditionFailed with the current ETag, its author and time.
        """
        document = None if change.definition is UNSET else await read_draft(bytes(change.definition))
        current = await self._lock(workflow_id, if_match)
        values: dict[str, Any] = {name: value for name, value in asdict(change).items() if value is not UNSET}
        if "definition" in values:
            values["definition"] = bytes(values["definition"])
        return await self._update(current, values, document)

    async def lock_named(self, name: str) -> tuple[UUID, ...]:
        """The ids of the workflows of exactly this name; others who ask for them wait for the transaction's end."""
        return tuple(await repository.lock_named(self._transaction, self._workspace_id, name))

    async def require(self, workflow_id: UUID) -> None:
        """Raise NotFound unless the workspace has this workflow."""
        if not await repository.workflow_exists(self._transaction, self._workspace_id, workflow_id):
            raise _no_workflow()

    async def find_names(self, workflow_ids: Collection[UUID]) -> dict[UUID, str]:
        """The names of those of the ids that are workflows here."""
        if not workflow_ids:
            return {}
        return await repository.find_names(self._transaction, self._workspace_id, workflow_ids)

    async def delete(self, workflow_id: UUID, if_match: str | None) -> None:
        """Hide the workflow for good; raises NotFound, or PreconditionFailed where `if_match` is given and stale."""
        current = await self._lock(workflow_id, if_match)
        await repository.delete_workflow(self._transaction, self._workspace_id, workflow_id, self._principal.user_id)
        await look_again_at_workflow(await driver_connection(self._transaction), workflow_id)
        before = {"enabled": current.enabled, **describe_bytes(current.definition)}
        await self._enter(Action.WORKFLOW_DELETED, current, before)

    async def publish(self, workflow_id: UUID, if_match: str | None) -> tuple[VersionDetail, bool]:
        """Make the draft the next version, and say whether it is new: the latest version's own draft makes none.

        Raises NotFound, PreconditionFailed, or InvalidDefinition with every fault.
        """
        current = await self._lock(workflow_id, if_match)
        document, size = decode_document(current.definition), len(current.definition)
        problems = await _find_all_problems(self._transaction, self._workspace_id, document, size)
        if problems:
            raise InvalidDefinition(errors=problems)
        latest = current.published_version or 0
        if latest:
            published = await self.read_version(workflow_id, latest)
            if bytes(published.definition) == current.definition:
                return published, False
        row = await repository.insert_version(
            self._transaction,
            {
                "id": new_id(),
                "workspace_id": self._workspace_id,
                "workflow_id": workflow_id,
                "version": latest + 1,
                "definition": current.definition,
                "published_by": self._principal.user_id,
            },
        )
        before = {"version": latest} if latest else None
        after = {"version": latest + 1, **describe_bytes(current.definition)}
        await self._enter(Action.WORKFLOW_PUBLISHED, current, before, after)
        return _version_detail(row), True

    async def restore(self, workflow_id: UUID, version: int, if_match: str | None) -> WorkflowDetail:
        """Make the definition of a version the draft; nothing is published.

        Raises NotFound, or PreconditionFailed where `if_match` is given and stale.
        """
        current = await self._lock(workflow_id, if_match)
        restored = await self.read_version(workflow_id, version)
        return await self._update(current, {"definition": bytes(restored.definition)})

    async def list_versions(self, workflow_id: UUID, *, after: UUID | None, limit: int) -> Page[VersionSummary]:
        """A page of versions, newest first; raises NotFound."""
        if not await repository.workflow_exists(self._transaction, self._workspace_id, workflow_id):
            raise _no_workflow()
        rows = await repository.list_versions(
            self._transaction, self._workspace_id, workflow_id, after=after, limit=limit + 1
        )
        return make_page(rows, limit, _version_summary, lambda row: row.id)

    async def read_version(self, workflow_id: UUID, version: int) -> VersionDetail:
        """A version with its definition; raises NotFound."""
        if not await repository.workflow_exists(self._transaction, self._workspace_id, workflow_id):
            raise _no_workflow()
        row = None
        if 0 < version <= _MAX_VERSION:
            row = await repository.find_version(self._transaction, self._workspace_id, workflow_id, version)
        if row is None:
            raise NotFound("There is no such version.")
        return _version_detail(row)

    async def _lock(self, workflow_id: UUID, if_match: str | None) -> DraftRow:
        current = await repository.lock_workflow(self._transaction, self._workspace_id, workflow_id)
        if current is None:
            raise _no_workflow()
        etag = make_etag(current.revision)
        if if_match is not None and not matches(if_match, etag):
            author = await identity.find_user_name(self._transaction, current.updated_by)
            raise PreconditionFailed(
                headers={"etag": etag},
                members={
                    "etag": etag,
                    "updated_by": {"id": current.updated_by, "name": author},
                    "updated_at": current.updated_at,
                },
            )
        return current

    async def _update(
        self, current: DraftRow, values: dict[str, Any], document: object | None = None
    ) -> WorkflowDetail:
        """Change a locked workflow, unless it is like that already; `document` is its definition, where it was read."""
        if all(getattr(current, name) == value for name, value in values.items()):
            return await self._detail(current, document)
        row = await repository.update_workflow(
            self._transaction,
            self._workspace_id,
            current.id,
            revision=current.revision,
            values={**values, "updated_by": self._principal.user_id},
        )
        if row is None:
            raise RuntimeError("a locked workflow has changed")
        if "enabled" in values:
            await look_again_at_workflow(await driver_connection(self._transaction), current.id)
        if row.enabled != current.enabled:
            action = Action.WORKFLOW_ENABLED if row.enabled else Action.WORKFLOW_DISABLED
            await self._enter(action, row, {"enabled": current.enabled}, {"enabled": row.enabled})
        return await self._detail(row, document)

    async def _enter(self, action: Action, row: DraftRow, before: Any = None, after: Any = None) -> None:
        target = Target(type="workflow", id=str(row.id), name=row.name)
        act = Act(action=action, target=target, before=before, after=after)
        await enter(self._transaction, self._principal, act)

    async def _detail(self, row: DraftRow, document: object | None = None) -> WorkflowDetail:
        if document is None:
            document = decode_document(row.definition)
        problems = await _find_all_problems(self._transaction, self._workspace_id, document, len(row.definition))
        return WorkflowDetail(**{**asdict(row), "definition": msgspec.Raw(row.definition)}, problems=problems)


async def validate(raw: bytes, database: AsyncEngine, workspace_id: UUID) -> Validation:
    """Whether a definition could be published in the workspace: the body is it, or `{"definition": …}`."""
    document = decode_document(raw)
    repeated = await find_repetitions(raw)
    if isinstance(document, dict) and set(document) == {"definition"}:
        document = document["definition"]
        repeated = [replace(fault, pointer=fault.pointer.removeprefix("/definition")) for fault in repeated]
    problems = [*repeated, *await find_problems(document, len(raw))]
    if references := list_references(document):
        async with database.connect() as connection:
            dangling = await find_dangling(connection, workspace_id, references)
        problems = sort_problems([*problems, *dangling])
    return Validation(valid=not problems, errors=problems)


async def _find_all_problems(
    connection: AsyncConnection, workspace_id: UUID, document: object, size: int
) -> list[Problem]:
    """Everything that keeps a definition of `size` bytes from being published."""
    problems = await find_problems(document, size)
    dangling = await find_dangling(connection, workspace_id, list_references(document))
    return sort_problems([*problems, *dangling]) if dangling else problems


def _no_workflow() -> NotFound:
    return NotFound("There is no such workflow.")


def _summary(row: WorkflowRow, activity: Activity) -> WorkflowSummary:
    starts = row.enabled and row.published_version is not None
    return WorkflowSummary(
        **asdict(row),
        recent_runs=[
            RecentRun(id=run.id, status=RunStatus(run.status), created_at=run.created_at) for run in activity.last_runs
        ],
        trigger_types=activity.trigger_types,
        next_fire_at=activity.next_due_at if starts else None,
    )


def _version_summary(row: VersionRow) -> VersionSummary:
    return VersionSummary(**asdict(row))


def _version_detail(row: PublishedRow) -> VersionDetail:
    return VersionDetail(**{**asdict(row), "definition": msgspec.Raw(row.definition)})
