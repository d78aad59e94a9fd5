"""Bells in PostgreSQL: one tells the relay, after a commit, that there is something to publish.

A NOTIFY inside a writing transaction serialises the commits of the whole database, so it is sent afterwards, over a
connection of its own, and many rings become one. Where little happens there is nothing to serialise: a commit that
comes alone carries its NOTIFY, which spares it a round trip and two processes a wake-up. A ring may be lost: the relay
polls as well.
"""

import asyncio
import math
from time import monotonic

import asyncpg
import structlog

from engine.infra.backoff import Backoff
from engine.infra.database import DATABASE_ERRORS, connect
from engine.infra.settings import Settings

CHANNEL = "flowforge_outbox"
# Rung after events were held back: whoever releases them looks when the first of them is due.
HELD_CHANNEL = "flowforge_held"
_SECONDS = 2.0
# A process whose last ring is longer ago may ring within a transaction: at most 25 times a second.
_QUIET_SECONDS = 0.04
# For what nobody waits for: the relay reads it with its next turn, at the latest after so long.
LATER_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class OutboxBell:
    """Rung from anywhere in the event loop; `run` does the ringing. The outbox's, unless `channel` names another."""

    def __init__(self, settings: Settings, channel: str = CHANNEL) -> None:
        self._settings = settings
        self._notify_statement = f"NOTIFY {channel}"
        self._rung = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._rung_at = -math.inf
        # Until the relay says otherwise, somebody waits for everything.
        self.is_awaited = True
        self._later: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Have whoever listens look soon. Never blocks, never fails."""
        self._rung_at = monotonic()
        self._rung.set()

    def ring_later(self) -> None:
        """Ring in a while, unless the relay has a turn by then, which may have seen all that is committed by now."""
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER_SECONDS, self._ring_at_last)

    def note_turn(self, is_awaited: bool) -> None:
        """The relay has had a turn, and says whether anybody waits for events of runs."""
        self.is_awaited = is_awaited
        if self._later is None:
            return
        # The turn may have begun before the commit that is to be rung for: the next one has not.
        self._later.cancel()
        self._later = None
        if is_awaited:
            self.ring()
        else:
            self.ring_later()

    def _ring_at_last(self) -> None:
        self._later = None
        self.ring()

    def may_ring_within(self) -> bool:
        """Whether the next transaction may ring itself, as little has happened; this counts as a ring."""
        now = monotonic()
        is_quiet = now - self._rung_at > _QUIET_SECONDS
        self._rung_at = now
        return is_quiet

    async def ring_now(self) -> None:
        """Ring once before returning; what cannot be reached is left to polling."""
        try:
            await self._notify()
        except DATABASE_ERRORS as error:
            _log.warning("bell_not_rung", error=repr(error))

    def close(self) -> None:
        """Give the connection up; who rings now or runs opens another one."""
        self._disconnect()

    def _forget_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def run(self) -> None:
        """Ring until cancelled: at most one NOTIFY is under way, and another one follows what came meanwhile."""
        backoff = Backoff()
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                try:
                    await self._notify()
                    backoff.reset()
                except DATABASE_ERRORS as error:
                    _log.warning("bell_not_rung", error=repr(error))
                    self._disconnect()
                    # The ring still has to be heard.
                    self._rung.set()
                    await asyncio.sleep(backoff.pause())
        finally:
            self._forget_later()
            self._disconnect()

    async def _notify(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._settings, name="bell", synchronous_commit="off")
        await self._connection.execute(self._notify_statement, timeout=_SECONDS)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
