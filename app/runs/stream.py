"""Live streams (Server-Sent Events): of one run from its journal, of a workspace from its Redis stream.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from app.runs.schemas import RunEventView
from engine.infra import metrics
from engine.infra.pubsub import Subscriber
from engine.infra.redis import REDIS_ERRORS

STREAM_TYPE: Final = "text/event-stream"
STREAM_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
WATCHED: Final = "ff:watched"
WATCH_CHANNEL: Final = "ff:watch"
# A watched run is read from its journal at least this often, should Redis keep silent.
POLL_SECONDS: Final = 2.0
KEEP_ALIVE_SECONDS: Final = 15.0
WATCH_SECONDS: Final = 60.0
PAGE: Final = 500
_RUN_ENDS: Final = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"})
_STREAM_ID = re.compile(r"\d{1,20}-\d{1,20}")
_RETRY: Final = b"retry: 2000\n\n"
_KEEP_ALIVE: Final = b": alive\n\n"

ReadEvents = Callable[[UUID, int, int], Awaitable[Sequence[RunEventView]]]


class LiveStreams:
    """The open streams of one process. They end when the process drains, and clients come back elsewhere."""

    def __init__(self, redis: Redis, read_events: ReadEvents, draining: asyncio.Event) -> None:
        self._redis = redis
        self._read_events = read_events
        self._draining = draining

    async def follow_run(self, run_id: UUID, after: int) -> AsyncGenerator[bytes, None]:
        """Every event of the run with a seq above `after`, without a gap; hints of starts in between."""
        metrics.STREAM_CLIENTS.inc()
        watch = asyncio.create_task(self._keep_watching(run_id))
        hints: asyncio.Queue[bytes] = asyncio.Queue(1000)
        listener = asyncio.create_task(self._listen(f"ff:run:{run_id}", hints))
        try:
            yield _RETRY
            async for chunk in self._follow_journal(run_id, after, hints):
                yield chunk
        finally:
            metrics.STREAM_CLIENTS.dec()
            for task in (watch, listener):
                task.cancel()
            await asyncio.gather(watch, listener, return_exceptions=True)

    async def _follow_journal(self, run_id: UUID, seq: int, hints: asyncio.Queue[bytes]) -> AsyncGenerator[bytes, None]:
        spoken_at = time.monotonic()
        while not self._draining.is_set():
            events = await self._read_events(run_id, seq, PAGE)
            for event in events:
                seq = event.seq
                yield _frame(event.type, msgspec.json.encode(event), str(seq))
            if events:
                spoken_at = time.monotonic()
                if events[-1].type in _RUN_ENDS:
                    return
                if len(events) == PAGE:
                    continue
            elif time.monotonic() - spoken_at > KEEP_ALIVE_SECONDS:
                spoken_at = time.monotonic()
                yield _KEEP_ALIVE
            for hint in await self._wait(hints):
                yield _frame("step.started", hint, None)

    async def _wait(self, hints: asyncio.Queue[bytes]) -> list[bytes]:
        """Until something was published or it is time to look; hints of starts that came, events excluded."""
        draining = asyncio.create_task(self._draining.wait())
        first = asyncio.create_task(hints.get())
        try:
            await asyncio.wait({draining, first}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()
        came = [first.result()] if first.done() and not first.cancelled() else []
        first.cancel()
        while not hints.empty():
            came.append(hints.get_nowait())
        return [message for message in came if message.startswith(b'{"seq":null')]

    async def follow_workspace(self, workspace_id: UUID, last_id: str | None) -> AsyncGenerator[bytes, None]:
        """Run-level changes after `last_id`, else from now on; `reset` where that id is unknown or trimmed."""
        metrics.STREAM_CLIENTS.inc()
        key = f"ff:stream:{workspace_id}"
        position: str | None = None
        try:
            yield _RETRY
            while not self._draining.is_set():
                try:
                    if position is None:
                        position, is_known = await self._find_position(key, last_id)
                        if not is_known:
                            yield _frame("reset", b"{}", position)
                    entries = await self._redis.xread({key: position}, count=PAGE, block=int(POLL_SECONDS * 1000) // 2)
                    if not entries and not await self._is_known(key, position):
                        # Redis has lost its data: what was published meanwhile is unknown.
                        last_id, position = "0-0", None
                        continue
                except REDIS_ERRORS:
                    last_id, position = last_id or "0-0", None
                    await asyncio.sleep(1)
                    yield _KEEP_ALIVE
                    continue
                for stream_id, fields in _entries(entries):
                    position = last_id = stream_id
                    yield _frame(_event_type(fields), fields, stream_id)
                if not entries:
                    yield _KEEP_ALIVE
        finally:
            metrics.STREAM_CLIENTS.dec()

    async def _find_position(self, key: str, last_id: str | None) -> tuple[str, bool]:
        newest = await self._redis.xrevrange(key, count=1)
        end = _text(newest[0][0]) if newest else "0-0"
        if last_id is None:
            return end, True
        if _STREAM_ID.fullmatch(last_id) and await self._redis.xrange(key, last_id, last_id, count=1):
            return last_id, True
        return end, False

    async def _is_known(self, key: str, position: str) -> bool:
        return position == "0-0" or bool(await self._redis.xrange(key, position, "+", count=1))

    async def _keep_watching(self, run_id: UUID) -> None:
        """Let the workers know that somebody watches, for as long as somebody does."""
        while True:
            with contextlib.suppress(*REDIS_ERRORS):
                now = time.time()
                async with self._redis.pipeline(transaction=False) as pipe:
                    pipe.zadd(WATCHED, {str(run_id): now + WATCH_SECONDS})
                    pipe.zremrangebyscore(WATCHED, "-inf", now)
                    pipe.publish(WATCH_CHANNEL, str(run_id))
                    await pipe.execute()
            await asyncio.sleep(WATCH_SECONDS / 3)

    async def _listen(self, channel: str, hints: asyncio.Queue[bytes]) -> None:
        async with contextlib.aclosing(Subscriber(self._redis, [channel]).messages()) as messages:
            async for message in messages:
                with contextlib.suppress(asyncio.QueueFull):
                    hints.put_nowait(message.payload or b"")


def _frame(event: str, data: bytes, event_id: str | None) -> bytes:
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: ".encode() + data + b"\n\n"


def _entries(reply: Any) -> list[tuple[str, bytes]]:
    return [
        (_text(stream_id), fields.get(b"e") or fields.get("e") or b"{}")
        for _, entries in reply
        for stream_id, fields in entries
    ]


def _event_type(payload: bytes) -> str:
    return msgspec.json.decode(payload, type=_Typed).type


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Typed(msgspec.Struct):
    type: str
