"""Doorbells: arq jobs that carry run ids in batches. A bell may be lost or ring twice; PostgreSQL knows the truth."""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from engine.infra.ids import new_id

QUEUE = "ff:queue"
BELL_CHANNEL = "ff:bell"
ACTIVATE = "activate"
SWEEP = "sweep"
MAX_IDS = 100

# Where a stream's followers hear of changes: without any, nobody waits for what runs tell of themselves.
CHANGES_CHANNEL = "ff:changes"
# What the relay says beside a bell: whether events of runs are waited for, or may come with its next turn.
AWAITED = b"awaited"
UNAWAITED = b"unawaited"

# Asked in the moment of the bell, as it is the first bell after a while that somebody may wait for. A worker that is
# alone gets the job with its bell: it need not ask for it, and finishes it later. Who may not ask Redis for listeners
# takes everything for awaited, and no worker for alone.
_ANNOUNCE_TURN = f"""
local function count(channel)
    local answer = redis.pcall('PUBSUB', 'NUMSUB', channel)
    return not answer.err and answer[2]
end
local awaited = ARGV[1] == '1' or count('{CHANGES_CHANNEL}') ~= 0
local word = awaited and '{AWAITED.decode()}' or '{UNAWAITED.decode()}'
local is_alone = ARGV[2] ~= '' and count('{BELL_CHANNEL}') == 1
redis.call('PUBLISH', '{BELL_CHANNEL}', is_alone and word .. ' ' .. ARGV[2] or word)
return awaited and 1 or 0
"""

# Older bells tell nothing: the sweep has found their runs long ago.
_LIFE_MS = 3_600_000
# A worker goes by the clock of Redis: this much may the clock of the one who rings be ahead of it.
SKEW_MS = 1000
# A worker looks at the queue at least as often, so a wake further away needs no bell.
_LOOK_SECONDS = 2.0
_ID_BYTES = 16

encode_job = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder().decode


class Doorbell:
    """Rings for runs that became runnable, over Redis alone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def ring(self, run_ids: Sequence[UUID], traceparent: str | None = None) -> None:
        """Announce runs to the workers in one round trip; raises the errors of `engine.infra.redis.REDIS_ERRORS`."""
        async with self._redis.pipeline(transaction=False) as pipe:
            add_bells(pipe, run_ids, traceparent)
            announce(pipe)
            await pipe.execute()

    async def ring_at(self, moment: datetime) -> None:
        """Have the workers look for due timers at the first full second that is not before `moment`."""
        async with self._redis.pipeline(transaction=False) as pipe:
            if add_wake(pipe, moment):
                announce(pipe)
            await pipe.execute()


class Job(NamedTuple):
    """A job in the queue, as a bell brings it; `score` is its place there."""

    job_id: bytes
    score: bytes
    ids: bytes
    traceparent: str | None = None


class Bell(NamedTuple):
    """What the relay says with a bell: whether events are awaited, and the job where a worker is alone."""

    is_awaited: bool
    job: Job | None


def add_bells(pipe: Pipeline, run_ids: Sequence[UUID], traceparent: str | None = None) -> list[Job]:
    """Add jobs of up to 100 ids each to a pipeline; `announce` has to follow."""
    due_ms = time.time_ns() // 1_000_000 - SKEW_MS
    jobs = []
    for ids in _pack(run_ids):
        job_id = new_id().hex
        _add_job(pipe, job_id, ACTIVATE, (ids, traceparent), due_ms=due_ms)
        jobs.append(Job(job_id.encode(), b"%d" % due_ms, ids, traceparent))
    return jobs


def add_wake(pipe: Pipeline, moment: datetime) -> bool:
    """Add a wake-up to a pipeline, once per second; whether it is so near that `announce` has to follow."""
    now_ms = time.time_ns() // 1_000_000
    second = math.ceil(moment.timestamp())
    _add_job(pipe, f"wake:{second}", SWEEP, (), due_ms=second * 1000)
    return second * 1000 - now_ms < _LOOK_SECONDS * 1000


def announce(pipe: Pipeline) -> None:
    """Wake the workers, after the jobs of the same pipeline."""
    pipe.publish(BELL_CHANNEL, b"")


def announce_turn(pipe: Pipeline, *, is_awaited: bool, job: Job | None = None) -> None:
    """Wake the workers likewise, and tell them whether the relay shall hear of events at once.

    `is_awaited`: it shall, also where nobody follows a stream. `job`: all that there is to claim, if it is one. The
    answer is 1 where they were told that it shall.
    """
    brought = b""
    if job is not None:
        brought = b" ".join((job.job_id, job.score, (job.traceparent or "-").encode(), job.ids))
    arguments: tuple[Any, ...] = (b"1" if is_awaited else b"0", brought)
    pipe.eval(_ANNOUNCE_TURN, 0, *arguments)


def read_bell(payload: bytes) -> Bell | None:
    """What the relay said; None for a bell of anybody else's, which says nothing."""
    word, *brought = payload.split(b" ", 4)
    if word not in (AWAITED, UNAWAITED):
        return None
    if len(brought) != len(Job._fields) or not brought[1].isdigit():
        # None, or one that another release tells of in another way: it is in the queue.
        return Bell(word == AWAITED, None)
    job_id, score, traceparent, ids = brought
    return Bell(
        word == AWAITED,
        Job(job_id, score, ids, None if traceparent == b"-" else traceparent.decode("ascii", "replace")),
    )


def unpack_ids(ids: bytes) -> list[UUID]:
    """The run ids of a job."""
    return [UUID(bytes=ids[start : start + _ID_BYTES]) for start in range(0, len(ids), _ID_BYTES)]


def _pack(run_ids: Sequence[UUID]) -> Iterator[bytes]:
    for start in range(0, len(run_ids), MAX_IDS):
        yield b"".join(run_id.bytes for run_id in run_ids[start : start + MAX_IDS])


def _add_job(pipe: Pipeline, job_id: str, function: str, arguments: tuple[Any, ...], *, due_ms: int) -> None:
    now_ms = time.time_ns() // 1_000_000
    # arq's own format, so that its tools and other workers read the queue; its enqueue_job takes three round trips.
    body = serialize_job(function, arguments, {}, None, now_ms, serializer=encode_job)
    pipe.psetex(job_key_prefix + job_id, max(0, due_ms - now_ms) + _LIFE_MS, body)
    pipe.zadd(QUEUE, {job_id: due_ms})
