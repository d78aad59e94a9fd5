"""What the duties of one process hear of PostgreSQL, over as few sessions as may be.

A NOTIFY wakes every session of the database that listens, to whatever channel. While the relay leads in this process,
its session listens for the others as well: they are woken by what is for them, and not with each event.
"""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.relay.listener import Session


class Ears:
    """Who listens: the host for all of `channels`, or each guest for itself while there is no host."""

    def __init__(self, *channels: str) -> None:
        """`channels` of guests for which a host listens; to others they listen themselves."""
        self._channels = channels
        self._host: Session | None = None
        self._guests: dict[str, Session] = {}
        # Guests that listen themselves.
        self._own: set[Session] = set()

    async def join(self, session: "Session", seconds: float) -> bool:
        """Have the session hear its channel from now on; whether it has not heard it until now, and is to look again.

        Called again and again by the session's own task, as nobody else may use its connection.
        """
        if not session.is_guest:
            return self._host is not session and await self._receive(session, seconds)
        self._guests[session.channel] = session
        is_hosted = self._host is not None and session.channel in self._channels
        if is_hosted == (session not in self._own):
            return False
        async with asyncio.timeout(seconds):
            if is_hosted:
                await session.connection.remove_listener(session.channel, session.ring)
                self._own.discard(session)
            else:
                await session.connection.add_listener(session.channel, session.ring)
                self._own.add(session)
        return not is_hosted

    def leave(self, session: "Session") -> None:
        """Hear nothing more over this session; guests of a host look after themselves at once."""
        self._own.discard(session)
        if self._guests.get(session.channel) is session:
            del self._guests[session.channel]
        if self._host is session:
            self._host = None
            for guest in self._guests.values():
                guest.ring()

    async def _receive(self, host: "Session", seconds: float) -> bool:
        """Listen for all; guests hear twice until they have turned round once."""
        async with asyncio.timeout(seconds):
            await host.connection.add_listener(host.channel, host.ring)
            for channel in self._channels:
                await host.connection.add_listener(channel, self._ring_guest)
        self._host = host
        for guest in self._guests.values():
            guest.ring()
        return True

    def _ring_guest(self, _connection: Any, _pid: int, channel: str, _payload: str) -> None:
        if guest := self._guests.get(channel):
            guest.ring()
