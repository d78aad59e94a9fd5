"""The workers' side of the doorbells: an arq Worker that claims by one script call and sleeps until it is woken.

Stock arq polls, and its polls cost round trips for every job that waits or runs. Here a call of one script finishes
the jobs that are done and claims as many due ones as there are free slots. A claimed job stays in the queue, due again
when its lease ends, so that a killed worker's jobs come back by themselves.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import SerializationError, deserialize_job_raw
from arq.worker import Worker, func
from redis.asyncio import Redis

from engine.infra.backoff import Backoff
from engine.infra.broker import (
    ACTIVATE,
    BELL_CHANNEL,
    QUEUE,
    SKEW_MS,
    SWEEP,
    Job,
    decode_job,
    encode_job,
    read_bell,
    unpack_ids,
)
from engine.infra.metrics import BELL_SECONDS, BELLS
from engine.infra.pubsub import Subscriber
from engine.infra.redis import REDIS_ERRORS, create_arq_redis
from engine.infra.settings import Settings

Activate = Callable[[list[UUID], str | None], Awaitable[None]]
Sweep = Callable[[], Awaitable[None]]
# The relay has had a turn, or has one within 0.2 s, which no further ring puts off: whether events of runs are awaited.
OnTurn = Callable[[bool], None]

MAX_JOBS = 100
POLL_SECONDS = 1.0
JOB_SECONDS = 10
# Longer than any job may run, so that no second worker takes a job that is still going on.
LEASE_MS = 15_000
_HEALTH_SECONDS = 5
# What is done is taken out of the queue with the next claim, or after so long: until its lease ends nobody else minds.
TIDY_SECONDS = 0.2

# Finishes only what still has the lease it was claimed with: a job rung again meanwhile has another score and stays.
_CLAIM = """
local queue, job, progress = KEYS[1], ARGV[3], ARGV[4]
for i = 5, #ARGV, 2 do
  local id, lease = ARGV[i], ARGV[i + 1]
  if redis.call('ZSCORE', queue, id) == lease then
    redis.call('ZREM', queue, id)
    redis.call('DEL', job .. id, progress .. id)
  elseif redis.call('GET', progress .. id) == lease then
    redis.call('DEL', progress .. id)
  end
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local lease = string.format('%.0f', now + ARGV[2])
local claimed = {}
if tonumber(ARGV[1]) > 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, ARGV[1])) do
    local body = redis.call('GET', job .. id)
    if body then
      redis.call('ZADD', queue, lease, id)
      redis.call('SET', progress .. id, lease, 'PX', ARGV[2])
      claimed[#claimed + 1] = {id, lease, body}
    else
      redis.call('ZREM', queue, id)
      redis.call('DEL', progress .. id)
    end
  end
end
local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
return {first[2] and math.max(0, first[2] - now) or -1, claimed}
"""

_log = structlog.get_logger(__name__)


class BellWorker:
    """Hands rung runs to `activate` and wake-ups to `sweep`; both return at once. Made inside a running loop.

    `on_turn` hears what the relay says beside its bells.
    """

    def __init__(self, settings: Settings, *, activate: Activate, sweep: Sweep, on_turn: OnTurn | None = None) -> None:
        self._worker = ClaimingWorker(settings, activate=activate, sweep=sweep, on_turn=on_turn)

    async def run(self) -> None:
        """Answer bells until `stop`; without Redis it waits for it, and never raises for want of it."""
        try:
            await self._worker.async_run()
        finally:
            await self._worker.pool.aclose()

    def stop(self) -> None:
        """Take no further bell; `run` returns when those in hand are answered."""
        self._worker.stop()


class _Claimed(NamedTuple):
    job_id: bytes
    lease: bytes
    body: bytes


class ClaimingWorker(Worker):
    """Arq's Worker with another main loop: `main` is overridden, functions, counters and health record are arq's."""

    def __init__(self, settings: Settings, *, activate: Activate, sweep: Sweep, on_turn: OnTurn | None = None) -> None:
        self._activate = activate
        self._sweep = sweep
        self._on_turn = on_turn
        super().__init__(
            functions=[func(self._answer, name=ACTIVATE), func(self._answer_wake, name=SWEEP)],
            queue_name=QUEUE,
            redis_pool=create_arq_redis(settings),
            handle_signals=False,
            max_jobs=MAX_JOBS,
            job_timeout=JOB_SECONDS,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            health_check_interval=_HEALTH_SECONDS,
            job_serializer=encode_job,
            job_deserializer=decode_job,
            log_results=False,
        )
        self._claim = self.pool.register_script(_CLAIM)
        self._finished: list[_Claimed] = []
        self._wake = asyncio.Event()
        self._tidying: asyncio.TimerHandle | None = None
        # Whether jobs were left in the queue for want of a free slot.
        self._is_full = False
        self._outcomes = {
            (function, outcome): BELLS.labels(function, outcome)
            for function in (ACTIVATE, SWEEP)
            for outcome in ("answered", "failed")
        }

    def stop(self) -> None:
        """Take no further job; `main` ends when the running ones have."""
        self.allow_pick_jobs = False
        self._wake.set()

    async def main(self) -> None:
        """Claim, run and finish jobs until stopped."""
        listener = self.loop.create_task(self._listen(self.pool))
        backoff = Backoff(0.1, 1.0)
        try:
            while self.allow_pick_jobs or self.tasks:
                self._wake.clear()
                try:
                    pause = await self._turn()
                    backoff.reset()
                except REDIS_ERRORS as error:
                    pause = backoff.pause()
                    _log.warning("bells_unreachable", error=str(error), retry_in_seconds=round(pause, 2))
                    await self._sleep(pause)
                    continue
                if pause > 0:
                    await self._sleep(pause)
            with contextlib.suppress(*REDIS_ERRORS):
                await self._turn()
        finally:
            listener.cancel()
            for task in self.tasks.values():
                task.cancel()
            await asyncio.gather(listener, *self.tasks.values(), return_exceptions=True)

    async def _listen(self, redis: Redis) -> None:
        async with contextlib.aclosing(Subscriber(redis, [BELL_CHANNEL]).messages()) as messages:
            async for message in messages:
                bell = read_bell(message.payload or b"")
                if bell is not None and self._on_turn is not None:
                    self._on_turn(bell.is_awaited)
                if bell is None or bell.job is None or not await self._answer_at_once(bell.job):
                    self._wake.set()

    async def _answer_at_once(self, job: Job) -> bool:
        """Answer a job that came with its bell; whether that was done, so that it is finished with the next turn."""
        if not self.allow_pick_jobs:
            return False
        try:
            async with asyncio.timeout(self.job_timeout_s):
                await self._activate(unpack_ids(job.ids), job.traceparent)
        except Exception:
            # It is still in the queue, and will be told of when it is claimed.
            _log.exception("bell_failed", function=ACTIVATE)
            return False
        BELL_SECONDS.observe(max(0.0, time.time() - (int(job.score) + SKEW_MS) / 1000))
        self.jobs_complete += 1
        self._outcomes[ACTIVATE, "answered"].inc()
        # While nobody has claimed it, its place in the queue is as good as a lease.
        self._finished.append(_Claimed(job.job_id, job.score, b""))
        self._tidy_later()
        return True

    def _tidy_later(self) -> None:
        if self._tidying is None:
            self._tidying = self.loop.call_later(TIDY_SECONDS, self._wake.set)

    async def _sleep(self, seconds: float) -> None:
        timer = self.loop.call_later(seconds, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    async def _turn(self) -> float:
        """Finish what is done, start what is due; the seconds after which to look again if nobody wakes us."""
        finished, self._finished = self._finished, []
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        free = self.max_jobs - len(self.tasks) if self.allow_pick_jobs else 0
        arguments: list[Any] = [free, LEASE_MS, job_key_prefix, in_progress_key_prefix]
        for job in finished:
            arguments += (job.job_id, job.lease)
        try:
            next_in_ms, claimed = await self._claim(keys=[QUEUE], args=arguments)
        except BaseException:
            # Finishing twice does no harm. What Redis forgot while it was away is finished as well.
            self._finished += finished
            raise
        for job in claimed:
            self._start(_Claimed(*job))
        await self.record_health()
        self._is_full = free <= len(claimed)
        if self._is_full or next_in_ms < 0:
            return POLL_SECONDS
        return min(POLL_SECONDS, float(next_in_ms) / 1000)

    def _start(self, job: _Claimed) -> None:
        # The lease makes the name unique: a job that is rung again while it runs is a second task.
        name = f"{job.job_id.decode()}@{job.lease.decode()}"
        task = self.loop.create_task(self._run(job))
        self.tasks[name] = task
        task.add_done_callback(lambda _: self._end(name, job))

    def _end(self, name: str, job: _Claimed) -> None:
        # An interrupted job is not finished: its lease ends and somebody else gets it.
        if not self.tasks.pop(name).cancelled():
            self._finished.append(job)
        if self._is_full or not self.allow_pick_jobs:
            self._wake.set()
        else:
            self._tidy_later()

    async def _run(self, job: _Claimed) -> None:
        try:
            name, arguments, options, _try, rung_ms = deserialize_job_raw(job.body, deserializer=decode_job)
            function = self.functions[name]
        except (SerializationError, KeyError) as error:
            self.jobs_failed += 1
            _log.error("bell_unreadable", job_id=job.job_id.decode(errors="replace"), error=repr(error))
            return
        try:
            async with asyncio.timeout(self.job_timeout_s):
                await function.coroutine({**self.ctx, "rung_ms": rung_ms}, *arguments, **options)
        except Exception:
            self.jobs_failed += 1
            self._outcomes[name, "failed"].inc()
            _log.exception("bell_failed", function=name)
        else:
            self.jobs_complete += 1
            self._outcomes[name, "answered"].inc()

    async def _answer(self, ctx: dict[str, Any], ids: bytes, traceparent: str | None = None) -> None:
        BELL_SECONDS.observe(max(0.0, time.time() - ctx["rung_ms"] / 1000))
        await self._activate(unpack_ids(ids), traceparent)

    async def _answer_wake(self, *_arguments: Any, **_options: Any) -> None:
        await self._sweep()
