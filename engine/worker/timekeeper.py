"""The timekeeper: one worker of all rings for suspended runs at the moment when they are due."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS
from engine.store.timers import look_at_timers, take_timekeeping

# A look is one index probe. Runs are suspended for longer than this, so that none is due before it is seen.
LOOK_SECONDS = 0.5
# Under a steady stream of due runs, this many seconds' worth are rung for together.
GATHER_SECONDS = 0.02
# More at once than the workers can take is of no use: they look for the rest by themselves as they get room.
MOST = 10_000
# A commit may show a moment that was before the last look.
OVERLAP = timedelta(seconds=1)

_log = structlog.get_logger()


class Timekeeper:
    """Keeps time where no other worker does; `announce` rings for runs that are due."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        announce: Callable[[Sequence[UUID]], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._announce = announce
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._rung: dict[UUID, datetime] = {}

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
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        while True:
            is_keeper = is_keeper or await take_timekeeping(connection)
            wait = await self._look(connection) if is_keeper else None
            await asyncio.sleep(LOOK_SECONDS if wait is None else max(GATHER_SECONDS, min(wait, LOOK_SECONDS)))

    async def _look(self, connection: asyncpg.Connection) -> float | None:
        """Ring for everything that has become due; seconds until the next one is."""
        after = self._looked_at - OVERLAP if self._looked_at.year > 1 else self._looked_at
        look = await look_at_timers(connection, after, MOST)
        answered_at = time.monotonic()
        self._looked_at = look.now
        fresh = [run_id for run_id, wake_at in look.due if self._rung.get(run_id) != wake_at]
        self._rung = dict(look.due)
        if fresh:
            metrics.TIMERS_FIRED.inc(len(fresh))
            metrics.TIMER_LATE_SECONDS.observe(max((look.now - look.due[0][1]).total_seconds(), 0.0))
            await self._announce(fresh)
        if look.next_at is None:
            return None
        # Ringing took its time.
        return (look.next_at - look.now).total_seconds() - (time.monotonic() - answered_at)
