"""Faults of the machine below PostgreSQL: it stands still, its disk is full, or it is gone and a standby follows."""

import asyncio
import contextlib
import os
import signal
import time

import asyncpg

from cli.chaos.disk import leave_shared_mounts
from cli.chaos.faults import Fault, Scene, Shot, begin
from cli.chaos.freezing import freeze, is_frozen, thaw
from cli.chaos.standby import deafen, make_synchronous, needs_base_backup, promote
from cli.chaos.waiting import wait_until
from cli.servers.postgres import Postgres
from cli.servers.process import ServerError
from engine.infra.database import DATABASE_ERRORS

# So long the server refuses what needs room, and then does not run at all.
REFUSING_SECONDS, DOWN_SECONDS = 3.0, 2.0
# So long every commit waits for the standby, and is then not answered, before the primary is lost.
STREAMING_SECONDS, DEAF_SECONDS = 2.0, 1.0
# Long enough for it to stop on a busy machine; where it does not, that is told.
STOP_SECONDS = 60.0

# Past the lease of a worker; the long one also past the time for which the product waits for any answer.
FROZEN_SECONDS, LONG_FROZEN_SECONDS = 8.0, 35.0
CONNECTING_SECONDS = 2.0

_DEATHS = "SELECT count(*) FROM worker WHERE NOT alive"
_GROW = "CREATE TABLE chaos_growth AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)"


class _Mounts:
    """Whether this process may mount: tried once, and before it has any other thread."""

    obstacle: str | None = "was not asked for"


def prepare_disk() -> None:
    """Make ready for `fill_disk`; to be called before there is an event loop."""
    _Mounts.obstacle = leave_shared_mounts()


async def _freeze_postgres(scene: Scene) -> Shot:
    """Nothing tells a server that stands still from one that is slow: its sockets stay open, and nobody answers."""
    server = scene.cluster.servers.postgres
    connection = await scene.database()
    deaths = await connection.fetchval(_DEATHS)
    shot = begin("freeze_postgres", "postgres")
    try:
        stopped = await asyncio.to_thread(freeze, server)
        is_silent = await _is_silent(server)
        await asyncio.sleep(shot.at + (LONG_FROZEN_SECONDS if scene.is_long else FROZEN_SECONDS) - time.time())
        shot.has_fired = is_silent and await asyncio.to_thread(is_frozen, server)
    finally:
        shot.counts_from = time.time()
        thaw(server)
    await asyncio.sleep(1.5)
    deaths = await (await scene.database()).fetchval(_DEATHS) - deaths
    shot.note = (
        f"{stopped} processes stood still for {shot.counts_from - shot.at:.1f} s, {deaths} workers declared dead"
    )
    return shot


async def _is_silent(server: Postgres) -> bool:
    """Whether it takes a connection, as its kernel does, and says nothing."""
    try:
        connection = await asyncpg.connect(server.url, timeout=CONNECTING_SECONDS)
    except TimeoutError:
        return True
    connection.terminate()
    return False


async def _fill_disk(scene: Scene) -> Shot:
    """First there is no room for tables, then none for the log, at which PostgreSQL stops; then there is some again."""
    servers = scene.cluster.servers
    # Before: a session that begins may need room itself.
    connection = await scene.database()
    shot = begin("fill_disk", "postgres")
    servers.disk.fill()
    try:
        shot.complaint = await _find_room(connection)
        await asyncio.sleep(REFUSING_SECONDS)
        await _use_up_log(scene, connection)
        await asyncio.sleep(DOWN_SECONDS)
        is_down = servers.postgres.poll() is not None
        if is_down:
            await _start_in_vain(scene)
    finally:
        servers.disk.free()
    was_stuck = not await servers.bring_back(scene.cluster.connect)
    shot.counts_from = time.time()
    shot.note = f"full for {shot.counts_from - shot.at:.1f} s, {'and stopped by it' if is_down else 'and went on'}"
    if was_stuck:
        shot.note += ", and started anew, as it did not recover"
    await asyncio.sleep(1.5)
    return shot


async def _find_room(connection: asyncpg.Connection) -> str:
    """What is wrong where the disk is not full."""
    try:
        await connection.execute(_GROW)
    except asyncpg.DiskFullError:
        return ""
    except DATABASE_ERRORS as error:
        return f"a full disk was answered by {error!r}"
    await connection.execute("DROP TABLE chaos_growth")
    return "the disk was not full"


async def _use_up_log(scene: Scene, connection: asyncpg.Connection) -> None:
    """Begin one file of the log after the other, until there is none left, no room for another, and no server."""
    servers = scene.cluster.servers

    async def has_stopped() -> bool:
        nonlocal connection
        with contextlib.suppress(*DATABASE_ERRORS):
            if connection.is_closed():
                connection = await scene.cluster.connect()
            await connection.execute("SELECT pg_logical_emit_message(true, 'chaos', 'x')")
            await connection.execute("SELECT pg_switch_wal()")
        return servers.postgres.poll() is not None

    await wait_until(has_stopped, seconds=STOP_SECONDS)


async def _start_in_vain(scene: Scene) -> None:
    """As whoever looks after servers does: they do not know that there is no room."""
    servers = scene.cluster.servers
    try:
        await servers.do(servers.postgres.start)
    except (ServerError, OSError):
        return


async def _fail_over(scene: Scene) -> Shot:
    """What the primary acknowledged without the standby would be lost: in its last second, that is all there is."""
    standby = await scene.cluster.servers.add_standby()
    await make_synchronous(await scene.database())
    return await _lose_primary(scene, standby, "failover")


async def _fail_over_asynchronously(scene: Scene) -> Shot:
    """The primary waits for nobody: what it acknowledged in its last second is lost."""
    return await _lose_primary(scene, await scene.cluster.servers.add_standby(), "failover_async")


async def _lose_primary(scene: Scene, standby: Postgres, name: str) -> Shot:
    servers = scene.cluster.servers
    await asyncio.sleep(STREAMING_SECONDS)
    connection = await asyncpg.connect(standby.url, timeout=5)
    try:
        receiver = await deafen(connection)
        await asyncio.sleep(DEAF_SECONDS)
        shot = begin(name, "postgres")
        await servers.lose_postgres()
        # What had come for it meanwhile, and lies in its socket, is not to be read any more.
        os.kill(receiver, signal.SIGTERM)
        os.kill(receiver, signal.SIGCONT)
        await promote(connection)
    finally:
        connection.terminate()
    servers.replace_postgres(standby)
    scene.cluster.follow_postgres()
    shot.note = f"no primary for {time.time() - shot.at:.1f} s"
    await asyncio.sleep(1.5)
    return shot


FAULTS = (
    Fault(
        name="freeze_postgres",
        number="F14",
        text="PostgreSQL stands still with every process of it, and goes on",
        measure="first_commit",
        goal=5,
        inject=_freeze_postgres,
    ),
    Fault(
        name="fill_disk",
        number="F15",
        text="PostgreSQL's disk is full: no room for tables, then none for its log, at which it stops",
        measure="first_commit",
        goal=10,
        inject=_fill_disk,
        obstacle=lambda: _Mounts.obstacle,
    ),
    Fault(
        name="failover",
        number="F16",
        text="PostgreSQL is lost with its machine, and a synchronous standby takes its place",
        measure="first_commit",
        goal=10,
        inject=_fail_over,
        obstacle=needs_base_backup,
    ),
    Fault(
        name="failover_async",
        number="F16",
        text="PostgreSQL is lost with its machine, and a standby that it did not wait for takes its place",
        measure="first_commit",
        goal=10,
        inject=_fail_over_asynchronously,
        obstacle=needs_base_backup,
        loses=True,
    ),
)
