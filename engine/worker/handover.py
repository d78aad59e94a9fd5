"""Handing runs over at a stop: over as many connections as that takes, so that others need not wait for the lease."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog

from engine.infra.bell import OutboxBell
from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.store.leases import hand_back, hand_back_all
from engine.worker.driver import Driver

PAUSE_SECONDS = 0.1
LOOK_SECONDS = 0.02
PENDING_LOOK_SECONDS = 0.005

Result = TypeVar("Result")

_log = structlog.get_logger()


async def until_committed(driver: Driver) -> None:
    """Return once nothing of the driver is under way to the journal: only then another one may be told of the run."""
    while driver.pending_commits:  # noqa: ASYNC110 - a rare path; an event in every driver would cost every run
        await asyncio.sleep(PENDING_LOOK_SECONDS)


async def until_quiet(driver: Driver) -> None:
    """Return once nothing of the driver is under way to the journal, and it starts no runs any more."""
    while driver.child_starts:
        await asyncio.wait(driver.child_starts)
    await until_committed(driver)


class HandOver:
    """Frees a worker's runs for others. Each call may be repeated: what is free already stays so."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], worker_id: int, bell: OutboxBell) -> None:
        self._connect = connect
        self._worker_id = worker_id
        self._bell = bell
        self._connection: asyncpg.Connection | None = None

    async def hand_back_idle(self, drivers: Mapping[UUID, Driver], owned: set[UUID], seconds: float) -> None:
        """Free each run as soon as nothing of it is under way, until none is left or the time is up."""
        deadline = asyncio.get_running_loop().time() + seconds
        while drivers and asyncio.get_running_loop().time() < deadline:
            idle = [driver for driver in drivers.values() if driver.is_idle]
            for driver in idle:
                driver.close()
            if idle:
                run_ids = [driver.run.id for driver in idle]
                await self._insist(partial(hand_back, worker_id=self._worker_id, run_ids=run_ids))
                owned.difference_update(run_ids)
                self._bell.ring()
            await asyncio.sleep(LOOK_SECONDS)

    async def hand_back_all(self) -> int:
        """End the incarnation and free all that is left; how many runs that were."""
        freed = await self._insist(partial(hand_back_all, worker_id=self._worker_id))
        await self._bell.ring_now()
        return freed

    def close(self) -> None:
        """Give the connections up."""
        # The engine may have ended meanwhile, and its bell with it.
        self._bell.close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _insist(self, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                return await work(self._connection)
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise
                _log.warning("hand_over_retried", error=repr(error))
                self._disconnect()
                await asyncio.sleep(PAUSE_SECONDS)
