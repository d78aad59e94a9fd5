"""One attempt of an action step, as a pipeline: wait for a slot, hold the lease, call, tell what came of it."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from prometheus_client import Histogram

from engine.core.decisions import StartAttempt
from engine.core.events import ErrorInfo
from engine.core.observations import AttemptFailed, AttemptSucceeded, Observation
from engine.infra import metrics
from engine.infra.clock import Clock
from engine.infra.deadlines import Deadlines
from engine.infra.http_client import HttpClient
from engine.infra.telemetry import span
from engine.steps.base import StepContext, StepFailure
from engine.steps.configuration import parse_config
from engine.steps.registry import get_action
from engine.worker.driver import Driver

ONGOING_AFTER_SECONDS = 1.0
# A step that keeps to its timeout ends by itself, and says more of it than this limit could.
GRACE_SECONDS = 0.25

_log = structlog.get_logger()


class AttemptRunner:
    """Makes attempts, at most `limit` at a time, and only while the worker's lease is fresh."""

    def __init__(
        self,
        *,
        clock: Clock,
        http: HttpClient,
        limit: int,
        hold_lease: Callable[[], Any],
        on_ongoing: Callable[[Driver, StartAttempt, datetime | None], None],
        on_start: Callable[[Driver, StartAttempt], None],
    ) -> None:
        self._clock = clock
        self._http = http
        self._slots = asyncio.Semaphore(limit)
        self._deadlines = Deadlines()
        self._hold_lease = hold_lease
        self._on_ongoing = on_ongoing
        self._on_start = on_start

    async def perform(self, driver: Driver, start: StartAttempt) -> Observation:
        """Make one attempt. It never raises but for cancellation: every failure is an observation."""
        started_at: datetime | None = None
        notice = asyncio.get_running_loop().call_later(
            ONGOING_AFTER_SECONDS, lambda: self._on_ongoing(driver, start, started_at)
        )
        try:
            async with self._slots:
                await self._hold_lease()
                started_at = self._clock.now()
                return await self._call(driver, start, started_at)
        finally:
            notice.cancel()

    async def _call(self, driver: Driver, start: StartAttempt, started_at: datetime) -> Observation:
        refused = driver.refused.pop((start.step, start.attempt), None)
        if refused is not None:
            return _failed(start, started_at, refused, self._clock.now())
        self._on_start(driver, start)
        metrics.STEPS_IN_FLIGHT.inc()
        began = time.perf_counter()
        attributes = {"flowforge.run.id": str(driver.run.id), "flowforge.step.id": start.step}
        try:
            with span(f"step {start.type}", parent=driver.traceparent, attributes=attributes) as current:
                observation = await self._run_step(driver, start, started_at, current.traceparent)
                if isinstance(observation, AttemptFailed):
                    current.fail(observation.error.message)
                return observation
        finally:
            metrics.STEPS_IN_FLIGHT.dec()
            _timer(start.type).observe(time.perf_counter() - began)

    async def _run_step(
        self, driver: Driver, start: StartAttempt, started_at: datetime, traceparent: str
    ) -> Observation:
        context = StepContext(
            run_id=driver.run.id,
            step_id=start.step,
            attempt=start.attempt,
            idempotency_key=f"{driver.run.id}:{start.step}",
            traceparent=traceparent,
            timeout=start.timeout,
            http=self._http,
        )
        try:
            action = get_action(start.type)
            config = parse_config(action, start.config)
            with self._deadlines.within(start.timeout + GRACE_SECONDS):
                output = await action.run(config, context)
        except StepFailure as failure:
            return _failed_by(start, started_at, failure, self._clock.now())
        except TimeoutError:
            late = StepFailure("timeout", f"no result within {start.timeout:g} s", cause="timeout", retryable=True)
            return _failed_by(start, started_at, late, self._clock.now())
        except Exception as error:
            _log.exception("step_crashed", run_id=str(driver.run.id), step=start.step, type=start.type)
            info = ErrorInfo(code="step_crashed", message=f"the step type '{start.type}' broke: {error!r}")
            return _failed(start, started_at, info, self._clock.now())
        return AttemptSucceeded(
            at=self._clock.now(),
            step=start.step,
            attempt=start.attempt,
            output=output,
            started_at=started_at,
            queued_ms=_queued_ms(start, started_at),
        )


def _failed(start: StartAttempt, started_at: datetime, error: ErrorInfo, now: datetime) -> AttemptFailed:
    return AttemptFailed(
        at=now,
        step=start.step,
        attempt=start.attempt,
        error=error,
        started_at=started_at,
        queued_ms=_queued_ms(start, started_at),
    )


def _failed_by(start: StartAttempt, started_at: datetime, failure: StepFailure, now: datetime) -> AttemptFailed:
    return AttemptFailed(
        at=now,
        step=start.step,
        attempt=start.attempt,
        error=ErrorInfo(code=failure.code, message=failure.message, status=failure.status, details=failure.details),
        started_at=started_at,
        queued_ms=_queued_ms(start, started_at),
        cause=failure.cause or "",
        is_retryable=failure.retryable,
        retry_after_seconds=failure.retry_after,
        jitter=random.random(),  # noqa: S311 - it only spreads retries: nothing depends on its being unpredictable
    )


@cache
def _timer(step_type: str) -> Histogram:
    return metrics.STEP_SECONDS.labels(step_type)


def _queued_ms(start: StartAttempt, started_at: datetime) -> int:
    return max(int((started_at - start.decided_at).total_seconds() * 1000), 0)
