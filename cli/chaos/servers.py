"""The PostgreSQL and the Redis of a chaos run: started, broken and started again beside a running event loop."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
from redis.asyncio import Redis

from cli.chaos.disk import SmallDisk
from cli.chaos.standby import copy_server, destroy
from cli.chaos.waiting import wait_until
from cli.servers.postgres import Postgres
from cli.servers.process import ServerError
from cli.servers.valkey import Valkey
from engine.infra.database import DATABASE_ERRORS

Result = TypeVar("Result")
# More than a chaos run ever writes; it takes as much memory as is written.
DISK_MIB = 2048
# Who looks after servers starts one anew that runs and for so long only says that it does not accept anybody yet.
STUCK_SECONDS = 10.0


class Servers:
    """Both servers. Their commits carry times, so that what was committed after what can be told for certain."""

    def __init__(self, folder: Path, *, has_small_disks: bool = False) -> None:
        """With small disks, each PostgreSQL has one of its own, which can be filled."""
        self._folder = folder
        self._has_small_disks = has_small_disks
        self._disks: dict[Path, SmallDisk] = {}
        self._replaced: list[Postgres] = []
        self.postgres = Postgres(folder / "postgres", sync=False, options=self._options)
        self.valkey = Valkey(folder / "redis")
        # One thread for all starts: the kernel ends a server together with the thread that started it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="servers")

    async def start(self) -> None:
        """Start both; PostgreSQL twice, as commit times are only recorded from a start on."""
        self._mount_disk(self.postgres.folder)
        await self.do(self.postgres.start)
        connection = await asyncpg.connect(self.postgres.url)
        try:
            await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        finally:
            await connection.close()
        await self.do(self.postgres.stop)
        await self.do(self.postgres.start)
        await self.do(self.valkey.start)

    async def stop(self) -> None:
        """Stop both, and keep nothing of disks but the servers' logs."""
        await self.do(self.valkey.stop)
        await self.do(self.postgres.stop)
        self._thread.shutdown()
        for folder, disk in self._disks.items():
            with contextlib.suppress(OSError):
                shutil.copy(folder / "server.log", self._folder / "logs" / f"{folder.name}.server.log")
            disk.unmount()

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do something that blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def restart_postgres(self, number: signal.Signals) -> None:
        """Shut PostgreSQL down by a signal (SIGINT: fast, SIGQUIT: immediate) and start it; returns when it is back."""
        await self.do(lambda: _end(self.postgres.pid, self.postgres.poll, number))
        await self.do(self.postgres.start)

    async def bring_back(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> bool:
        """Start PostgreSQL where it has stopped or does so only now; returns once it answers, and whether by itself.

        PostgreSQL 18 was seen to run on without the process that recovers it, where that one had found the disk full
        as soon as it began: it then refuses everybody until it is started anew.
        """

        async def does_answer() -> bool:
            with contextlib.suppress(ServerError, *DATABASE_ERRORS):
                if self.postgres.poll() is not None:
                    await self.do(self.postgres.start)
                (await connect()).terminate()
                return True
            return False

        if await wait_until(does_answer, seconds=STUCK_SECONDS):
            return True
        with contextlib.suppress(ServerError):
            await self.restart_postgres(signal.SIGQUIT)
        await wait_until(does_answer)
        return False

    @property
    def disk(self) -> SmallDisk:
        """The disk of PostgreSQL, where it has one of its own."""
        return self._disks[self.postgres.folder]

    async def add_standby(self) -> Postgres:
        """A standby of PostgreSQL, started and streaming."""
        folder = self._folder / f"postgres-{len(self._replaced) + 2}"
        self._mount_disk(folder)
        standby = await self.do(lambda: copy_server(self.postgres, folder, options=self._options))
        await self.do(standby.start)
        return standby

    async def lose_postgres(self) -> None:
        """Let PostgreSQL end as with its machine."""
        await self.do(lambda: destroy(self.postgres))

    def replace_postgres(self, standby: Postgres) -> None:
        """Take a promoted standby for PostgreSQL from now on."""
        self._replaced.append(self.postgres)
        self.postgres = standby

    @property
    def _options(self) -> Mapping[str, str]:
        # What lies on a small disk lies in memory.
        return {"max_wal_size": "256MB"} if self._has_small_disks else {}

    def _mount_disk(self, folder: Path) -> None:
        if self._has_small_disks:
            disk = self._disks[folder] = SmallDisk(folder, DISK_MIB)
            disk.mount()

    async def kill_redis(self) -> None:
        """Kill Redis and lose all that it held; it stays down."""
        await self.do(lambda: _end(self.valkey.pid, self.valkey.poll, signal.SIGKILL))
        shutil.rmtree(self.valkey.folder / "data", ignore_errors=True)

    async def start_redis(self) -> None:
        """Start Redis after `kill_redis`."""
        await self.do(self.valkey.start)

    def redis(self) -> Redis:
        """A client of Redis, not through any proxy."""
        client: Redis = Redis.from_url(self.valkey.url, socket_timeout=10)
        return client


def _end(pid: int, poll: Callable[[], int | None], number: signal.Signals) -> None:
    if not pid:
        return
    os.kill(pid, number)
    while poll() is None:
        time.sleep(0.01)
