"""The SQL of timers: a suspended run's `wake_at` is the truth of when it goes on."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.leadership import try_lead

TIMEKEEPER_LOCK = 0x46_46_54_4B

# The `wake_at` of a run that no time wakes: it waits for a concurrency slot, or for what others put into its inbox.
HELD_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)

# What has become due, and when the next run will be, in one look of one snapshot: without anything due it is one row
# that names no run. now() is stable, clock_timestamp() is not: only with the former do indexes serve.
_LOOK = """
SELECT due.id, due.wake_at, now() AS now, upcoming.wake_at AS next_at
FROM (SELECT min(wake_at) AS wake_at FROM run WHERE owner IS NULL AND wake_at > now()) AS upcoming
LEFT JOIN (
    SELECT id, wake_at FROM run WHERE owner IS NULL AND wake_at > $1 AND wake_at <= now() ORDER BY wake_at LIMIT $2
) AS due ON true
ORDER BY due.wake_at
"""


class TimerLook(Struct, frozen=True, kw_only=True):
    """Suspended runs that have become due by `now`, the most overdue first, and when the next one will be."""

    now: datetime
    due: list[tuple[UUID, datetime]]
    next_at: datetime | None


async def look_at_timers(connection: asyncpg.Connection, after: datetime, limit: int) -> TimerLook:
    """Suspended runs that have become due after that time; the next one is not due at the time of this look.

    They are runnable as they are: nothing is written until a worker claims them.
    """
    rows = await connection.fetch(_LOOK, after, limit)
    due = [(row["id"], row["wake_at"]) for row in rows if row["id"] is not None]
    return TimerLook(now=rows[0]["now"], due=due, next_at=rows[0]["next_at"])


async def read_time(connection: asyncpg.Connection) -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def take_timekeeping(connection: asyncpg.Connection) -> bool:
    """Become the one that keeps time, for as long as this connection lives; False while another is."""
    return await try_lead(connection, TIMEKEEPER_LOCK)
