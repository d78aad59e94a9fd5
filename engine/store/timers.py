"""The SQL of timers: a suspended run's `wake_at` is the truth of when it goes on."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg

TIMEKEEPER_LOCK = 0x46_46_54_4B

# The `wake_at` of a run that no time wakes: it waits for a concurrency slot, or for what others put into its inbox.
HELD_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)

# now() is stable, clock_timestamp() is not: only with the former does the index serve.
_NEXT = "SELECT min(wake_at) AS wake_at, now() AS now FROM run WHERE owner IS NULL AND wake_at IS NOT NULL"

# A released run is runnable for everybody at once, so that no later look finds it again.
_RELEASE_DUE = """
UPDATE run SET status = CASE WHEN status = 'queued' THEN status ELSE 'running' END, wake_at = NULL
WHERE id IN (
    SELECT id FROM run WHERE owner IS NULL AND wake_at <= now()
    ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


async def next_wake(connection: asyncpg.Connection) -> float | None:
    """Seconds until the earliest suspended run is due (below 0: overdue), None when none is suspended."""
    row = await connection.fetchrow(_NEXT)
    wake_at: datetime | None = row["wake_at"]
    return None if wake_at is None else (wake_at - row["now"]).total_seconds()


async def release_due(connection: asyncpg.Connection, limit: int) -> list[UUID]:
    """Make suspended runs that are due runnable, the most overdue first; their ids, to be announced to the workers."""
    return [row["id"] for row in await connection.fetch(_RELEASE_DUE, limit)]


async def take_timekeeping(connection: asyncpg.Connection) -> bool:
    """Become the one that keeps time, for as long as this connection lives; False while another is."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", TIMEKEEPER_LOCK))
