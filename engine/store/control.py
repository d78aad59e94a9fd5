"""The SQL by which people steer runs: going on from a failure, repeating, many at once. Always within one workspace."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from engine.core.events import PayloadRef, RunEvent, encode_event, event_type
from engine.store.starts import Accepted, Start, accept_starts

# The rows are locked in a statement of their own: the next one then sees all that others committed to them before.
# Only ended runs are, which no worker writes to, and in one order for everybody.
_LOCK_RETRYABLE = """
SELECT id, status FROM run
WHERE id = ANY ($1::uuid[]) AND workspace_id = $2 AND status IN ('failed', 'cancelled', 'timed_out')
ORDER BY id FOR UPDATE
"""

_OTHERS = "SELECT id, status FROM run WHERE id = ANY ($1::uuid[]) AND workspace_id = $2"

# A further round begins in one statement: history, row and dispatch at once. What lies in the inbox was meant for the
# round that has ended; signals are kept. An approval that is still open was asked for by a run that broke. The event is
# written here, for its attempt and seq are known only here; no clock goes back within a journal.
_RETRY = """
WITH retried AS (
    UPDATE run SET
        status = 'queued', attempt = run.attempt + 1, crashes = 0, finished_at = NULL, error_code = NULL,
        error_message = NULL, owner = NULL, wake_at = NULL, slot_at = NULL, concurrency_key = NULL,
        concurrency_limit = NULL
    WHERE id = ANY ($1::uuid[])
    RETURNING run.id, run.workspace_id, run.workflow_id, run.attempt
), numbered AS MATERIALIZED (
    SELECT retried.*, latest.seq + 1 AS seq,
           to_char(greatest(clock_timestamp(), latest.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS moment
    FROM retried CROSS JOIN LATERAL (
        SELECT seq, at FROM journal WHERE journal.run_id = retried.id ORDER BY seq DESC LIMIT 1
    ) AS latest
), cleared AS (
    DELETE FROM inbox USING retried WHERE inbox.run_id = retried.id AND inbox.kind <> 'signal'
), closed AS (
    UPDATE approval SET status = 'cancelled' FROM retried
    WHERE approval.run_id = retried.id AND approval.status = 'pending'
), history AS (
    INSERT INTO journal (run_id, seq, kind, at, payload)
    SELECT id, seq, 'run.retried', moment::timestamptz, convert_to(json_build_object(
        'type', 'run.retried', 'at', moment, 'attempt', attempt, 'by', $2::text, 'reason', 'requested')::text, 'UTF8')
    FROM numbered
)
INSERT INTO outbox (kind, workspace_id, run_id, traceparent, payload)
SELECT 'dispatch', workspace_id, id, $3::text, convert_to(json_build_object(
    'id', id || ':' || seq, 'type', 'run.retried', 'workspace_id', workspace_id, 'workflow_id', workflow_id,
    'run_id', id, 'seq', seq, 'status', 'queued', 'at', moment, 'reason', 'requested')::text, 'UTF8')
FROM numbered
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

_BEGINNING_SIZES = """
SELECT run_id, octet_length(payload) AS size FROM journal WHERE run_id = ANY ($1::uuid[]) AND seq = 1
"""

_APPEND = """
INSERT INTO journal (run_id, seq, kind, at, payload)
SELECT $1, row.* FROM unnest($2::int[], $3::text[], $4::timestamptz[], $5::bytea[]) AS row (seq, kind, at, payload)
"""

_COPY_PAYLOADS = """
INSERT INTO payload (run_id, id, data) SELECT $1, id, data FROM payload WHERE run_id = $2 AND id = ANY ($3::uuid[])
"""


STATEMENT_BYTES = 2 * 1_048_576

TakenOverRow = tuple[int, str, datetime, bytes]


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


class TakenOver(Struct, frozen=True, kw_only=True):
    """What a run begins with that another one has done: rows (seq, kind, at, JSON) and the ids of large outputs."""

    rows: list[TakenOverRow] = []
    payload_ids: list[UUID] = []


async def retry_runs(
    connection: asyncpg.Connection, run_ids: Sequence[UUID], workspace_id: UUID, *, by: str, traceparent: str | None
) -> list[Steered]:
    """Let ended runs go on from their failed steps, in the caller's transaction.

    Only those that failed, timed out or were cancelled: of two who retry a run at once, one does.
    """
    retryable = await connection.fetch(_LOCK_RETRYABLE, list(run_ids), workspace_id)
    done = [row["id"] for row in retryable]
    if done:
        await connection.execute(_RETRY, done, by, traceparent)
    steered = [Steered(run_id=row["id"], status=row["status"], is_done=True) for row in retryable]
    left = set(run_ids).difference(done)
    if left:
        rows = await connection.fetch(_OTHERS, list(left), workspace_id)
        steered.extend(Steered(run_id=row["id"], status=row["status"], is_done=False) for row in rows)
    return steered


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


async def read_beginning_sizes(connection: asyncpg.Connection, run_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The bytes of what `read_beginnings` would have to read of each of these runs."""
    return {row["run_id"]: row["size"] for row in await connection.fetch(_BEGINNING_SIZES, list(run_ids))}


def pack_taken_over(events: Iterable[RunEvent]) -> TakenOver:
    """The events as rows that follow a run's first one."""
    taken_over = TakenOver()
    for seq, event in enumerate(events, start=2):
        taken_over.rows.append((seq, event_type(event), event.at, encode_event(event)))
        ref: PayloadRef | None = getattr(event, "output_ref", None)
        if ref is not None:
            taken_over.payload_ids.append(UUID(ref.ref))
    return taken_over


async def accept_rerun(
    connection: asyncpg.Connection, start: Start, taken_over: TakenOver, origin_run_id: UUID
) -> Accepted:
    """Accept a run that begins with what another one has done, in the caller's transaction.

    Large outputs are copied: each run keeps its own.
    """
    (accepted,) = await accept_starts(connection, [start])
    if accepted.run_id != start.run_id or not taken_over.rows:
        return accepted
    for rows in _split(taken_over.rows):
        await connection.execute(_APPEND, start.run_id, *map(list, zip(*rows, strict=True)))
    if taken_over.payload_ids:
        await connection.execute(_COPY_PAYLOADS, start.run_id, origin_run_id, taken_over.payload_ids)
    return accepted


def _split(rows: Sequence[TakenOverRow]) -> Iterator[list[TakenOverRow]]:
    """The rows in parts of a few mebibytes at most: a statement holds its arguments a second time."""
    part: list[TakenOverRow] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row[3])
        if size > STATEMENT_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
