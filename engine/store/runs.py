"""The SQL of runs as the worker sees them: finding runnable ones and claiming them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.plans import ALONG_INDEXES

_RUNNABLE = """
run.owner IS NULL AND (
    (run.wake_at IS NULL AND run.status IN ('queued', 'running'))
    OR run.wake_at <= now()
    OR (run.wake_at IS NOT NULL AND EXISTS (SELECT FROM inbox WHERE inbox.run_id = run.id)))
"""

# It was lost with two workers before anything of it was committed, as it began or as it was to go on after a wait. Once
# is nothing: a worker that is killed in the middle of a flood loses hundreds of runs that have just begun.
_WAS_LOST = "(run.crashes > 1 AND (run.status = 'queued' OR run.wake_at IS NOT NULL))"

# The ids are looked up first: asked for together with the rest, the planner reads every suspended run.
# One snapshot sees the run unowned and its whole journal: whoever wrote last gave the run up in or after that commit.
# A row that was changed after the snapshot is locked as it is now, while the journal is read as it was then: such a run
# is left to the next claim. Of those that were lost as they began one is taken at most, and none where $4 says so.
# From the claim until something of it is committed, a run is queued or due: should it kill its worker before, that is
# how it is known. A run that was in the middle and has rested (see `engine.store.leases`) is no such one.
_CLAIM = f"""
WITH me AS MATERIALIZED (
    SELECT id FROM worker WHERE id = $1 AND alive FOR SHARE
), named AS MATERIALIZED (
    SELECT run.*, run.xmin AS row_version FROM run
    WHERE run.id = ANY ($2::uuid[]) AND EXISTS (SELECT FROM me)
    FOR UPDATE OF run SKIP LOCKED
), seen AS MATERIALIZED (
    SELECT id, xmin AS row_version FROM run WHERE id = ANY ($2::uuid[])
), picked AS (
    SELECT run.id FROM named AS run JOIN seen USING (id, row_version)
    WHERE {_RUNNABLE} AND (NOT {_WAS_LOST} OR ($4 AND run.id = (
        SELECT run.id FROM named AS run WHERE {_WAS_LOST} AND {_RUNNABLE} ORDER BY run.id LIMIT 1)))
    LIMIT $3
), claimed AS (
    UPDATE run SET
        owner = $1,
        status = CASE WHEN run.status = 'waiting' AND run.wake_at <= now() THEN 'running' ELSE run.status END,
        wake_at = CASE
            WHEN run.status = 'running' AND run.crashes <= 0 THEN NULL
            WHEN run.wake_at > now() THEN now() ELSE run.wake_at END
    FROM picked WHERE run.id = picked.id
    RETURNING run.id, run.workspace_id, run.workflow_id, run.version_id, run.version, run.attempt, run.crashes,
              run.trigger_type, run.parent_run_id, run.parent_step, run.depth, run.is_test, run.concurrency_key,
              run.slot_at, {_WAS_LOST} AS is_on_probation
)
SELECT claimed.*, journal.seq, journal.payload
FROM claimed JOIN journal ON journal.run_id = claimed.id
ORDER BY claimed.id, journal.seq
"""  # noqa: S608 - put together of constants of this module

# One look into an index for each workspace, from $1 on and for at most $2 of them, and the first few runs of each:
# however many one of them has, those of the others are found. $4: workspaces that may take nothing more.
# Pairs are compared, in the order of the index that has only such runs. To be read in order: where it may sort, the
# planner may take the index of all runs by workspace for as good, and in a workspace with many runs it is not.
_BY_WORKSPACE = """
WITH RECURSIVE place (workspace_id, number) AS (
    (SELECT workspace_id, 1 FROM run WHERE {open} AND (workspace_id, {moment}) > ($1, 'infinity')
     ORDER BY workspace_id, {moment} LIMIT 1)
    UNION ALL
    SELECT following.workspace_id, place.number + 1
    FROM place CROSS JOIN LATERAL (
        SELECT workspace_id FROM run WHERE {open} AND (workspace_id, {moment}) > (place.workspace_id, 'infinity')
        ORDER BY workspace_id, {moment} LIMIT 1
    ) AS following
    WHERE place.number < $2
), hungry AS MATERIALIZED (
    SELECT workspace_id FROM place WHERE workspace_id <> ALL ($4::uuid[])
)
SELECT place.workspace_id, first.id
FROM place LEFT JOIN LATERAL (
    SELECT id FROM run
    WHERE {open}
        AND (workspace_id, {moment}) BETWEEN (place.workspace_id, '-infinity') AND (place.workspace_id, {until})
    ORDER BY workspace_id, {moment} LIMIT (SELECT greatest($3 / greatest(count(*), 1), 1) FROM hungry)
) AS first ON place.workspace_id <> ALL ($4)
"""

_FIND_QUEUED = _BY_WORKSPACE.format(
    open="owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running')",
    moment="created_at",
    until="'infinity'",
)
_FIND_DUE_BY_WORKSPACE = _BY_WORKSPACE.format(
    open="owner IS NULL AND wake_at IS NOT NULL", moment="wake_at", until="now()"
)

_FIND_DUE = """
SELECT workspace_id, id FROM run WHERE owner IS NULL AND wake_at <= now() ORDER BY wake_at LIMIT $1
"""

_FIND_ADDRESSED = """
SELECT DISTINCT run.workspace_id, run.id FROM inbox JOIN run ON run.id = inbox.run_id
WHERE run.owner IS NULL AND run.wake_at IS NOT NULL AND run.workspace_id <> ALL ($2::uuid[]) LIMIT $1
"""

_FIND_WORKSPACES = "SELECT workspace_id, id FROM run WHERE id = ANY ($1::uuid[]) AND owner IS NULL"

_OWNED = "SELECT id FROM run WHERE owner = $1"

_VERSION = "SELECT definition FROM workflow_version WHERE id = $1"


# Before every workspace's id.
NO_WORKSPACE = UUID(int=0)


class RunOfWorkspace(NamedTuple):
    """A run that may be runnable, with the workspace that it belongs to."""

    workspace_id: UUID
    id: UUID


class ClaimedRun(Struct, frozen=True, kw_only=True):
    """A run that this worker owns from now on, with its journal so far: (seq, payload) in order.

    `is_on_probation`: it was lost with two workers before, in the moment in which it is now.
    """

    id: UUID
    workspace_id: UUID
    workflow_id: UUID
    version_id: UUID
    version: int
    attempt: int
    crashes: int
    trigger_type: str
    parent_run_id: UUID | None
    parent_step: str | None
    depth: int
    is_test: bool
    concurrency_key: str | None
    slot_at: datetime | None
    is_on_probation: bool
    journal: list[tuple[int, bytes]]


async def claim_runs(
    connection: asyncpg.Connection, worker_id: int, run_ids: Sequence[UUID], limit: int, *, on_probation: bool = True
) -> list[ClaimedRun]:
    """Take up to `limit` of these runs that are runnable and unowned; none for a worker declared dead.

    `on_probation`: also one of those that were lost with their workers as they began.
    """
    rows = await connection.fetch(_CLAIM, worker_id, list(run_ids), limit, on_probation)
    claimed: dict[UUID, ClaimedRun] = {}
    for row in rows:
        *fields, seq, payload = row
        run = claimed.get(row["id"])
        if run is None:
            run = claimed[row["id"]] = ClaimedRun(**_named(fields), journal=[])
        run.journal.append((seq, payload))
    return list(claimed.values())


@asynccontextmanager
async def reading_in_order(connection: asyncpg.Connection) -> AsyncGenerator[None]:
    """A transaction whose statements, where they read in an order, go along an index that has it, and sort nothing."""
    async with connection.transaction():
        await connection.execute(ALONG_INDEXES)
        yield


async def find_queued(
    connection: asyncpg.Connection, after: UUID, *, workspaces: int, limit: int, full: Sequence[UUID]
) -> tuple[list[RunOfWorkspace], UUID]:
    """Runs that wait for a worker, the oldest of each workspace: the net below every doorbell.

    Looks at so many workspaces that have any and whose ids follow `after`, passes over those in `full`, and says where
    to go on: NO_WORKSPACE when it came to the last. About `limit` runs, at least one of each workspace. To be called
    while `reading_in_order`, as the other two that sweep.
    """
    return _read_places(await connection.fetch(_FIND_QUEUED, after, workspaces, limit, full), workspaces)


async def find_due(connection: asyncpg.Connection, limit: int) -> list[RunOfWorkspace]:
    """Up to `limit` suspended runs that are due, the most overdue first."""
    return [RunOfWorkspace(*row) for row in await connection.fetch(_FIND_DUE, limit)]


async def find_due_by_workspace(
    connection: asyncpg.Connection, after: UUID, *, workspaces: int, limit: int, full: Sequence[UUID]
) -> tuple[list[RunOfWorkspace], UUID]:
    """As `find_queued`, but suspended runs that are due; looks at workspaces in which any run is suspended."""
    return _read_places(await connection.fetch(_FIND_DUE_BY_WORKSPACE, after, workspaces, limit, full), workspaces)


async def find_addressed(connection: asyncpg.Connection, limit: int, *, full: Sequence[UUID]) -> list[RunOfWorkspace]:
    """Up to `limit` suspended runs that have something in their inbox, but for those of workspaces in `full`."""
    return [RunOfWorkspace(*row) for row in await connection.fetch(_FIND_ADDRESSED, limit, full)]


async def find_workspaces(connection: asyncpg.Connection, run_ids: Sequence[UUID]) -> list[RunOfWorkspace]:
    """Whose these runs are, of those that no worker has."""
    return [RunOfWorkspace(*row) for row in await connection.fetch(_FIND_WORKSPACES, list(run_ids))]


def _read_places(rows: Sequence[asyncpg.Record], workspaces: int) -> tuple[list[RunOfWorkspace], UUID]:
    places = {row["workspace_id"] for row in rows}
    found = [RunOfWorkspace(*row) for row in rows if row["id"] is not None]
    return found, max(places) if len(places) >= workspaces else NO_WORKSPACE


async def list_owned(connection: asyncpg.Connection, worker_id: int) -> list[UUID]:
    """The runs that the database holds for this worker's."""
    return [row["id"] for row in await connection.fetch(_OWNED, worker_id)]


async def load_definition(connection: asyncpg.Connection | asyncpg.Pool, version_id: UUID) -> bytes:
    """The definition of a version, as JSON."""
    definition: bytes = await connection.fetchval(_VERSION, version_id)
    return definition


_FIELDS = ClaimedRun.__struct_fields__[:-1]


def _named(values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(_FIELDS, values, strict=True))
