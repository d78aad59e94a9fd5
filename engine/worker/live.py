"""Live step events for whoever watches a run: published after their commit, at most once, for watched runs only."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from engine.core.decisions import StartAttempt
from engine.infra import metrics
from engine.infra.clock import Clock
from engine.infra.pubsub import Subscriber
from engine.infra.redis import REDIS_ERRORS
from engine.worker.flusher import Entry

WATCHED = "ff:watched"
WATCH_CHANNEL = "ff:watch"
ANSWER_CHANNEL = "ff:answers"
QUEUE_LIMIT = 10_000


class LiveEvents:
    """Readers put the ids of runs into `ff:watched` (score: until when, in Unix seconds) and ring `ff:watch`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watched: dict[UUID, float] = {}
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(QUEUE_LIMIT)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish committed events, each as `{"seq": n, "event": {…}}`, and which of them answer a waiting caller."""
        for entry in entries:
            if entry.answer_seq is not None:
                self._put(ANSWER_CHANNEL, f"{entry.run_id}:{entry.answer_seq}".encode())
        if self._watched:
            for entry in entries:
                if entry.run_id in self._watched:
                    for row in entry.rows:
                        self._put(f"ff:run:{entry.run_id}", b'{"seq":%d,"event":%b}' % (row.seq, row.payload))

    def hint_started(self, run_id: UUID, start: StartAttempt, clock: Clock) -> None:
        """Publish that an attempt starts: a hint without a seq, for it stands in no journal."""
        if self._watched and run_id in self._watched:
            event = {"type": "step.started", "at": clock.now(), "step": start.step, "attempt": start.attempt}
            self._put(f"ff:run:{run_id}", msgspec.json.encode({"seq": None, "event": event}))

    async def run(self) -> None:
        """Follow who watches what, and publish, until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(self._follow())
            duties.create_task(self._send())

    def _put(self, channel: str, payload: bytes) -> None:
        try:
            self._queue.put_nowait((channel, payload))
        except asyncio.QueueFull:
            metrics.LIVE_EVENTS_DROPPED.inc()

    async def _follow(self) -> None:
        async with contextlib.aclosing(Subscriber(self._redis, [WATCH_CHANNEL]).messages()) as messages:
            async for _ in messages:
                with contextlib.suppress(*REDIS_ERRORS):
                    await self._refresh()

    async def _refresh(self) -> None:
        rows = await self._redis.zrangebyscore(WATCHED, time.time(), "+inf", withscores=True)
        self._watched = {
            UUID(member.decode() if isinstance(member, bytes) else member): score for member, score in rows
        }

    async def _send(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < 500:  # noqa: PLR2004 - one round trip's worth
                batch.append(self._queue.get_nowait())
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for channel, payload in batch:
                        pipe.publish(channel, payload)
                    await pipe.execute()
            except REDIS_ERRORS:
                metrics.LIVE_EVENTS_DROPPED.inc(len(batch))
