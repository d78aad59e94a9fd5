"""The journal's SQL: one statement that makes a whole batch of transitions durable, and reading it back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.extras import CONTESTED, EXTRA_PARTS, Extras, extra_columns

# Lock the worker's own row, so that a fenced worker writes nothing; then history, run rows, outbox and inbox at once.
# `owner = me.id` would lead the planner to read all runs of the owner for each change; this way it looks each id up.
# A run without an owner is taken back: the claim waits for no disk, and a crash or a failover before this first commit
# after it may have lost it. One that somebody else owns by now is lost, and with it whatever is to be written.
# A run that is given up while something lies in its inbox is due at once: its wake-up cannot be lost. So is one that
# is held for want of a slot and was granted one meanwhile. Whoever was told of that found it still owned here, and has
# forgotten it: they are told again. One that has come to wait was brought on: deaths of workers before that are not
# held against it.
_WRITE = """
WITH me AS MATERIALIZED (
    SELECT id FROM worker WHERE id = $1 AND alive FOR SHARE
), written AS (
    INSERT INTO journal (run_id, seq, kind, at, payload, worker_id)
    SELECT row.*, me.id
    FROM unnest($2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::bytea[])
        AS row (run_id, seq, kind, at, payload), me
    RETURNING 1
), changed AS (
    UPDATE run SET
        status = change.status,
        started_at = coalesce(change.started_at, run.started_at),
        finished_at = change.finished_at,
        wake_at = CASE
            WHEN change.status = 'queued' AND run.slot_at IS NOT NULL THEN NULL
            WHEN change.is_released AND change.wake_at IS NOT NULL AND EXISTS (
                SELECT FROM inbox WHERE inbox.run_id = change.run_id AND inbox.id <> ALL ($20::bigint[]))
            THEN now() ELSE change.wake_at END,
        owner = CASE WHEN change.is_released THEN NULL ELSE me.id END,
        crashes = CASE change.status WHEN 'waiting' THEN 0 ELSE run.crashes END,
        error_code = change.error_code,
        error_message = change.error_message
    FROM unnest($7::uuid[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::bool[],
                $13::text[], $14::text[])
        AS change (run_id, status, started_at, finished_at, wake_at, is_released, error_code, error_message), me
    WHERE run.id = change.run_id AND coalesce(run.owner, me.id) = me.id
    RETURNING run.id, run.workspace_id,
        change.is_released AND run.finished_at IS NULL AND (run.wake_at IS NULL OR run.wake_at <= now()) AS is_due
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, traceparent, payload)
    SELECT message.* FROM unnest($15::text[], $16::uuid[], $17::uuid[], $18::text[], $19::bytea[])
        AS message (kind, workspace_id, run_id, traceparent, payload), me
    UNION ALL
    SELECT 'dispatch', workspace_id, id, NULL, '' FROM changed WHERE is_due
    RETURNING 1
), taken AS (
    DELETE FROM inbox USING me WHERE inbox.id = ANY ($20::bigint[]) RETURNING 1
)"""

# There is no other way to take a statement back from within: it fails where not every run could be changed.
_COUNT = """
SELECT (SELECT count(*) FROM me) AS workers, (SELECT count(*) FROM written) AS events,
       (SELECT count(*) FROM changed) AS runs, (SELECT count(*) FROM told) AS messages,
       1 / CASE WHEN (SELECT count(*) FROM changed) = (SELECT count(*) FROM me) * cardinality($7::uuid[])
           THEN 1 ELSE 0 END AS whole
"""

_COMMIT = _WRITE + _COUNT
_COMMIT_WITH_EXTRAS = f"{_WRITE}{EXTRA_PARTS}{_COUNT}, {CONTESTED} AS contested"
_RING = ", pg_notify('flowforge_outbox', '')"

_IS_WRITTEN = "SELECT EXISTS (SELECT FROM journal WHERE run_id = $1 AND seq = $2 AND worker_id = $3)"

_READ = """
SELECT seq, kind, at, payload FROM journal WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""


class JournalRow(Struct, frozen=True, kw_only=True):
    """One event as it goes into the journal; `payload` is its JSON."""

    run_id: UUID
    seq: int
    kind: str
    at: datetime
    payload: bytes


class RunChange(Struct, kw_only=True):
    """What a batch changes in a run's row. `is_released`: the worker gives the run up."""

    run_id: UUID
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wake_at: datetime | None = None
    is_released: bool = False
    error_code: str | None = None
    error_message: str | None = None


class OutboxMessage(Struct, frozen=True, kw_only=True):
    """A message for the relay: kind `dispatch`, `event`, `wake` or `inbox`."""

    kind: str
    workspace_id: UUID
    run_id: UUID
    payload: bytes
    traceparent: str | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """What one commit writes. At most one change a run; at least one journal row."""

    rows: Sequence[JournalRow]
    changes: Sequence[RunChange]
    messages: Sequence[OutboxMessage]
    inbox_ids: Sequence[int]
    extras: Extras | None = None


class Committed(Struct, frozen=True, kw_only=True):
    """What a commit did: whether the worker was alive, and how many rows it wrote.

    `messages`: those of the batch, and one for each run that it gave up and that is due already.
    `contested`: approvals that were to be cancelled while somebody was deciding them, and so are as they were.
    """

    is_alive: bool
    events: int
    runs: int
    messages: int = 0
    contested: Sequence[UUID] = ()


class OwnedByOther(Exception):
    """What the batch builds on is not so any more, and nothing of it was written: somebody else owns a run of it."""


async def commit_batch(
    connection: asyncpg.Connection, worker_id: int, batch: Batch, *, rings: bool = False
) -> Committed:
    """Write the batch in one statement, all or nothing, and only while the worker is alive.

    `rings`: it rings the outbox's bell.

    Raises OwnedByOther where it changes a run of another worker's, or has an event (run, seq) that there is already.
    """
    statement, columns = _COMMIT, _columns(batch)
    if batch.extras is not None:
        statement, columns = _COMMIT_WITH_EXTRAS, [*columns, *extra_columns(batch.extras)]
    if rings:
        statement += _RING
    try:
        row = await connection.fetchrow(statement, worker_id, *columns)
    except asyncpg.DivisionByZeroError as error:
        raise OwnedByOther("a run is another worker's") from error
    except asyncpg.UniqueViolationError as error:
        if not (error.table_name or "").startswith("journal"):
            raise
        raise OwnedByOther(error.detail or "an event was written by another worker") from error
    contested = () if batch.extras is None else row["contested"]
    return Committed(
        is_alive=bool(row["workers"]),
        events=row["events"],
        runs=row["runs"],
        messages=row["messages"],
        contested=contested,
    )


async def is_committed(connection: asyncpg.Connection, worker_id: int, batch: Batch) -> bool:
    """Whether this worker's batch is in the journal: the question after a commit whose answer was lost."""
    first = batch.rows[0]
    return bool(await connection.fetchval(_IS_WRITTEN, first.run_id, first.seq, worker_id))


async def read_last_seq(connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> int:
    """The seq of the run's last event."""
    return int(await connection.fetchval("SELECT max(seq) FROM journal WHERE run_id = $1", run_id) or 0)


async def read_journal(
    connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, *, after: int = 0, limit: int = 1_000_000
) -> list[asyncpg.Record]:
    """The events of a run with a seq above `after`, in order: seq, kind, at, payload."""
    return list(await connection.fetch(_READ, run_id, after, limit))


def _columns(batch: Batch) -> list[Any]:
    rows, changes, messages = batch.rows, batch.changes, batch.messages
    return [
        [row.run_id for row in rows],
        [row.seq for row in rows],
        [row.kind for row in rows],
        [row.at for row in rows],
        [row.payload for row in rows],
        [change.run_id for change in changes],
        [change.status for change in changes],
        [change.started_at for change in changes],
        [change.finished_at for change in changes],
        [change.wake_at for change in changes],
        [change.is_released for change in changes],
        [change.error_code for change in changes],
        [change.error_message for change in changes],
        [message.kind for message in messages],
        [message.workspace_id for message in messages],
        [message.run_id for message in messages],
        [message.traceparent for message in messages],
        [message.payload for message in messages],
        list(batch.inbox_ids),
    ]
