"""One Redis subscription for all live streams of a process: it only says that there is something to read."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from redis.asyncio import Redis

from engine.infra.broker import CHANGES_CHANNEL
from engine.infra.pubsub import Subscriber

HINTS: Final = 1000


class Hints:
    """What one reader hears: payloads of its channel, at most so many before it looks."""

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self._came = asyncio.Event()

    def put(self, payload: bytes) -> None:
        """Note a payload; the reader looks at its source anyway, so that a flood may be cut."""
        if len(self._payloads) < HINTS:
            self._payloads.append(payload)
        self._came.set()

    async def wait(self, seconds: float) -> list[bytes]:
        """What came, as soon as something has, or nothing after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._came.wait()
        self._came.clear()
        payloads, self._payloads = self._payloads, []
        return payloads


class Hub:
    """Hands what is published on a topic to everybody who listens to it.

    A topic is a run's channel, or the key of a workspace's stream, which is published on one channel for all. While
    nobody follows a stream that channel is not listened to: each run would wake every process twice.
    """

    def __init__(self, redis: Redis) -> None:
        self._subscriber = Subscriber(redis)
        # By topic, and by what is subscribed to for them.
        self._listeners: dict[str, set[Hints]] = {}
        self._topics: dict[str, set[str]] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        async with contextlib.aclosing(self._subscriber.messages()) as messages:
            async for message in messages:
                if message.payload is None:
                    # A subscription took effect: what was published before may have been missed.
                    self._tell_all(message.channel)
                elif message.channel == CHANGES_CHANNEL:
                    self._tell(message.payload.decode(), b"")
                else:
                    self._tell(message.channel, message.payload)

    @contextlib.asynccontextmanager
    async def listen(self, topic: str, *, is_channel: bool) -> AsyncGenerator[Hints, None]:
        """Hear of a topic; `is_channel`: it is a channel of its own."""
        hints = Hints()
        self._listeners.setdefault(topic, set()).add(hints)
        channel = topic if is_channel else CHANGES_CHANNEL
        is_first = channel not in self._topics
        self._topics.setdefault(channel, set()).add(topic)
        try:
            if is_first:
                await self._subscriber.subscribe(channel)
            yield hints
        finally:
            await self._leave(topic, channel, hints)

    async def _leave(self, topic: str, channel: str, hints: Hints) -> None:
        listeners, topics = self._listeners[topic], self._topics[channel]
        listeners.discard(hints)
        if not listeners:
            del self._listeners[topic]
            topics.discard(topic)
            if not topics:
                del self._topics[channel]
                await self._subscriber.unsubscribe(channel)

    def _tell(self, topic: str, payload: bytes) -> None:
        for hints in self._listeners.get(topic, ()):
            hints.put(payload)

    def _tell_all(self, channel: str) -> None:
        for topic, listeners in self._listeners.items():
            if channel in (topic, CHANGES_CHANNEL):
                for hints in listeners:
                    hints.put(b"")
