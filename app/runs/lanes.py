"""A lane of what waits to be made durable: what is there at the same time commits together.

What waits is bounded. Workspaces are served in turn, and one that floods is told to come back while others are not.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from app.errors import ApiError, Busy, DatabaseUnavailable
from app.outages import as_outage
from engine.infra import metrics
from engine.infra.bell import OutboxBell
from engine.infra.clock import DatabaseClock
from engine.infra.database import DATABASE_ERRORS, connect_within
from engine.infra.fair_queue import FairQueue
from engine.infra.settings import Settings
from engine.infra.shares import Shares
from engine.store.keeping import Kept, keep_events
from engine.store.starts import Accepted, Start, accept_starts, find_accepted, read_clock

MAX_BATCH = 200
MAX_WAITING = 2000
MAX_WAIT_SECONDS = 1.0
# How long a start may wait for a database that went away, before its caller is told to come back.
OUTAGE_SECONDS = 3.0
# A commit that takes longer has no answer to come; whether it was made, the same start tells when it comes again.
ANSWER_SECONDS = 30.0
SYNCHRONISE_SECONDS = 10.0

# Tells of a batch, in its order, what is refused before it is written.
Refuse = Callable[[asyncpg.Connection, Sequence[Start | Kept]], Awaitable[list[ApiError | None]]]

_log = structlog.get_logger()


class Waiting(NamedTuple):
    """What waits for its commit, since when, and who waits for it."""

    start: Start | Kept
    since: float
    future: asyncio.Future[Accepted]


class Lane:
    """One writer over a connection of its own, one statement a batch, no timer: while one commits, the next gathers."""

    def __init__(
        self,
        settings: Settings,
        clock: DatabaseClock,
        name: str,
        *,
        tell: Callable[[list[Accepted]], None],
        bell: OutboxBell,
        refuse: Refuse | None = None,
    ) -> None:
        """`name` is the connection's; `tell` is called with what each commit made, `bell` rung for runs."""
        self._settings = settings
        self._clock = clock
        self._name = name
        self._tell = tell
        self._bell = bell
        self._refuse = refuse
        self.queue: FairQueue[Waiting] = FairQueue()
        self._places = Shares(MAX_WAITING)
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._synchronised_at = 0.0

    async def accept(self, start: Start | Kept) -> Accepted:
        """Make a start, or an event without a run, durable.

        Raises Busy where too much of its workspace waits, or too long; DatabaseUnavailable.
        """
        now, workspace = time.monotonic(), start.workspace_id.int
        first = self.queue.first(workspace)
        if not self._places.may_take(workspace) or (first is not None and now - first.since > MAX_WAIT_SECONDS):
            raise Busy
        waiting = Waiting(start, now, asyncio.get_running_loop().create_future())
        self._places.take(workspace)
        self.queue.push(workspace, waiting)
        self._wake.set()
        return await waiting.future

    async def run(self, *, connects_first: bool) -> None:
        """Commit until cancelled."""
        try:
            if connects_first:
                # Not with the first start only, which would then be dated by this machine's own clock.
                with contextlib.suppress(*DATABASE_ERRORS):
                    await self._connected()
            while True:
                await self._wake.wait()
                if batch := await self._admit(self.gather()):
                    # Each kind is a commit of its own: what is written of one must not hang on the other.
                    for kind in (Start, Kept):
                        if alike := [waiting for waiting in batch if isinstance(waiting.start, kind)]:
                            await self._settle(alike)
                if not self.queue:
                    self._wake.clear()
                    await self._synchronise()
        finally:
            for waiting in self.queue:
                _refuse(waiting, DatabaseUnavailable())
            self._disconnect()

    def gather(self) -> list[Waiting]:
        """Take the next batch out of the queue, workspaces in turn."""
        batch: list[Waiting] = []
        while self.queue and len(batch) < MAX_BATCH:
            workspace, waiting = self.queue.pop()
            self._places.give_back(workspace)
            batch.append(waiting)
        return batch

    async def _admit(self, batch: list[Waiting]) -> list[Waiting]:
        """Those of a batch that are to be written; the others have their answer."""
        if self._refuse is None or not batch:
            return batch
        try:
            errors = await self._refuse(await self._connected(), [waiting.start for waiting in batch])
        except DATABASE_ERRORS:
            # Whether the database is away is for the writing to find out.
            self._disconnect()
            return batch
        except Exception:
            # A fault of ours must neither end this lane, and the other with it, nor cost anybody an event.
            _log.exception("admission_failed", lane=self._name)
            self._disconnect()
            return batch
        for waiting, error in zip(batch, errors, strict=True):
            if error is not None:
                _refuse(waiting, error)
        return [waiting for waiting, error in zip(batch, errors, strict=True) if error is None]

    async def _synchronise(self) -> None:
        """Keep the database's time, so that a wrong clock of this machine dates no run; after answers, not before."""
        now = time.monotonic()
        if now - self._synchronised_at > SYNCHRONISE_SECONDS and self._connection is not None:
            self._synchronised_at = now
            try:
                self._clock.synchronise(await read_clock(self._connection))
            except DATABASE_ERRORS:
                self._disconnect()

    async def _settle(self, batch: list[Waiting]) -> None:
        try:
            outcomes = await self._write([waiting.start for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and as_outage(error) is None:
                # One of them cannot be stored: it must not sink the others.
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
            for waiting in batch:
                _refuse(waiting, as_outage(error) or error)
            return
        metrics.INGEST_BATCH_ROWS.observe(len(batch))
        self._tell(outcomes)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(outcome)

    async def _write(self, batch: list[Start | Kept]) -> list[Accepted]:
        """Write what is all of one kind; after a lost answer, look whether it was written before writing it again."""
        starts = [item for item in batch if isinstance(item, Start)]
        kept = [item for item in batch if isinstance(item, Kept)]
        give_up_at = time.monotonic() + OUTAGE_SECONDS
        in_doubt = False
        while True:
            try:
                connection = await self._connected()
                if kept:
                    return await keep_events(connection, kept)
                found = await find_accepted(connection, [start.run_id for start in starts]) if in_doubt else set()
                if found:
                    return await self._complete(connection, starts, found)
                return await self._accept(connection, starts)
            except asyncpg.UniqueViolationError:
                if not in_doubt:
                    raise
            except DATABASE_ERRORS as error:
                is_outage = as_outage(error) is not None
                if is_outage:
                    # Also where it is given up: the next batch would wait for an answer on it as long again.
                    self._disconnect()
                if not is_outage or time.monotonic() > give_up_at:
                    raise
                _log.warning("acceptance_retried", error=repr(error))
                in_doubt = True
                await asyncio.sleep(0.1)

    async def _accept(self, connection: asyncpg.Connection, starts: list[Start]) -> list[Accepted]:
        rings = self._bell.may_ring_within()
        outcomes = await accept_starts(connection, starts, rings=rings)
        if not rings and any(outcome.outcome == "started" for outcome in outcomes):
            self._bell.ring()
        return outcomes

    async def _complete(self, connection: asyncpg.Connection, starts: list[Start], found: set[UUID]) -> list[Accepted]:
        """The first try committed: its new runs exist, and the others were repeats, which can be asked again."""
        rest = [start for start in starts if start.run_id not in found]
        again = {
            start.run_id: outcome for start, outcome in zip(rest, await accept_starts(connection, rest), strict=True)
        }
        self._bell.ring()
        return [again.get(start.run_id) or Accepted(run_id=start.run_id) for start in starts]

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect_within(self._settings, ANSWER_SECONDS, name=self._name)
            self._clock.synchronise(await read_clock(self._connection))
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _refuse(waiting: Waiting, error: BaseException) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
