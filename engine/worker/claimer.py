"""The claimer: takes announced runs in batches, as many as fit into memory, and sweeps for unannounced ones."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS
from engine.store.runs import ClaimedRun, claim_runs, find_runnable

BATCH = 500
RECONCILE_SECONDS = 10.0
# Above this many entries before the flusher, further runs would only wait in memory.
FLUSHER_LIMIT = 2000

_log = structlog.get_logger()


class Claimer:
    """Owns the worker's housekeeping connection: claims, sweeps and looks after other workers on it, in turn."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        worker_id: int,
        free_slots: Callable[[], int],
        take: Callable[[asyncpg.Connection, list[ClaimedRun]], Awaitable[None]],
        look_after: Callable[[asyncpg.Connection], Awaitable[int]],
        reconcile: Callable[[asyncpg.Connection], Awaitable[None]],
        on_reconnect: Callable[[], None],
        sweep_seconds: float,
    ) -> None:
        self._connect = connect
        self._worker_id = worker_id
        self._free_slots = free_slots
        self._take = take
        self._look_after = look_after
        self._reconcile = reconcile
        self._on_reconnect = on_reconnect
        self._sweep_seconds = sweep_seconds
        self._announced: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._must_sweep = True
        self._reconciled_at = time.monotonic()
        self._connection: asyncpg.Connection | None = None
        self._was_connected = False
        self.has_dropped = False

    def announce(self, run_ids: Iterable[UUID]) -> None:
        """These runs may be runnable. What does not fit is dropped: the sweep finds it when there is room."""
        if self._free_slots() > len(self._announced):
            self._announced.update(dict.fromkeys(run_ids))
            self._wake.set()
        else:
            self.has_dropped = True

    def sweep_soon(self) -> None:
        """Look for runnable runs without being told of any."""
        self._must_sweep = True
        self._wake.set()

    async def run(self) -> None:
        """Claim and sweep until cancelled."""
        sweeper = asyncio.create_task(self._tick())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._turn(await self._connected())
                except DATABASE_ERRORS as error:
                    _log.warning("claiming_interrupted", error=repr(error))
                    self._disconnect()
                    # A claim may have been made whose answer is lost.
                    self._reconciled_at = -RECONCILE_SECONDS
                    await asyncio.sleep(0.2)
                    self.sweep_soon()
        finally:
            sweeper.cancel()
            self._disconnect()

    async def _tick(self) -> None:
        while True:
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - it only keeps many workers from sweeping in step
            await asyncio.sleep(self._sweep_seconds * jitter)
            self.sweep_soon()

    async def _turn(self, connection: asyncpg.Connection) -> None:
        while self._announced and (room := self._free_slots()) > 0:
            run_ids = [self._announced.popitem()[0] for _ in range(min(BATCH, room, len(self._announced)))]
            await self._claim(connection, run_ids, room)
        self._announced.clear()
        if self._must_sweep:
            self._must_sweep = False
            self.has_dropped = False
            if await self._look_after(connection):
                # Whoever died may have owed others something.
                self._reconciled_at = -RECONCILE_SECONDS
            if time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
                await self._reconcile(connection)
                self._reconciled_at = time.monotonic()
            await self._sweep(connection)

    async def _sweep(self, connection: asyncpg.Connection) -> None:
        while (room := self._free_slots()) > 0:
            run_ids = await find_runnable(connection, min(BATCH, room))
            if not run_ids or not await self._claim(connection, run_ids, room):
                return
            metrics.RUNS_SWEPT.inc(len(run_ids))
            if len(run_ids) < min(BATCH, room):
                # What comes from now on is announced.
                return

    async def _claim(self, connection: asyncpg.Connection, run_ids: list[UUID], room: int) -> int:
        claimed = await claim_runs(connection, self._worker_id, run_ids, room)
        metrics.RUNS_CLAIMED.inc(len(claimed))
        if claimed:
            await self._take(connection, claimed)
        return len(claimed)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            if self._was_connected:
                self._on_reconnect()
            self._was_connected = True
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
