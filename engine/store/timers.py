"""The SQL of timers: a suspended run's `wake_at` is the truth of when it goes on."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from engine.store.leadership import try_lead

TIMEKEEPER_LOCK = 0x46_46_54_4B

# The `wake_at` of a run that no time wakes: it waits for a concurrency slot, or for what others put into its inbox.
HELD_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)

# now() is stable, clock_timestamp() is not: only with the former does the index serve.
_NEXT = "SELECT min(wake_at) AS wake_at, now() AS now FROM run WHERE owner IS NULL AND wake_at > now()"

_DUE = """
SELECT id, wake_at FROM run WHERE owner IS NULL AND wake_at > $1 AND wake_at <= now() ORDER BY wake_at LIMIT $2
"""


async def next_wake(connection: asyncpg.Connection) -> float | None:
    """Seconds until the next suspended run is due, None when none will be."""
    row = await connection.fetchrow(_NEXT)
    wake_at: datetime | None = row["wake_at"]
    return None if wake_at is None else (wake_at - row["now"]).total_seconds()


async def find_due(connection: asyncpg.Connection, after: datetime, limit: int) -> list[tuple[UUID, datetime]]:
    """Suspended runs that have become due after that time, with when, the most overdue first.

    They are runnable as they are: nothing is written until a worker claims them.
    """
    return [(row["id"], row["wake_at"]) for row in await connection.fetch(_DUE, after, limit)]


async def read_time(connection: asyncpg.Connection) -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def take_timekeeping(connection: asyncpg.Connection) -> bool:
    """Become the one that keeps time, for as long as this connection lives; False while another is."""
    return await try_lead(connection, TIMEKEEPER_LOCK)
