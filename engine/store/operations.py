"""The SQL of operations: which workers live, and what waits for a process. Of all workspaces, and no payloads."""

from datetime import datetime

import asyncpg
from msgspec import Struct

MOST_WORKERS = 200
# Beyond these nobody needs to know exactly.
MOST_ROWS = 100_000

_WORKERS = """
SELECT id, host, pid, started_at, heartbeat_at, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS silence,
       (SELECT coalesce(sum(value::int), 0)::int FROM jsonb_each_text(steps_in_flight)) AS steps_in_flight
FROM worker WHERE alive ORDER BY id LIMIT $1
"""

# By indexes that hold nothing else, or so little of it that it does not matter.
_BACKLOG = """
SELECT now() AS at,
       (SELECT row(count(*), extract(epoch FROM now() - min(created_at))::float8) FROM (
           SELECT created_at FROM run WHERE owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running')
           ORDER BY id LIMIT $1
       ) AS queued) AS queue,
       (SELECT row(count(*), extract(epoch FROM now() - min(created_at))::float8) FROM (
           SELECT created_at FROM outbox ORDER BY id LIMIT $1
       ) AS unpublished) AS outbox,
       (SELECT row(count(*), extract(epoch FROM now() - min(wake_at))::float8) FROM (
           SELECT wake_at FROM run WHERE owner IS NULL AND wake_at <= now() ORDER BY wake_at LIMIT $1
       ) AS due) AS due
"""


class LivingWorker(Struct, frozen=True):
    """A worker's incarnation that nobody has declared dead; `silence` in seconds since its last heartbeat."""

    id: int
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    silence: float
    steps_in_flight: int


class Waiting(Struct, frozen=True):
    """So many wait, counted up to `MOST_ROWS`, the first of them for `oldest_seconds`; None where none does."""

    count: int
    oldest_seconds: float | None


class Backlog(Struct, frozen=True):
    """What waits at the moment `at`: runs for a worker, rows for the relay, suspended runs for the timekeeper."""

    at: datetime
    queue: Waiting
    outbox: Waiting
    due: Waiting


async def list_workers(reader: asyncpg.Connection | asyncpg.Pool) -> list[LivingWorker]:
    """The workers that live or whose death nobody has noticed yet, the oldest first, at most `MOST_WORKERS`."""
    return [LivingWorker(**row) for row in await reader.fetch(_WORKERS, MOST_WORKERS)]


async def measure_backlog(reader: asyncpg.Connection | asyncpg.Pool) -> Backlog:
    """What waits at this moment."""
    row = await reader.fetchrow(_BACKLOG, MOST_ROWS)
    kinds = {name: Waiting(count, oldest) for name in ("queue", "outbox", "due") for count, oldest in [row[name]]}
    return Backlog(at=row["at"], **kinds)
