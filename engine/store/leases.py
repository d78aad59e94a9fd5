"""The SQL of leases: a worker incarnation is one row, and that row is the lease and the fence of all its runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from engine.store.runs import reading_in_order

# Session locks of workers live in a class of their own, apart from other advisory locks.
LOCK_CLASS = 0x46_46_57

_REGISTER = "INSERT INTO worker (name, host, pid) VALUES ($1, $2, $3) RETURNING id"

_BEAT = """
UPDATE worker SET heartbeat_at = clock_timestamp(), steps_in_flight = $2 WHERE id = $1 AND alive
RETURNING clock_timestamp() AS now
"""

# While a migration has yet to make the column: a worker that cannot beat loses all its runs.
_BEAT_ALONE = _BEAT.replace(", steps_in_flight = $2", "")

# Without any it is one row that names no worker.
_SUSPECTS = """
SELECT now() AS now, suspect.id, suspect.silence
FROM (SELECT) AS look
LEFT JOIN (
    SELECT id, extract(epoch FROM now() - heartbeat_at)::float8 AS silence
    FROM worker WHERE alive AND id <> $1 AND heartbeat_at < now() - make_interval(secs => $2)
) AS suspect ON true
"""

# The silence is checked again under the row's lock: a worker that has just beaten stays alive.
_BURY = """
UPDATE worker SET alive = false
WHERE id = $1 AND alive AND heartbeat_at < now() - make_interval(secs => $2)
RETURNING id
"""

# Nothing of it is committed since it was claimed, or its time to go on has come: its worker may have died of it.
_IS_BEGINNING = """
(run.status = 'queued' OR run.wake_at <= now()
    OR (run.status = 'waiting' AND EXISTS (SELECT FROM inbox WHERE inbox.run_id = run.id)))
"""

# Whether this worker has brought the run on, as its journal tells: its events are the last ones, and are read back to
# one that tells so, or to somebody else's.
_HAS_BROUGHT_ON = """
coalesce((
    SELECT worker_id = $1 FROM journal
    WHERE run_id = run.id AND (worker_id IS DISTINCT FROM $1
        OR kind IN ('step.succeeded', 'step.failed', 'step.skipped', 'step.retrying'))
    ORDER BY seq DESC LIMIT 1), false)
"""

# Long enough for the worker to die of one of the others a few times more.
_HELD_SECONDS = 30
# The count of deaths of those that have rested: none, and a mark.
_RESTED = -1

# A statement of its own, which sees what the one before has waited for; to be asked while `reading_in_order`. Where a
# run is lost as it begins, and was so twice before, it is the only one of its kind (see `engine.worker.probation`), and
# what its worker died of: nothing is held against the others. Nor is a run that this worker has brought on what it died
# of, as far as anybody can tell: the count of deaths begins anew with this one.
# Of those that are lost in the middle for the third time, one alone is what the worker died of. Where they are several,
# as with long steps while somebody kills workers, nobody can tell: half of them go on at once, and the others, with
# nothing held against them, after a while. Whichever half has the deadly one, the next time they are half as many.
# Those that have rested are marked by a count below zero: where one is lost beside one that went on, it may be either.
_FREE = f"""
WITH guilty AS MATERIALIZED (
    SELECT FROM run WHERE owner = $1 AND crashes > 1 AND {_IS_BEGINNING} LIMIT 1
), lost AS MATERIALIZED (
    SELECT id, crashes FROM run
    WHERE owner = $1 AND (crashes > 1 OR crashes < 0) AND status = 'running' AND {_IS_BEGINNING} IS NOT TRUE
        AND NOT EXISTS (SELECT FROM guilty) AND NOT {_HAS_BROUGHT_ON}
), suspect AS MATERIALIZED (
    SELECT id, count(*) OVER () > 1 AS is_one_of,
        row_number() OVER (ORDER BY random()) * 2 > count(*) OVER () AS is_held
    FROM lost WHERE EXISTS (SELECT FROM lost WHERE crashes > 1)
), held AS MATERIALIZED (
    SELECT id FROM suspect WHERE is_one_of AND is_held
), freed AS (
    UPDATE run SET owner = NULL, crashes = CASE
        WHEN id IN (SELECT held.id FROM held) THEN {_RESTED}
        WHEN id IN (SELECT suspect.id FROM suspect WHERE is_one_of) THEN greatest(crashes, 2)
        WHEN {_IS_BEGINNING} THEN greatest(crashes, 0) + (crashes > 1 OR NOT EXISTS (SELECT FROM guilty))::int
        WHEN status <> 'running' OR EXISTS (SELECT FROM guilty) THEN crashes
        WHEN {_HAS_BROUGHT_ON} THEN 1
        ELSE greatest(crashes, 0) + 1 END,
        wake_at = CASE
            WHEN id IN (SELECT held.id FROM held) THEN now() + interval '{_HELD_SECONDS} seconds' ELSE wake_at END
    WHERE owner = $1
    RETURNING id, workspace_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload)
    SELECT 'dispatch', workspace_id, id, '' FROM freed WHERE id NOT IN (SELECT held.id FROM held)
)
SELECT count(*) FROM freed
"""  # noqa: S608 - put together of constants of this module

# Owners one by one, each with a look into the index of runs that have one: there are as many as workers.
_FIND_STRANDED = """
WITH RECURSIVE holder (id) AS (
    (SELECT owner FROM run WHERE owner IS NOT NULL ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT following.owner
    FROM holder CROSS JOIN LATERAL (SELECT owner FROM run WHERE owner > holder.id ORDER BY owner LIMIT 1) AS following
)
SELECT holder.id FROM holder LEFT JOIN worker ON worker.id = holder.id
WHERE worker.id IS NULL OR (NOT worker.alive AND worker.heartbeat_at < now() - make_interval(secs => $1))
"""

# As with a burial: it waits for whatever claims or commits under this incarnation, and the next statement sees that.
_RESIGN = "UPDATE worker SET alive = false WHERE id = $1"

_HAND_BACK = """
WITH freed AS (
    UPDATE run SET owner = NULL WHERE owner = $1 RETURNING id, workspace_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'dispatch', workspace_id, id, '' FROM freed
)
SELECT count(*) FROM freed
"""

_RELEASE = """
WITH freed AS (
    UPDATE run SET owner = NULL WHERE id = ANY ($2) AND owner = $1 RETURNING id, workspace_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'dispatch', workspace_id, id, '' FROM freed
)
SELECT count(*) FROM freed
"""

# Whoever was told of what came meanwhile, a slot or something in its inbox, found the run still owned here.
_REST = """
WITH rested AS (
    UPDATE run SET owner = NULL, status = $4, wake_at = CASE
        WHEN status = 'queued' AND slot_at IS NOT NULL THEN NULL
        WHEN EXISTS (SELECT FROM inbox WHERE inbox.run_id = run.id) THEN now() ELSE $3 END
    WHERE id = $2 AND owner = $1
    RETURNING id, workspace_id, wake_at
)
INSERT INTO outbox (kind, workspace_id, run_id, payload)
SELECT 'dispatch', workspace_id, id, '' FROM rested WHERE wake_at IS NULL OR wake_at <= now()
RETURNING true
"""


class Suspect(Struct, frozen=True):
    """A worker that has been silent for `silence` seconds."""

    worker_id: int
    silence: float


async def register_worker(connection: asyncpg.Connection, *, name: str, host: str, pid: int) -> int:
    """Make a new incarnation and hold its session lock on this connection; its id, which is never used again.

    It is on the disk, whatever the connection is set to: a crash of the database that forgot it would give its id to
    another worker, and two would pass one fence.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")
        worker_id: int = await connection.fetchval(_REGISTER, name, host, pid)
    await hold_session_lock(connection, worker_id)
    return worker_id


async def hold_session_lock(connection: asyncpg.Connection, worker_id: int) -> bool:
    """Take the worker's session lock, whose absence is the first sign of its death. False when another has it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, _lock_key(worker_id)))


async def beat(
    connection: asyncpg.Connection, worker_id: int, in_flight: Mapping[UUID, int] | None = None
) -> datetime | None:
    """Renew the lease; the database's time, or None for a worker that was declared dead.

    `in_flight`: how many attempts the worker has under way, by workspace.
    """
    told = {str(workspace_id): count for workspace_id, count in (in_flight or {}).items()}
    try:
        row = await connection.fetchrow(_BEAT, worker_id, msgspec.json.encode(told).decode())
    except asyncpg.UndefinedColumnError:
        row = await connection.fetchrow(_BEAT_ALONE, worker_id)
    return None if row is None else row["now"]


async def find_suspects(
    connection: asyncpg.Connection, worker_id: int, silence: float
) -> tuple[datetime, list[Suspect]]:
    """The database's time, and other living workers that have been silent for at least `silence` seconds."""
    rows = await connection.fetch(_SUSPECTS, worker_id, silence)
    found = [Suspect(row["id"], row["silence"]) for row in rows if row["id"] is not None]
    return rows[0]["now"], found


async def is_session_gone(connection: asyncpg.Connection, worker_id: int) -> bool:
    """Whether nobody holds the worker's session lock: its connection to the database has ended."""
    key = _lock_key(worker_id)
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, key):
        return False
    await connection.execute("SELECT pg_advisory_unlock($1, $2)", LOCK_CLASS, key)
    return True


async def seconds_up(connection: asyncpg.Connection) -> float:
    """How long the database server has been up: silence from before its start proves nothing."""
    query = "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8"
    return float(await connection.fetchval(query))


async def declare_dead(connection: asyncpg.Connection, worker_id: int, silence: float) -> int | None:
    """Fence a worker that is still silent for `silence` seconds and free its runs; their number, None if it lives.

    Waits for its batches in flight; every later one finds the worker dead and writes nothing.
    """
    async with reading_in_order(connection):
        if await connection.fetchval(_BURY, worker_id, silence) is None:
            return None
        return int(await connection.fetchval(_FREE, worker_id))


async def free_stranded(connection: asyncpg.Connection, silence: float) -> dict[int, int]:
    """Free runs whose worker is not there any more, or has been dead and silent for so long; how many, by worker.

    There are none: a worker's runs are freed in the moment in which it ends. It is the net below that.
    """
    async with reading_in_order(connection):
        holders = [row["id"] for row in await connection.fetch(_FIND_STRANDED, silence)]
        return {worker_id: int(await connection.fetchval(_FREE, worker_id)) for worker_id in holders}


async def hand_back_all(connection: asyncpg.Connection, worker_id: int) -> int:
    """End the incarnation and free its runs for others; their number. May be repeated after a lost answer."""
    async with connection.transaction():
        await connection.execute(_RESIGN, worker_id)
        return int(await connection.fetchval(_HAND_BACK, worker_id))


async def hand_back(connection: asyncpg.Connection, worker_id: int, run_ids: Sequence[UUID]) -> int:
    """Free some of the worker's runs for others; their number."""
    return int(await connection.fetchval(_RELEASE, worker_id, list(run_ids)))


async def put_to_rest(
    connection: asyncpg.Connection | asyncpg.Pool, worker_id: int, run_id: UUID, status: str, wake_at: datetime
) -> bool:
    """Give up a run of the worker's that only waits, until `wake_at` or until something lies in its inbox.

    Whether it is due at once, for it was granted a slot meanwhile or something lies there: the outbox says so then.
    """
    return bool(await connection.fetchval(_REST, worker_id, run_id, wake_at, status))


def _lock_key(worker_id: int) -> int:
    # Advisory locks take 32-bit keys; ids come from a sequence, so that neighbours never collide.
    return worker_id % 0x7FFF_FFFF
