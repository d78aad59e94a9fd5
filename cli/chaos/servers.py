"""The PostgreSQL and the Redis of a chaos run: started, broken and started again beside a running event loop."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
from redis.asyncio import Redis

from cli.servers.postgres import Postgres
from cli.servers.valkey import Valkey

Result = TypeVar("Result")


class Servers:
    """Both servers. Their commits carry times, so that what was committed after what can be told for certain."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(folder / "postgres", sync=False)
        self.valkey = Valkey(folder / "redis")
        # One thread for all starts: the kernel ends a server together with the thread that started it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="servers")

    async def start(self) -> None:
        """Start both; PostgreSQL twice, as commit times are only recorded from a start on."""
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
        """Stop both."""
        await self.do(self.valkey.stop)
        await self.do(self.postgres.stop)
        self._thread.shutdown()

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do something that blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def restart_postgres(self, number: signal.Signals) -> None:
        """Shut PostgreSQL down by a signal (SIGINT: fast, SIGQUIT: immediate) and start it; returns when it is back."""
        await self.do(lambda: _end(self.postgres.pid, self.postgres.poll, number))
        await self.do(self.postgres.start)

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
