"""The SQL of inboxes: what others have for a run, read and journalled by its owner alone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.store.histories import STEP_PATH

_PUT = """
WITH target AS (
    SELECT id, workspace_id, status FROM run WHERE id = $1 AND workspace_id = $2
), put AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT id, $3, $4 FROM target WHERE status IN ('queued', 'running', 'waiting') RETURNING run_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'inbox', $2, run_id, '' FROM put
)
SELECT status, EXISTS (SELECT FROM put) AS is_put FROM target
"""

# Those that the run has taken in count as well. The journal is passed over for large ones alone: a loop may be sent a
# small one for each of its items.
_SUM_LARGE_SIGNALS = """
SELECT coalesce(sum(octet_length(sent.payload)), 0)::bigint FROM (
    SELECT payload FROM journal WHERE run_id = $1 AND kind = 'run.signalled'
    UNION ALL
    SELECT payload FROM inbox WHERE run_id = $1 AND kind = 'signal'
) AS sent WHERE octet_length(sent.payload) > $2
"""

_READ_OWNED = """
SELECT inbox.id, inbox.run_id, inbox.kind, inbox.payload
FROM inbox JOIN run ON run.id = inbox.run_id
WHERE run.owner = $1 ORDER BY inbox.id LIMIT 1000
"""

_READ_OF = "SELECT id, run_id, kind, payload FROM inbox WHERE run_id = ANY ($1) ORDER BY id LIMIT 10000"

# A run whose step ended in the very moment in which it was started is seen by nobody else, should the worker die before
# it is. So are those of a parent that has ended, or has begun another round since, in which runs are started under keys
# of its own; and in a parent that goes on, those of a step that was cancelled in this round: only in an iteration can a
# step be so, and for those alone the parent's journal is read. What a parent knows of is told with its step's end.
_CANCEL_ORPHANS = f"""
WITH child AS MATERIALIZED (
    SELECT child.id, child.workspace_id, child.parent_run_id, child.parent_step, parent.attempt AS round,
        parent.finished_at IS NULL AS has_parent
    FROM run AS child JOIN run AS parent ON parent.id = child.parent_run_id
    WHERE child.parent_run_id IS NOT NULL AND child.finished_at IS NULL
      -- One that was retried goes on for itself.
      AND child.attempt = 1
      AND (parent.finished_at IS NOT NULL OR parent.attempt > 1 OR strpos(child.parent_step, '[') > 0)
      AND NOT EXISTS (SELECT FROM inbox WHERE inbox.run_id = child.id AND inbox.kind = 'cancel')
), looping AS MATERIALIZED (
    SELECT DISTINCT parent_run_id AS id FROM child WHERE has_parent AND strpos(parent_step, '[') > 0
), cancelled AS MATERIALIZED (
    SELECT looping.id, event.path FROM looping CROSS JOIN LATERAL (
        SELECT {STEP_PATH} AS path FROM journal
        WHERE run_id = looping.id AND kind = 'step.cancelled' AND seq > coalesce(
            (SELECT max(seq) FROM journal WHERE run_id = looping.id AND kind = 'run.retried'), 0)
    ) AS event
), orphan AS (
    SELECT id, workspace_id FROM child
    WHERE NOT has_parent
       OR (round > 1 AND NOT EXISTS (
            SELECT FROM dedup_key
            WHERE scope = parent_run_id AND key = parent_step || '#' || round AND dedup_key.run_id = child.id))
       OR (parent_run_id, parent_step) IN (SELECT cancelled.id, cancelled.path FROM cancelled)
    LIMIT 1000
), put AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT id, 'cancel', convert_to('{{"by":null,"reason":"parent_ended"}}', 'UTF8') FROM orphan
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'inbox', workspace_id, id, '' FROM orphan
)
SELECT count(*) FROM orphan
"""  # noqa: S608 - the path is a constant of another module

_CHILD_END = """
SELECT run.status, last.payload
FROM run CROSS JOIN LATERAL (SELECT payload FROM journal WHERE run_id = run.id ORDER BY seq DESC LIMIT 1) AS last
WHERE run.id = $1 AND run.finished_at IS NOT NULL
"""

# So many signals that came as their runs ended are kept, the newest of each workspace and of all: every sweep looks at
# all that lies here.
LATE_SIGNALS, LATE_SIGNALS_OF_EACH = 1000, 100

# A signal that was accepted is for the round that follows as well, should there be one. What goes is looked up as an
# array: joined, a planner that takes the table for empty compares each row with each.
_DROP_LATE = """
DELETE FROM inbox WHERE id = ANY (ARRAY (
    SELECT id FROM (
        SELECT id, is_kept, place,
            row_number() OVER (PARTITION BY is_kept, place <= $2 ORDER BY id DESC) AS place_of_all
        FROM (
            SELECT inbox.id, kept.is_kept,
                row_number() OVER (PARTITION BY kept.is_kept, run.workspace_id ORDER BY inbox.id DESC) AS place
            FROM inbox JOIN run ON run.id = inbox.run_id
            CROSS JOIN LATERAL (SELECT inbox.kind = 'signal' AND run.status <> 'succeeded' AS is_kept) AS kept
            WHERE run.finished_at IS NOT NULL
        ) AS ended
    ) AS late
    WHERE NOT is_kept OR place > $2 OR place_of_all > $1))
"""

_DROP = "DELETE FROM inbox WHERE id = ANY ($1)"


async def put_message(
    connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, workspace_id: UUID, kind: str, payload: Any
) -> str | None:
    """Leave a message for an unfinished run; the run's status, None where the workspace has no such run."""
    status: str | None = await connection.fetchval(_PUT, run_id, workspace_id, kind, msgspec.json.encode(payload))
    return status


async def sum_large_signals(connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, above: int) -> int:
    """How many bytes the signals of over `above` bytes have together that were sent to the run."""
    total: int = await connection.fetchval(_SUM_LARGE_SIGNALS, run_id, above)
    return total


async def read_messages(connection: asyncpg.Connection, worker_id: int) -> list[asyncpg.Record]:
    """The messages for the worker's runs, oldest first: id, run_id, kind, payload (JSON)."""
    return list(await connection.fetch(_READ_OWNED, worker_id))


async def read_messages_of(connection: asyncpg.Connection, run_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The messages for these runs, oldest first: id, run_id, kind, payload (JSON)."""
    return list(await connection.fetch(_READ_OF, list(run_ids)))


async def read_end(connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> tuple[str, bytes] | None:
    """The status and the last event (JSON) of a run that has ended; None of one that goes on."""
    row = await connection.fetchrow(_CHILD_END, run_id)
    return None if row is None else (row["status"], row["payload"])


async def cancel_orphans(connection: asyncpg.Connection) -> int:
    """Cancel unfinished runs that no step of their parents waits for any more; how many."""
    return int(await connection.fetchval(_CANCEL_ORPHANS))


async def drop_messages(connection: asyncpg.Connection | asyncpg.Pool, inbox_ids: list[int]) -> None:
    """Throw away messages that came too late to have an effect."""
    await connection.execute(_DROP, inbox_ids)


async def drop_late_messages(connection: asyncpg.Connection) -> None:
    """Throw away what lies in the inboxes of runs that have ended, but for signals that a retry may want."""
    await connection.execute(_DROP_LATE, LATE_SIGNALS, LATE_SIGNALS_OF_EACH)
