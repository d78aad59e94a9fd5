"""Rings for runs that the NOTIFY of their acceptance names, without reading their rows first.

Who rings is not kept waiting by a batch that is being published, and many lone runs share the turn that reads their
rows. Those rows ring no more. Only a hurry: where it fails, and where a NOTIFY is lost, they are read and ring as ever.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog

from engine.infra.metrics import RELAY_FAILURES
from engine.infra.redis import REDIS_ERRORS
from engine.relay.publisher import Publisher

# The rows of what was rung for are read by then, also where nobody waits for what they tell.
READ_WITHIN_SECONDS = 0.2
# A ring this long ago may have gone with whatever Redis has lost since: the row rings again.
HOLDS_SECONDS = 1.0
_REMEMBERED = 2000

_log = structlog.get_logger(__name__)


class Hurry:
    """What was named is rung for while `run` runs; `look` has the relay read its rows."""

    def __init__(self, publisher: Publisher, look: Callable[[], None], is_awaited: Callable[[], bool]) -> None:
        """`is_awaited`: whether anybody waits for events of runs, as far as the relay itself knows."""
        self._publisher = publisher
        self._look = look
        self._is_awaited = is_awaited
        # Not rung for yet, and being rung for now: with the row that is read meanwhile a ring of its own goes out.
        self._named: dict[UUID, str | None] = {}
        self._ringing: dict[UUID, str | None] = {}
        self._has_named = asyncio.Event()
        self._rung: dict[UUID, float] = {}
        # Whose rows were read a moment ago: the NOTIFY may be heard after that.
        self._read: dict[UUID, None] = {}
        self._later: asyncio.TimerHandle | None = None

    def name(self, payload: str) -> None:
        """Ring for the run of this NOTIFY soon: its id, and its trace behind a blank where it has one."""
        name, _, traceparent = payload.partition(" ")
        try:
            run_id = UUID(name)
        except ValueError:
            # Another release's way to name things: the rows tell.
            self._look()
            return
        if run_id not in self._read:
            self._named[run_id] = traceparent or None
            self._has_named.set()

    def note_reading(self) -> None:
        """Rows are read from now on, those of all that was rung for until now among them."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def take_rung(self, run_id: UUID) -> bool:
        """Whether it was rung for this run a moment ago. From now on its rows ring themselves."""
        self._named.pop(run_id, None)
        self._ringing.pop(run_id, None)
        self._read[run_id] = None
        _forget_oldest(self._read)
        return time.monotonic() - self._rung.pop(run_id, -math.inf) < HOLDS_SECONDS

    async def run(self) -> None:
        """Ring until cancelled; what is named meanwhile is rung for together."""
        try:
            while True:
                await self._has_named.wait()
                self._has_named.clear()
                self._ringing, self._named = self._named, {}
                if self._ringing:
                    await self._ring(dict(self._ringing))
        finally:
            self.note_reading()

    async def _ring(self, named: dict[UUID, str | None]) -> None:
        try:
            is_awaited = await self._publisher.ring_named(named, is_awaited=self._is_awaited())
        except REDIS_ERRORS:
            # Told in the log by the turn that follows.
            RELAY_FAILURES.labels("redis").inc()
            self._look()
            return
        except Exception:
            # A fault of ours: the rows are there all the same.
            RELAY_FAILURES.labels("relay").inc()
            _log.exception("hurry_failed")
            self._look()
            return
        self._rung |= dict.fromkeys(self._ringing, time.monotonic())
        _forget_oldest(self._rung)
        if is_awaited:
            self._look()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(READ_WITHIN_SECONDS, self._look_at_last)

    def _look_at_last(self) -> None:
        self._later = None
        self._look()


def _forget_oldest(known: dict[UUID, Any]) -> None:
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
