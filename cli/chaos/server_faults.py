"""Faults of PostgreSQL and Redis: they restart, crash, lose everything, fill up, stall, or drop their clients."""

import asyncio
import signal
import time

from redis.exceptions import OutOfMemoryError

from cli.chaos.faults import PATIENCE_SECONDS, Fault, Scene, Shot, begin
from cli.chaos.waiting import wait_until

OUTAGE_SECONDS, LONG_OUTAGE_SECONDS = 4.0, 60.0
STALL_SECONDS = 2.5

_OURS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'flowforge-%'"
_TERMINATE = "SELECT count(*) FROM unnest($1::int[]) AS pid WHERE pg_terminate_backend(pid)"
_TIMED_OUT = b"canceling statement due to statement timeout"


async def _flush_redis(scene: Scene) -> Shot:
    shot = begin("flush_redis", "redis")
    async with scene.cluster.servers.redis() as redis:
        keys = await redis.dbsize()
        await redis.flushall()
    shot.note, shot.has_fired = f"{keys} keys", keys > 0
    await asyncio.sleep(1.5)
    return shot


async def _crash_redis(scene: Scene) -> Shot:
    shot = begin("crash_redis", "redis")
    await scene.cluster.servers.kill_redis()
    await scene.cluster.servers.start_redis()
    await asyncio.sleep(1.5)
    return shot


async def _stop_redis(scene: Scene) -> Shot:
    shot = begin("stop_redis", "redis")
    await scene.cluster.servers.kill_redis()
    if not await wait_until(lambda: scene.cluster.does_readiness_name("redis"), seconds=PATIENCE_SECONDS):
        shot.complaint = f"readiness did not name Redis within {PATIENCE_SECONDS:.0f} s"
    await asyncio.sleep(shot.at + (LONG_OUTAGE_SECONDS if scene.is_long else OUTAGE_SECONDS) - time.time())
    await scene.cluster.servers.start_redis()
    shot.note = f"down for {time.time() - shot.at:.0f} s"
    await asyncio.sleep(1.5)
    return shot


async def _pause_redis(scene: Scene) -> Shot:
    shot = begin("pause_redis", "redis")
    async with scene.cluster.servers.redis() as redis:
        await redis.client_pause(int(STALL_SECONDS * 1000))
    await asyncio.sleep(STALL_SECONDS + 0.5)
    return shot


async def _fill_redis(scene: Scene) -> Shot:
    shot = begin("fill_redis", "redis")
    async with scene.cluster.servers.redis() as redis:
        # Full at once: every command that could need memory is refused.
        await redis.config_set("maxmemory", "1")
        try:
            try:
                await redis.set("chaos", "full")
                shot.has_fired = False
            except OutOfMemoryError:
                await asyncio.sleep(STALL_SECONDS)
        finally:
            await redis.config_set("maxmemory", "0")
    await asyncio.sleep(1.0)
    return shot


async def _restart_postgres(scene: Scene) -> Shot:
    return await _restart(scene, "restart_postgres", signal.SIGINT)


async def _crash_postgres(scene: Scene) -> Shot:
    return await _restart(scene, "crash_postgres", signal.SIGQUIT)


async def _restart(scene: Scene, name: str, number: signal.Signals) -> Shot:
    shot = begin(name, "postgres")
    await scene.cluster.servers.restart_postgres(number)
    shot.counts_from = time.time()
    shot.note = f"away for {shot.counts_from - shot.at:.1f} s"
    await asyncio.sleep(1.5)
    return shot


async def _drop_connections(scene: Scene) -> Shot:
    """End a third of all sessions, three times within a second."""
    shot = begin("drop_connections", "postgres")
    dropped = 0
    for _ in range(3):
        connection = await scene.database()
        pids = [row["pid"] for row in await connection.fetch(_OURS)]
        chosen = scene.random.sample(pids, k=(len(pids) + 2) // 3)
        dropped += await connection.fetchval(_TERMINATE, chosen)
        shot.counts_from = time.time()
        await asyncio.sleep(0.4)
    shot.note, shot.has_fired = f"{dropped} sessions ended", dropped > 0
    return shot


async def _lock_tables(scene: Scene) -> Shot:
    """Let nobody write to the journal or the outbox for a while."""
    shot = begin("lock_tables", "postgres")
    connection = await scene.database()
    async with connection.transaction():
        await connection.execute("LOCK TABLE journal, outbox IN EXCLUSIVE MODE")
        await asyncio.sleep(STALL_SECONDS)
    shot.counts_from = time.time()
    await asyncio.sleep(0.5)
    return shot


async def _time_out_statements(scene: Scene) -> Shot:
    """Give every session a statement timeout of 40 ms, and let writers run into it by a lock."""
    shot = begin("time_out_statements", "postgres")
    connection, log = await scene.database(), scene.cluster.servers.postgres.log
    before = log.read_bytes().count(_TIMED_OUT)
    pids = [row["pid"] for row in await connection.fetch(_OURS)]
    try:
        await connection.execute("ALTER ROLE CURRENT_USER SET statement_timeout = '40ms'")
        await connection.fetchval(_TERMINATE, pids)
        for _ in range(4):
            async with connection.transaction():
                await connection.execute("LOCK TABLE journal IN EXCLUSIVE MODE")
                await asyncio.sleep(STALL_SECONDS / 8)
            await asyncio.sleep(STALL_SECONDS / 8)
    finally:
        await connection.execute("ALTER ROLE CURRENT_USER RESET statement_timeout")
        pids = [row["pid"] for row in await connection.fetch(_OURS)]
        await connection.fetchval(_TERMINATE, pids)
    shot.counts_from = time.time()
    count = log.read_bytes().count(_TIMED_OUT) - before
    shot.note, shot.has_fired = f"{count} statements timed out", count > 0
    await asyncio.sleep(0.5)
    return shot


FAULTS = (
    Fault(
        name="flush_redis",
        number="F7",
        text="Redis loses all keys",
        measure="late_start",
        goal=5,
        inject=_flush_redis,
    ),
    Fault(
        name="crash_redis",
        number="F8",
        text="Redis is killed and comes back empty",
        measure="late_start",
        goal=5,
        inject=_crash_redis,
    ),
    Fault(
        name="stop_redis",
        number="F9",
        text="Redis is down for a while",
        measure="late_start",
        goal=5,
        inject=_stop_redis,
    ),
    Fault(
        name="pause_redis",
        number="F10",
        text="Redis stands still",
        measure="late_start",
        goal=10,
        inject=_pause_redis,
    ),
    Fault(
        name="fill_redis",
        number="F10",
        text="Redis is full and refuses every write",
        measure="late_start",
        goal=10,
        inject=_fill_redis,
    ),
    Fault(
        name="restart_postgres",
        number="F11",
        text="PostgreSQL restarts",
        measure="first_commit",
        goal=5,
        inject=_restart_postgres,
    ),
    Fault(
        name="crash_postgres",
        number="F12",
        text="PostgreSQL stops at once and recovers",
        measure="first_commit",
        goal=5,
        inject=_crash_postgres,
    ),
    Fault(
        name="drop_connections",
        number="F13",
        text="a third of all sessions is ended, three times",
        measure="first_commit",
        goal=2,
        inject=_drop_connections,
    ),
    Fault(
        name="lock_tables",
        number="F14",
        text="nobody can write to the journal",
        measure="first_commit",
        goal=2,
        inject=_lock_tables,
    ),
    Fault(
        name="time_out_statements",
        number="F14",
        text="statements run into a timeout",
        measure="first_commit",
        goal=2,
        inject=_time_out_statements,
    ),
)
