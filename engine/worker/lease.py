"""The worker's own lease: an incarnation row, a session lock, a heartbeat; and the database's time with it."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import asyncpg
import structlog

from engine.infra.clock import DatabaseClock
from engine.infra.database import DATABASE_ERRORS
from engine.store.leases import beat, hold_session_lock, register_worker
from engine.store.starts import read_clock
from engine.worker.flusher import WorkerFenced

# With less of the lease left than this, no effect may start: it could end after somebody else took over.
MARGIN_SECONDS = 1.0
# The clock is behind by as much as its quickest answer took: a first answer that was slow by itself would date the
# waits of a new worker early, and let them end before their time once the clock is right.
CLOCK_READINGS = 5

_log = structlog.get_logger()


class Lease:
    """Held by beating: `worker_id` is good until `ttl` seconds after the last beat."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        clock: DatabaseClock,
        *,
        beat_seconds: float,
        ttl_seconds: float,
        count_in_flight: Callable[[], Mapping[UUID, int]] = dict,
    ) -> None:
        """`count_in_flight`: how many attempts are under way, by workspace; told with every beat."""
        self._connect = connect
        self._count_in_flight = count_in_flight
        self._clock = clock
        self._beat_seconds = beat_seconds
        self._ttl_seconds = ttl_seconds
        self._beaten_at = 0.0
        self._fresh = asyncio.Event()
        self._hurry = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._is_locked = False
        self.worker_id = 0

    @property
    def is_fresh(self) -> bool:
        """Whether enough of the lease is left to start something."""
        return time.monotonic() - self._beaten_at < self._ttl_seconds - MARGIN_SECONDS

    async def acquire(self) -> None:
        """Make this incarnation; raises what connecting raises."""
        connection = self._connection = await self._connect()
        try:
            host, pid = socket.gethostname(), os.getpid()
            self.worker_id = await register_worker(connection, name="worker", host=host, pid=pid)
            self._is_locked = True
            await self._beat(connection)
            for _ in range(CLOCK_READINGS):
                self._clock.synchronise(await read_clock(connection))
        except BaseException:
            # Or its session lock would say that this incarnation lives.
            self._disconnect()
            raise

    async def hold(self) -> None:
        """Return at once while the lease is fresh, else wait until it is."""
        while not self.is_fresh:
            self._fresh.clear()
            await self._fresh.wait()

    async def run(self, on_beat: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        """Beat until cancelled; `on_beat` may use the connection after each. Raises WorkerFenced once declared dead."""
        while True:
            try:
                connection = await self._connected()
                # Slower than this is as good as lost: a new connection may be quicker.
                async with asyncio.timeout(self._ttl_seconds / 2):
                    if not self._is_locked:
                        # The session before may hold it until the server has noticed that it is gone.
                        self._is_locked = await hold_session_lock(connection, self.worker_id)
                    await self._beat(connection)
                    await on_beat(connection)
            except DATABASE_ERRORS as error:
                _log.warning("heartbeat_failed", error=repr(error))
                self._disconnect()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_seconds):
                    await self._hurry.wait()
            self._hurry.clear()

    def beat_now(self) -> None:
        """Beat without waiting for the next turn."""
        self._hurry.set()

    def close(self) -> None:
        """Give the connection up, and the session lock with it."""
        self._disconnect()

    async def _beat(self, connection: asyncpg.Connection) -> None:
        asked_at = time.monotonic()
        now = await beat(connection, self.worker_id, self._count_in_flight())
        if now is None:
            raise WorkerFenced
        self._beaten_at = asked_at
        self._clock.synchronise(now)
        self._fresh.set()

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            # Others take its absence for the first sign of death.
            self._is_locked = False
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
