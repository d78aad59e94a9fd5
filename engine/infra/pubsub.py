"""Redis pub/sub that survives the loss of Redis and says when something may have been missed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.infra.backoff import Backoff
from engine.infra.redis import REDIS_ERRORS

# A connection that is silent for this long is asked for a sign of life, and given up after as long again.
_SILENCE_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Message(NamedTuple):
    """What was published on a channel, or the marker that a subscription takes effect.

    The marker has no payload; it comes at first and after each loss, when what was published before has to be read
    from its source.
    """

    channel: str
    payload: bytes | None


class Subscriber:
    """Yields the messages of channels and patterns for ever, over one connection of its own outside the pool."""

    def __init__(self, redis: Redis, channels: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._pool = redis.connection_pool
        self._channels = set(channels)
        self._patterns = set(patterns)
        self._connection: AbstractConnection | None = None

    async def subscribe(self, *channels: str) -> None:
        """Listen to more channels; each yields its marker once it takes effect. Never raises for want of Redis."""
        self._channels.update(channels)
        await self._send("SUBSCRIBE", *channels)

    async def unsubscribe(self, *channels: str) -> None:
        """Listen to these channels no longer."""
        self._channels.difference_update(channels)
        await self._send("UNSUBSCRIBE", *channels)

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Messages and markers; close the iterator (`contextlib.aclosing`) to give the connection up."""
        backoff = Backoff()
        try:
            while True:
                try:
                    async for message in self._session():
                        backoff.reset()
                        yield message
                except REDIS_ERRORS as error:
                    pause = backoff.pause()
                    _log.warning("subscription_lost", error=str(error), retry_in_seconds=round(pause, 2))
                    await self._disconnect()
                    await asyncio.sleep(pause)
        finally:
            await self._disconnect()

    async def _session(self) -> AsyncGenerator[Message, None]:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # untyped there
        await connection.connect()  # type: ignore[no-untyped-call]  # untyped there
        self._connection = connection
        if self._channels:
            await connection.send_command("SUBSCRIBE", *self._channels)
        if self._patterns:
            await connection.send_command("PSUBSCRIBE", *self._patterns)
        is_asked = False
        while True:
            reply = await connection.read_response(timeout=_SILENCE_SECONDS, disconnect_on_error=False)
            if reply is not None:
                is_asked = False
                message = _read(reply)
                if message is not None:
                    yield message
            elif is_asked:
                raise RedisConnectionError("the subscription's connection gives no sign of life")
            else:
                is_asked = True
                await connection.send_command("PING")

    async def _send(self, command: str, *channels: str) -> None:
        if self._connection is None or not channels:
            return
        # A failure shows in the reader too, which subscribes to everything again.
        with contextlib.suppress(*REDIS_ERRORS):
            await self._connection.send_command(command, *channels)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*REDIS_ERRORS):
                await connection.disconnect(nowait=True)


def _read(reply: list[Any]) -> Message | None:
    match reply:
        case [b"message", channel, payload]:
            return Message(channel.decode(), payload)
        case [b"pmessage", _pattern, channel, payload]:
            return Message(channel.decode(), payload)
        case [b"subscribe" | b"psubscribe", channel, _count]:
            return Message(channel.decode(), None)
    return None
