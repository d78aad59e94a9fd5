"""The timekeeper: one worker of all releases suspended runs at the moment when they are due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS
from engine.store.timers import next_wake, release_due, take_timekeeping

# A look is one index probe. Runs are suspended for longer than this, so that none is due before it is seen.
LOOK_SECONDS = 0.5
# Under a steady stream of due runs, this many seconds' worth are released together.
GATHER_SECONDS = 0.02
BATCH = 2000

_log = structlog.get_logger()


class Timekeeper:
    """Keeps time where no other worker does; `announce` rings for the released runs."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        announce: Callable[[Sequence[UUID]], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._announce = announce

    async def run(self) -> None:
        """Keep time until cancelled, over any number of connections."""
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                await self._keep(connection)
            except DATABASE_ERRORS as error:
                _log.warning("timekeeping_interrupted", error=repr(error))
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(LOOK_SECONDS)

    async def _keep(self, connection: asyncpg.Connection) -> None:
        is_keeper = False
        while True:
            is_keeper = is_keeper or await take_timekeeping(connection)
            wait = await self._release(connection) if is_keeper else None
            await asyncio.sleep(LOOK_SECONDS if wait is None else max(GATHER_SECONDS, min(wait, LOOK_SECONDS)))

    async def _release(self, connection: asyncpg.Connection) -> float | None:
        """Release everything that is due; seconds until the next one is."""
        while (wait := await next_wake(connection)) is not None and wait <= 0:
            run_ids = await release_due(connection, BATCH)
            if not run_ids:
                return None
            metrics.TIMERS_FIRED.inc(len(run_ids))
            metrics.TIMER_LATE_SECONDS.observe(-wait)
            await self._announce(run_ids)
        return wait
