"""From outbox rows to Redis: doorbells for workers, run events for readers, in one round trip a batch."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from engine.infra.broker import CHANGES_CHANNEL, Job, add_bells, add_wake, announce, announce_turn
from engine.infra.metrics import RELAY_PUBLISHED, RELAY_REFUSED
from engine.infra.telemetry import is_sampled
from engine.store.outbox import OutboxRow

STREAM_LENGTH = 10_000
INBOX_CHANNEL = "ff:inbox"

# One call for all events of a batch: a command each would cost ten times as much on our side. Tells which were refused
# because their key is of another kind; any other error (out of memory, read only) is the whole call's. Whoever follows
# a stream hears of it once a batch.
_ADD_EVENTS = f"""
local refused, changed = {{}}, {{}}
for i = 1, #ARGV, 2 do
  local answer = redis.pcall('XADD', ARGV[i], 'MAXLEN', '~', {STREAM_LENGTH}, '*', 'e', ARGV[i + 1])
  if type(answer) == 'table' and answer.err then
    if string.sub(answer.err, 1, 9) ~= 'WRONGTYPE' then return answer end
    refused[#refused + 1] = i
  end
  changed[ARGV[i]] = true
end
for stream in pairs(changed) do redis.call('PUBLISH', '{CHANGES_CHANNEL}', stream) end
return refused
"""

_log = structlog.get_logger(__name__)


class _Wake(Struct):
    at: datetime


_decode_wake = msgspec.json.Decoder(_Wake).decode


class Publisher:
    """Publishes batches of rows; what a row itself makes impossible is logged and passed over."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._published = {kind: RELAY_PUBLISHED.labels(kind) for kind in ("dispatch", "event", "wake", "inbox")}

    async def ring(self, run_ids: Sequence[UUID]) -> None:
        """Ring for runs without taking their rows; raises the errors of `engine.infra.redis.REDIS_ERRORS`."""
        async with self._redis.pipeline(transaction=False) as pipe:
            add_bells(pipe, run_ids)
            announce(pipe)
            await pipe.execute()

    async def ring_named(self, runs: Mapping[UUID, str | None], *, is_awaited: bool) -> bool:
        """Ring for runs, with their traces, whose rows are read later; whether anybody waits for events of runs.

        `is_awaited`: somebody does, as far as is known here. Raises as `publish`.
        """
        bells = _Bells()
        for run_id, traceparent in runs.items():
            bells.add(run_id, traceparent)
        async with self._redis.pipeline(transaction=False) as pipe:
            bells.write(pipe, is_awaited=is_awaited)
            answers = await pipe.execute()
        return bool(answers[-1])

    async def publish(
        self, rows: Sequence[OutboxRow], *, is_awaited: bool = True, take_rung: Callable[[UUID], bool] | None = None
    ) -> None:
        """Publish rows in their order, at least once. `is_awaited`: events are, whether or not a stream is followed.

        `take_rung`: whether a dispatched run needs no bell, as it was rung for before. Raises the errors of
        `engine.infra.redis.REDIS_ERRORS` where Redis cannot take them now.
        """
        batch = _Batch(rows, take_rung or _never)
        async with self._redis.pipeline(transaction=False) as pipe:
            batch.write(pipe, is_awaited=is_awaited)
            answers = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not str(answer).startswith("WRONGTYPE"):
                raise answer
        if batch.events:
            for position in answers[0]:
                _refuse(batch.events[position // 2], "its stream is a key of another kind")
        for kind, count in Counter(row.kind for row in rows).items():
            (self._published.get(kind) or RELAY_PUBLISHED.labels("other")).inc(count)


class _Bells:
    """Runs to ring for. A sampled trace is worth a job of its own, which carries it; the others travel together."""

    def __init__(self) -> None:
        self._runs: dict[str | None, dict[UUID, str | None]] = {}

    def add(self, run_id: UUID, traceparent: str | None) -> None:
        """Ring for this run as well."""
        sampled = traceparent if traceparent and is_sampled(traceparent) else None
        self._runs.setdefault(sampled, {})[run_id] = traceparent

    def write(self, pipe: Pipeline, *, is_awaited: bool, must_look: bool = False) -> None:
        """Add the jobs, and wake the workers once for all; `must_look`: also without a job."""
        jobs: list[Job] = []
        for sampled, runs in self._runs.items():
            # A run that came alone shares its job with no other trace.
            own = sampled or (next(iter(runs.values())) if len(runs) == 1 else None)
            jobs += add_bells(pipe, list(runs), own)
        if jobs or must_look:
            only = jobs[0] if len(jobs) == 1 and not must_look else None
            announce_turn(pipe, is_awaited=is_awaited, job=only)


class _Batch:
    """Rows sorted by what they make Redis do."""

    def __init__(self, rows: Sequence[OutboxRow], take_rung: Callable[[UUID], bool]) -> None:
        self.events: list[OutboxRow] = []
        self._take_rung = take_rung
        self._inbox: list[UUID] = []
        self._wakes: set[datetime] = set()
        self._bells = _Bells()
        for row in rows:
            self._add(row)

    def _add(self, row: OutboxRow) -> None:
        if row.kind == "wake":
            self._add_wake(row)
            return
        if row.kind in {"event", "dispatch"} and row.payload:
            self.events.append(row)
        if row.kind == "inbox":
            self._inbox.append(row.run_id)
        # An unknown kind was written by a newer release: to look at the run is always right.
        if row.kind != "event" and not (row.kind == "dispatch" and self._take_rung(row.run_id)):
            self._bells.add(row.run_id, row.traceparent)

    def _add_wake(self, row: OutboxRow) -> None:
        try:
            self._wakes.add(_decode_wake(row.payload).at)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _refuse(row, str(error))

    def write(self, pipe: Pipeline, *, is_awaited: bool) -> None:
        """Put the batch into a pipeline; the events' call comes first."""
        if self.events:
            pipe.eval(_ADD_EVENTS, 0, *self._stream_entries())
        for run_id in self._inbox:
            pipe.publish(INBOX_CHANNEL, str(run_id))
        must_look = False
        for moment in self._wakes:
            must_look |= add_wake(pipe, moment)
        self._bells.write(pipe, is_awaited=is_awaited, must_look=must_look)

    def _stream_entries(self) -> Iterator[Any]:
        streams: dict[UUID, str] = {}
        for row in self.events:
            stream = streams.get(row.workspace_id)
            if stream is None:
                stream = streams[row.workspace_id] = f"ff:stream:{row.workspace_id}"
            yield stream
            yield row.payload


def _never(_run_id: UUID) -> bool:
    return False


def _refuse(row: OutboxRow, why: str) -> None:
    RELAY_REFUSED.labels(row.kind).inc()
    _log.error("outbox_row_refused", kind=row.kind, run_id=str(row.run_id), error=why)
