"""The SQL by which people steer runs: going on from a failure, repeating, many at once. Always within one workspace."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from engine.core.events import RunEvent, encode_event, event_type
from engine.store.starts import Accepted, Start, accept_starts

# A further round begins in one statement: history, row and dispatch at once. What lies in the inbox was meant for the
# round that has ended; signals are kept. The event is written here, for its attempt and seq are known only here.
_RETRY = """
WITH target AS MATERIALIZED (
    SELECT id, status FROM run WHERE id = ANY ($1::uuid[]) AND workspace_id = $2 FOR UPDATE
), retried AS (
    UPDATE run SET
        status = 'queued', attempt = run.attempt + 1, crashes = 0, finished_at = NULL, error_code = NULL,
        error_message = NULL, owner = NULL, wake_at = NULL, slot_at = NULL, concurrency_key = NULL,
        concurrency_limit = NULL
    FROM target WHERE run.id = target.id AND target.status IN ('failed', 'cancelled', 'timed_out')
    RETURNING run.id, run.workspace_id, run.workflow_id, run.attempt
), numbered AS MATERIALIZED (
    SELECT retried.*, (SELECT max(seq) + 1 FROM journal WHERE journal.run_id = retried.id) AS seq,
           to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS moment
    FROM retried
), cleared AS (
    DELETE FROM inbox USING retried WHERE inbox.run_id = retried.id AND inbox.kind <> 'signal'
), history AS (
    INSERT INTO journal (run_id, seq, kind, at, payload)
    SELECT id, seq, 'run.retried', moment::timestamptz, convert_to(json_build_object(
        'type', 'run.retried', 'at', moment, 'attempt', attempt, 'by', $3::text, 'reason', 'requested')::text, 'UTF8')
    FROM numbered
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, traceparent, payload)
    SELECT 'dispatch', workspace_id, id, $4::text, convert_to(json_build_object(
        'id', id || ':' || seq, 'type', 'run.retried', 'workspace_id', workspace_id, 'workflow_id', workflow_id,
        'run_id', id, 'seq', seq, 'status', 'queued', 'at', moment, 'reason', 'requested')::text, 'UTF8')
    FROM numbered
)
SELECT target.id, target.status, EXISTS (SELECT FROM retried WHERE retried.id = target.id) AS is_done FROM target
"""

_CANCEL = """
WITH target AS MATERIALIZED (
    SELECT id, workspace_id, status FROM run WHERE id = ANY ($1::uuid[]) AND workspace_id = $2
), put AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT id, 'cancel', $3 FROM target WHERE status IN ('queued', 'running', 'waiting') RETURNING run_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'inbox', $2, run_id, '' FROM put
)
SELECT target.id, target.status, EXISTS (SELECT FROM put WHERE put.run_id = target.id) AS is_done FROM target
"""

_BEGINNINGS = """
SELECT run.id, run.workflow_id, run.version_id, run.version, run.trigger_id, run.trigger_type, run.status, run.is_test,
       run.depth, workflow.name AS workflow_name, journal.payload AS queued,
       published.id AS latest_id, published.version AS latest
FROM run
JOIN workflow ON workflow.id = run.workflow_id AND workflow.deleted_at IS NULL
JOIN journal ON journal.run_id = run.id AND journal.seq = 1
LEFT JOIN workflow_version AS published
    ON published.workflow_id = workflow.id AND published.version = workflow.published_version AND published.version > 0
WHERE run.id = ANY ($1::uuid[]) AND run.workspace_id = $2
"""

_APPEND = """
INSERT INTO journal (run_id, seq, kind, at, payload)
SELECT $1, row.* FROM unnest($2::int[], $3::text[], $4::timestamptz[], $5::bytea[]) AS row (seq, kind, at, payload)
"""

_COPY_PAYLOADS = """
INSERT INTO payload (run_id, id, data) SELECT $1, id, data FROM payload WHERE run_id = $2 AND id = ANY ($3::uuid[])
"""


class Steered(Struct, frozen=True, kw_only=True):
    """A run of the workspace: its status before, and whether what was asked was done to it."""

    run_id: UUID
    status: str
    is_done: bool


class Beginning(Struct, frozen=True, kw_only=True):
    """What a run was started with; `queued` is the JSON of its first event, `latest_*` the version published now."""

    id: UUID
    workflow_id: UUID
    version_id: UUID
    version: int
    trigger_id: UUID | None
    trigger_type: str
    status: str
    is_test: bool
    depth: int
    workflow_name: str
    queued: bytes
    latest_id: UUID | None
    latest: int | None


async def retry_runs(
    connection: asyncpg.Connection | asyncpg.Pool,
    run_ids: Sequence[UUID],
    workspace_id: UUID,
    *,
    by: str,
    traceparent: str | None,
) -> list[Steered]:
    """Let ended runs go on from their failed steps; only those that failed, timed out or were cancelled."""
    rows = await connection.fetch(_RETRY, list(run_ids), workspace_id, by, traceparent)
    return [Steered(run_id=row["id"], status=row["status"], is_done=row["is_done"]) for row in rows]


async def cancel_runs(
    connection: asyncpg.Connection | asyncpg.Pool, run_ids: Sequence[UUID], workspace_id: UUID, *, by: str
) -> list[Steered]:
    """Ask the owners of unfinished runs to cancel them."""
    payload = msgspec.json.encode({"by": by})
    rows = await connection.fetch(_CANCEL, list(run_ids), workspace_id, payload)
    return [Steered(run_id=row["id"], status=row["status"], is_done=row["is_done"]) for row in rows]


async def read_beginnings(
    connection: asyncpg.Connection | asyncpg.Pool, run_ids: Sequence[UUID], workspace_id: UUID
) -> list[Beginning]:
    """What these runs of the workspace were started with, in no order."""
    rows = await connection.fetch(_BEGINNINGS, list(run_ids), workspace_id)
    return [Beginning(**row) for row in rows]


async def accept_rerun(
    connection: asyncpg.Connection, start: Start, taken_over: Sequence[RunEvent], origin_run_id: UUID
) -> Accepted:
    """Accept a run that begins with what another one has done, in the caller's transaction.

    Large outputs are copied: each run keeps its own.
    """
    (accepted,) = await accept_starts(connection, [start])
    if accepted.run_id != start.run_id or not taken_over:
        return accepted
    await connection.execute(
        _APPEND,
        start.run_id,
        list(range(2, len(taken_over) + 2)),
        [event_type(event) for event in taken_over],
        [event.at for event in taken_over],
        [encode_event(event) for event in taken_over],
    )
    refs = [getattr(event, "output_ref", None) for event in taken_over]
    payload_ids = [UUID(ref.ref) for ref in refs if ref is not None]
    if payload_ids:
        await connection.execute(_COPY_PAYLOADS, start.run_id, origin_run_id, payload_ids)
    return accepted
