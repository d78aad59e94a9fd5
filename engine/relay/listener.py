"""The relay's one connection: it holds the lock, hears the bell and carries the batches.

Because all three end with it, a relay that has lost its lock can neither delete a row nor believe that it still leads.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Self

import asyncpg

from engine.infra.bell import CHANNEL
from engine.infra.database import DATABASE_ERRORS, connect
from engine.infra.settings import Settings
from engine.relay.ears import Ears
from engine.store.leadership import try_lead
from engine.store.outbox import RELAY_LOCK

# A statement that takes longer counts as a lost connection.
ANSWER_SECONDS = 5.0

# A relay that is frozen, or whose host is gone, must give the lock up: it says something every second otherwise.
_SILENCE = {
    "idle_session_timeout": "10000",
    "idle_in_transaction_session_timeout": "10000",
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


class Session:
    """A session of PostgreSQL with an alarm that rings for a NOTIFY and for the session's end."""

    # Of the duty that it is for: what the one who leads holds, and where it is called.
    lock: ClassVar[int] = RELAY_LOCK
    channel: ClassVar[str] = CHANNEL
    # Whether the session of another duty may listen for it.
    is_guest: ClassVar[bool] = False

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.alarm = asyncio.Event()
        self.ears = Ears()
        # Told what a NOTIFY names, in the place of the alarm.
        self.on_named: Callable[[str], None] | None = None
        self._leads = False
        connection.add_termination_listener(self._on_end)

    @classmethod
    async def open(cls, settings: Settings, **server_settings: str) -> Self:
        """Connect; commits are not waited for on disk, as a lost one only publishes a batch again."""
        given = {**_SILENCE, "synchronous_commit": "off", **server_settings}
        return cls(await connect(settings, name="relay", **given))

    async def try_lead(self) -> bool:
        """Take the lock if it is free, and then hear the bell."""
        if not await try_lead(self.connection, self.lock, ANSWER_SECONDS):
            return False
        self._leads = True
        await self.ears.join(self, ANSWER_SECONDS)
        return True

    async def rest(self, seconds: float) -> bool:
        """Wait for the alarm for at most `seconds`; whether it rang, or it could not have been heard until now."""
        if self._leads and await self.ears.join(self, ANSWER_SECONDS):
            return True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        timer = loop.call_at(deadline, self.alarm.set)
        try:
            await self.alarm.wait()
        finally:
            timer.cancel()
        self.alarm.clear()
        return loop.time() < deadline

    async def close(self) -> None:
        """End the session, which frees the lock at once."""
        self.ears.leave(self)
        try:
            await self.connection.close(timeout=1)
        except DATABASE_ERRORS:
            self.connection.terminate()

    def ring(self, *told: Any) -> None:
        """Set the alarm off, for a NOTIFY (told with connection, pid, channel and payload) or for whoever calls."""
        payload = told[-1] if told else ""
        if payload and self.on_named is not None:
            self.on_named(payload)
        else:
            self.alarm.set()

    def _on_end(self, *_: Any) -> None:
        # Not only once whoever has the session notices.
        self._leads = False
        self.ears.leave(self)
        self.alarm.set()
