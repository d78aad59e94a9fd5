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

from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.auth.standing import Standing, Watched
from app.runs.hub import Hints, Hub
from app.runs.schemas import RunEventView
from engine.infra import metrics
from engine.infra.redis import REDIS_ERRORS

STREAM_TYPE: Final = "text/event-stream"
STREAM_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
WATCHED: Final = "ff:watched"
WATCH_CHANNEL: Final = "ff:watch"
# What is watched is read at least this often, should Redis keep silent.
POLL_SECONDS: Final = 2.0
KEEP_ALIVE_SECONDS: Final = 15.0
WATCH_SECONDS: Final = 60.0
PAGE: Final = 500
# What the relay trims a stream to, at the least.
STREAM_LENGTH: Final = 10_000
_RUN_ENDS: Final = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"})
_HINT_WITHOUT_SEQ: Final = b'{"seq":null'
_STREAM_ID = re.compile(r"\d{1,20}-\d{1,20}")
_BEGINNING: Final = "0-0"
_RETRY: Final = b"retry: 2000\n\n"
_KEEP_ALIVE: Final = b": alive\n\n"

ReadEvents = Callable[[UUID, int, int], Awaitable[Sequence[RunEventView]]]


class _Pulse:
    """Says when a silent stream has to show that it is alive."""

    def __init__(self) -> None:
        self._spoken_at = time.monotonic()

    def beat(self) -> None:
        self._spoken_at = time.monotonic()

    def is_due(self) -> bool:
        if time.monotonic() - self._spoken_at < KEEP_ALIVE_SECONDS:
            return False
        self.beat()
        return True


class LiveStreams:
    """The open streams of one process.

    They end when the process drains, and clients come back elsewhere; and for whoever may not read runs any more.
    """

    def __init__(
        self, redis: Redis, hub: Hub, read_events: ReadEvents, standing: Standing, draining: asyncio.Event
    ) -> None:
        self._redis = redis
        self._hub = hub
        self._standing = standing
        self._read_events = read_events
        self._draining = draining

    async def follow_run(self, principal: Principal, run_id: UUID, after: int) -> AsyncGenerator[bytes, None]:
        """Every event of the run with a seq above `after`, without a gap; hints of starts in between."""
        metrics.STREAM_CLIENTS.inc()
        watch = asyncio.create_task(self._keep_watching(run_id))
        try:
            with self._standing.watch(principal, Permission.RUNS_READ) as reader:
                async with self._hub.listen(f"ff:run:{run_id}", is_channel=True) as hints:
                    yield _RETRY
                    async for chunk in self._follow_journal(run_id, after, hints, reader):
                        yield chunk
        finally:
            metrics.STREAM_CLIENTS.dec()
            watch.cancel()

    async def _follow_journal(
        self, run_id: UUID, seq: int, hints: Hints, reader: Watched
    ) -> AsyncGenerator[bytes, None]:
        pulse = _Pulse()
        while not self._draining.is_set() and not reader.has_ended:
            events = await self._read_events(run_id, seq, PAGE)
            for event in events:
                seq = event.seq
                yield _frame(event.type, msgspec.json.encode(event), str(seq))
            if events:
                pulse.beat()
                if events[-1].type in _RUN_ENDS:
                    return
                if len(events) == PAGE:
                    continue
            elif pulse.is_due():
                yield _KEEP_ALIVE
            for payload in await hints.wait(POLL_SECONDS):
                if payload.startswith(_HINT_WITHOUT_SEQ):
                    yield _frame("step.started", payload, None)

    async def follow_workspace(self, principal: Principal, last_id: str | None) -> AsyncGenerator[bytes, None]:
        """Run-level changes after `last_id`, else from now on; `reset` where that id is unknown or trimmed."""
        metrics.STREAM_CLIENTS.inc()
        key = f"ff:stream:{principal.workspace_id}"
        try:
            with self._standing.watch(principal, Permission.RUNS_READ) as reader:
                async with self._hub.listen(key, is_channel=False) as hints:
                    async for chunk in self._follow_stream(key, last_id, hints, reader):
                        yield chunk
        finally:
            metrics.STREAM_CLIENTS.dec()

    async def _follow_stream(
        self, key: str, last_id: str | None, hints: Hints, reader: Watched
    ) -> AsyncGenerator[bytes, None]:
        pulse = _Pulse()
        position: str | None = None
        is_open = False
        while not self._draining.is_set() and not reader.has_ended:
            try:
                if position is None or not await self._is_known(key, position):
                    # At first, or when Redis has lost its data: what was published meanwhile is unknown.
                    position, is_known = await self._find_position(key, position or last_id)
                    if not is_known:
                        yield _frame("reset", b"{}", position)
                if not is_open:
                    # The id alone: whoever is cut off before the first event can resume as well.
                    is_open = True
                    yield _RETRY + f"id: {position}\n\n".encode()
                entries = await self._redis.xrange(key, f"({position}", "+", count=PAGE)
            except REDIS_ERRORS:
                # Whatever comes until Redis is back may be missed, so that the position has to be found again.
                last_id, position, entries = position or last_id or _BEGINNING, None, []
            for stream_id, fields in entries:
                position = _text(stream_id)
                payload = _payload(fields)
                yield _frame(_event_type(payload), payload, position)
            if entries:
                pulse.beat()
                if len(entries) == PAGE:
                    continue
            elif pulse.is_due():
                yield _KEEP_ALIVE
            await hints.wait(POLL_SECONDS)

    async def _find_position(self, key: str, last_id: str | None) -> tuple[str, bool]:
        """Where to go on reading, and whether nothing was missed before it."""
        newest = await self._redis.xrevrange(key, count=1)
        end = _text(newest[0][0]) if newest else _BEGINNING
        if last_id is None or last_id == end:
            return end, True
        if _STREAM_ID.fullmatch(last_id) and await self._is_known(key, last_id):
            return last_id, True
        return end, False

    async def _is_known(self, key: str, position: str) -> bool:
        """Whether the stream still reaches back to the position: not so once it is trimmed, or its data lost."""
        if position != _BEGINNING:
            return bool(await self._redis.xrange(key, position, position, count=1))
        return int(await self._redis.xlen(key)) < STREAM_LENGTH

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


def _frame(event: str, data: bytes, event_id: str | None) -> bytes:
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: ".encode() + data + b"\n\n"


def _payload(fields: dict[Any, Any]) -> bytes:
    payload: bytes = fields.get(b"e") or b"{}"
    return payload


class _Typed(msgspec.Struct):
    type: str


def _event_type(payload: bytes) -> str:
    return msgspec.json.decode(payload, type=_Typed).type


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
