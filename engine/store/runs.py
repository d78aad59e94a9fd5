"""The SQL of runs as the worker sees them: finding runnable ones and claiming them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

_RUNNABLE = """
run.owner IS NULL AND (
    (run.wake_at IS NULL AND run.status IN ('queued', 'running'))
    OR run.wake_at <= now()
    OR (run.wake_at IS NOT NULL AND EXISTS (SELECT FROM inbox WHERE inbox.run_id = run.id)))
"""

# The ids are looked up first: asked for together with the rest, the planner reads every suspended run.
# One snapshot sees the run unowned and its whole journal: whoever wrote last gave the run up in or after that commit.
# A row that was changed after the snapshot is locked as it is now, while the journal is read as it was then: such a run
# is left to the next claim.
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
    SELECT run.id FROM named AS run JOIN seen USING (id, row_version) WHERE {_RUNNABLE} LIMIT $3
), claimed AS (
    UPDATE run SET
        owner = $1,
        -- Its wait is over: should it kill its worker now, that counts.
        status = CASE WHEN run.status = 'waiting' AND run.wake_at <= now() THEN 'running' ELSE run.status END
    FROM picked WHERE run.id = picked.id
    RETURNING run.id, run.workspace_id, run.workflow_id, run.version_id, run.version, run.attempt, run.crashes,
              run.trigger_type, run.parent_run_id, run.parent_step, run.depth, run.is_test, run.concurrency_key,
              run.slot_at
)
SELECT claimed.*, journal.seq, journal.payload
FROM claimed JOIN journal ON journal.run_id = claimed.id
ORDER BY claimed.id, journal.seq
"""  # noqa: S608 - both parts are constants of this module

_SWEEP = """
(SELECT id FROM run WHERE owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running') ORDER BY id LIMIT $1)
UNION ALL
(SELECT id FROM run WHERE owner IS NULL AND wake_at <= now() ORDER BY wake_at LIMIT $1)
UNION ALL
(SELECT DISTINCT run.id FROM inbox JOIN run ON run.id = inbox.run_id
 WHERE run.owner IS NULL AND run.wake_at IS NOT NULL LIMIT $1)
"""

_OWNED = "SELECT id FROM run WHERE owner = $1"

_VERSION = "SELECT definition FROM workflow_version WHERE id = $1"


class ClaimedRun(Struct, frozen=True, kw_only=True):
    """A run that this worker owns from now on, with its journal so far: (seq, payload) in order."""

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
    journal: list[tuple[int, bytes]]


async def claim_runs(
    connection: asyncpg.Connection, worker_id: int, run_ids: Sequence[UUID], limit: int
) -> list[ClaimedRun]:
    """Take up to `limit` of these runs that are runnable and unowned; none for a worker declared dead."""
    rows = await connection.fetch(_CLAIM, worker_id, list(run_ids), limit)
    claimed: dict[UUID, ClaimedRun] = {}
    for row in rows:
        *fields, seq, payload = row
        run = claimed.get(row["id"])
        if run is None:
            run = claimed[row["id"]] = ClaimedRun(**_named(fields), journal=[])
        run.journal.append((seq, payload))
    return list(claimed.values())


async def find_runnable(connection: asyncpg.Connection | asyncpg.Pool, limit: int) -> list[UUID]:
    """Runs that wait for a worker and may have been announced to none: the net below every doorbell."""
    return [row["id"] for row in await connection.fetch(_SWEEP, limit)][:limit]


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
