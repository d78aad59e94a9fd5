"""Doorbells: arq jobs that carry run ids in batches. A bell may be lost or ring twice; PostgreSQL knows the truth."""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
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

# Older bells tell nothing: the sweep has found their runs long ago.
_LIFE_MS = 3_600_000
# A worker goes by the clock of Redis: this much may the clock of the one who rings be ahead of it.
_SKEW_MS = 1000
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


def add_bells(pipe: Pipeline, run_ids: Sequence[UUID], traceparent: str | None = None) -> None:
    """Add jobs of up to 100 ids each to a pipeline; `announce` has to follow."""
    now_ms = time.time_ns() // 1_000_000
    for ids in _pack(run_ids):
        _add_job(pipe, new_id().hex, ACTIVATE, (ids, traceparent), due_ms=now_ms - _SKEW_MS)


def add_wake(pipe: Pipeline, moment: datetime) -> bool:
    """Add a wake-up to a pipeline, once per second; whether it is so near that `announce` has to follow."""
    now_ms = time.time_ns() // 1_000_000
    second = math.ceil(moment.timestamp())
    _add_job(pipe, f"wake:{second}", SWEEP, (), due_ms=second * 1000)
    return second * 1000 - now_ms < _LOOK_SECONDS * 1000


def announce(pipe: Pipeline) -> None:
    """Wake the workers, after the jobs of the same pipeline."""
    pipe.publish(BELL_CHANNEL, b"")


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
