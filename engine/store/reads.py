"""The SQL by which people read runs: lists, details, and the journal behind them, always within one workspace."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.isolation import RUN

_COLUMNS = """
run.id, run.workspace_id, run.workflow_id, workflow.name AS workflow_name, run.version, run.version_id, run.status,
run.attempt, run.trigger_type, run.trigger_id, run.error_code, run.error_message, run.created_at, run.started_at,
run.finished_at, run.wake_at, run.owner, run.is_test, run.parent_run_id, run.parent_step, run.origin_run_id,
run.concurrency_key, run.concurrency_limit, run.slot_at
"""

_ONE = f"""
SELECT {_COLUMNS} FROM run JOIN workflow ON workflow.id = run.workflow_id
WHERE run.id = $1 AND run.workspace_id = $2
"""  # noqa: S608 - the columns are a constant of this module

_OPEN = f"""
SELECT {_COLUMNS}, set_config('{RUN}', run.id::text, true) AS opened
FROM run JOIN workflow ON workflow.id = run.workflow_id
WHERE run.id = $1 AND run.workspace_id = $2
"""  # noqa: S608 - constants of this module

_CHOSEN = """
FROM run JOIN workflow ON workflow.id = run.workflow_id
WHERE run.workspace_id = $1
  AND ($2::uuid IS NULL OR run.id < $2)
  AND ($3::uuid IS NULL OR run.workflow_id = $3)
  AND ($4::text[] IS NULL OR run.status = ANY ($4))
  AND ($5::text IS NULL OR run.trigger_type = $5)
  AND ($6::uuid IS NULL OR run.id >= $6)
  AND ($7::uuid IS NULL OR run.id < $7)
  AND ($8::text IS NULL OR starts_with(run.id::text, lower($8)) OR strpos(lower(workflow.name), lower($8)) > 0
       OR strpos(lower(run.error_message), lower($8)) > 0)
  AND ($9::boolean IS NULL OR run.is_test = $9)
  AND ($10::uuid[] IS NULL OR run.id = ANY ($10))
  AND ($11::boolean IS NULL OR (run.parent_run_id IS NOT NULL) = $11)
ORDER BY run.id DESC LIMIT $12
"""

_LIST = f"SELECT {_COLUMNS} {_CHOSEN}"

_COUNT = f"SELECT status, count(*) FROM (SELECT run.status {_CHOSEN}) AS chosen GROUP BY status"  # noqa: S608 - a constant of this module

_HOLDERS = """
SELECT id FROM run
WHERE workflow_id = $1 AND concurrency_key = $2 AND slot_at IS NOT NULL AND finished_at IS NULL
ORDER BY slot_at, id LIMIT $3
"""

_STATUSES = "SELECT id, status FROM run WHERE id = ANY ($1) AND workspace_id = $2"

_APPROVALS = "SELECT step, id FROM approval WHERE run_id = $1 AND status = 'pending' AND step = ANY ($2)"


class RunFilter(Struct, frozen=True, kw_only=True):
    """Which runs a list holds; `since` and `until` bound the id, which sorts by time; `q` searches texts.

    `is_test`: tests of drafts, or those that are none; None for both. `is_child`: so for runs that runs started.
    """

    workflow_id: UUID | None = None
    statuses: list[str] | None = None
    trigger_type: str | None = None
    since: UUID | None = None
    until: UUID | None = None
    q: str | None = None
    is_test: bool | None = False
    ids: list[UUID] | None = None
    is_child: bool | None = None


class RunRow(Struct, frozen=True, kw_only=True):
    """A row of a run with its workflow's name."""

    id: UUID
    workspace_id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    version_id: UUID
    status: str
    attempt: int
    trigger_type: str
    trigger_id: UUID | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wake_at: datetime | None
    owner: int | None
    is_test: bool
    parent_run_id: UUID | None
    parent_step: str | None
    origin_run_id: UUID | None
    concurrency_key: str | None
    concurrency_limit: int | None
    slot_at: datetime | None


async def find_run(reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, workspace_id: UUID) -> RunRow | None:
    """A run of the workspace."""
    row = await reader.fetchrow(_ONE, run_id, workspace_id)
    return None if row is None else RunRow(**row)


async def open_run(reader: asyncpg.Connection, run_id: UUID, workspace_id: UUID) -> RunRow | None:
    """A run of the workspace, whose history the reader's transaction reads from now on as its own."""
    row = await reader.fetchrow(_OPEN, run_id, workspace_id)
    return None if row is None else RunRow(**{name: row[name] for name in RunRow.__struct_fields__})


async def list_runs(
    reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, chosen: RunFilter, *, before: UUID | None, limit: int
) -> list[RunRow]:
    """Runs of the workspace, the newest first, from below the id `before`."""
    return [RunRow(**row) for row in await reader.fetch(_LIST, *_arguments(workspace_id, chosen, before, limit))]


async def count_runs(
    reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, chosen: RunFilter, *, before: UUID | None, limit: int
) -> dict[str, int]:
    """How many runs `list_runs` would give, by status."""
    rows = await reader.fetch(_COUNT, *_arguments(workspace_id, chosen, before, limit))
    return {row["status"]: row["count"] for row in rows}


async def list_holders(reader: asyncpg.Connection | asyncpg.Pool, row: RunRow, limit: int) -> list[UUID]:
    """The runs that hold the slots of the run's concurrency key, those that have had theirs the longest first."""
    rows = await reader.fetch(_HOLDERS, row.workflow_id, row.concurrency_key, limit)
    return [holder["id"] for holder in rows]


async def find_statuses(
    reader: asyncpg.Connection | asyncpg.Pool, run_ids: Sequence[UUID], workspace_id: UUID
) -> dict[UUID, str]:
    """The statuses of these runs of the workspace, as far as they are kept."""
    rows = await reader.fetch(_STATUSES, list(run_ids), workspace_id)
    return {row["id"]: row["status"] for row in rows}


async def find_approvals(
    reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, steps: Sequence[str]
) -> dict[str, UUID]:
    """The pending approvals of these steps of the run, by the steps' paths."""
    return {row["step"]: row["id"] for row in await reader.fetch(_APPROVALS, run_id, list(steps))}


def _arguments(workspace_id: UUID, chosen: RunFilter, before: UUID | None, limit: int) -> tuple[Any, ...]:
    return (
        workspace_id,
        before,
        chosen.workflow_id,
        chosen.statuses,
        chosen.trigger_type,
        chosen.since,
        chosen.until,
        chosen.q,
        chosen.is_test,
        chosen.ids,
        chosen.is_child,
        limit,
    )
