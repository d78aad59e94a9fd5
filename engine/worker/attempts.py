"""One attempt of an action step, as a pipeline: wait for a slot, hold the lease, call, tell what came of it."""

import random
from collections.abc import Callable
from datetime import datetime
from functools import cache
from time import perf_counter
from typing import Protocol

import structlog
from msgspec import Struct

from engine.core.decisions import StartAttempt
from engine.core.events import ErrorInfo
from engine.core.observations import AttemptFailed, AttemptOngoing, AttemptSucceeded, BegunAttempt, Observation
from engine.infra import metrics
from engine.infra.clock import Clock
from engine.infra.deadlines import Deadlines
from engine.infra.http_client import HttpClient
from engine.infra.tallies import Spread
from engine.infra.telemetry import Span, is_recorded, span
from engine.steps.base import StepContext, StepFailure
from engine.steps.configuration import parse_config
from engine.steps.plugins import make_plain
from engine.steps.registry import get_action, is_foreign
from engine.worker.credentials import Credentials
from engine.worker.driver import Driver
from engine.worker.fair_slots import FairSlots
from engine.worker.ongoing import OngoingWatch
from engine.worker.targets import TargetSlots

ONGOING_AFTER_SECONDS = 1.0
# A step that keeps to its timeout ends by itself, and says more of it than this limit could.
GRACE_SECONDS = 0.25

_log = structlog.get_logger()


class LeaseHold(Protocol):
    """The worker's lease, as far as an attempt needs it."""

    @property
    def is_fresh(self) -> bool:
        """Whether enough of the lease is left to start something."""

    async def hold(self) -> None:
        """Return once the lease is fresh."""


class _Attempt(Struct, eq=False):
    """An attempt that asked for its slots at `asked_at`, got them after `limited_ms`, and began at `started_at`."""

    driver: Driver
    start: StartAttempt
    asked_at: datetime
    limited_ms: int | None = None
    started_at: datetime | None = None


class AttemptRunner:
    """Makes attempts, only so many at a time, and only while the worker's lease is fresh."""

    def __init__(
        self,
        *,
        clock: Clock,
        http: HttpClient,
        slots: FairSlots,
        targets: TargetSlots | None,
        lease: LeaseHold,
        on_ongoing: Callable[[Driver, AttemptOngoing], None],
        on_start: Callable[[Driver, StartAttempt], None],
        credentials: Credentials | None = None,
    ) -> None:
        self._clock = clock
        self._http = http
        self._credentials = credentials
        self._slots = slots
        self._targets = targets
        self._deadlines = Deadlines()
        self._ongoing: OngoingWatch[_Attempt] = OngoingWatch(ONGOING_AFTER_SECONDS)
        self._lease = lease
        self._on_ongoing = on_ongoing
        self._on_start = on_start
        self._in_flight = 0
        metrics.STEPS_IN_FLIGHT.set_function(lambda: self._in_flight)

    async def perform(self, driver: Driver, start: StartAttempt) -> Observation:
        """Make one attempt. It never raises but for cancellation: every failure is an observation."""
        attempt = _Attempt(driver, start, self._clock.now())
        workspace = driver.workspace
        self._ongoing.add(attempt, self._notify)
        target: str | None = None
        try:
            if self._targets is not None:
                target = await self._targets.take(start, workspace)
            if not self._slots.take_now(workspace):
                await self._slots.take(workspace)
            try:
                started_at = self._clock.now()
                attempt.limited_ms = _count_ms(attempt.asked_at, started_at)
                if not self._lease.is_fresh:
                    await self._lease.hold()
                    started_at = self._clock.now()
                attempt.started_at = started_at
                if driver.refused:
                    refused = driver.refused.pop((start.step, start.attempt), None)
                    if refused is not None:
                        return _failed(attempt, started_at, refused, self._clock.now())
                driver.attempts.begun[start.step] = BegunAttempt(
                    attempt=start.attempt,
                    started_at=started_at,
                    queued_ms=_count_ms(start.decided_at, started_at),
                    limited_ms=attempt.limited_ms,
                )
                self._on_start(driver, start)
                self._in_flight += 1
                began = perf_counter()
                try:
                    parent = driver.traceparent
                    if parent is None or is_recorded(parent):
                        return await self._record(attempt, started_at, parent)
                    with Span(parent):
                        return await self._run_step(attempt, started_at, parent)
                finally:
                    self._in_flight -= 1
                    _timer(start.type).observe(perf_counter() - began)
            finally:
                self._slots.give_back(workspace)
        finally:
            self._ongoing.remove(attempt)
            if target is not None and self._targets is not None:
                self._targets.give_back(target, workspace)

    async def _record(self, attempt: _Attempt, started_at: datetime, parent: str | None) -> Observation:
        """Make the attempt within a span of its own."""
        attributes = {"flowforge.run.id": attempt.driver.run_id, "flowforge.step.id": attempt.start.step}
        with span(f"step {attempt.start.type}", parent=parent, attributes=attributes) as current:
            observation = await self._run_step(attempt, started_at, current.traceparent)
            if isinstance(observation, AttemptFailed):
                current.fail(observation.error.message)
            return observation

    async def _run_step(self, attempt: _Attempt, started_at: datetime, traceparent: str) -> Observation:
        driver, start = attempt.driver, attempt.start
        context = StepContext(
            run_id=driver.run.id,
            step_id=start.step,
            attempt=start.attempt,
            idempotency_key=f"{driver.run_id}:{start.step}",
            traceparent=traceparent,
            timeout=start.timeout,
            http=self._http,
            connections=None if self._credentials is None else self._credentials.of(driver.run.workspace_id),
        )
        try:
            action = get_action(start.type)
            config = parse_config(action, start.config)
            if action.keeps_timeout:
                output = await action.run(config, context)
            else:
                with self._deadlines.within(start.timeout + GRACE_SECONDS):
                    output = await action.run(config, context)
            if is_foreign(action.name):
                output = make_plain(output)
        except StepFailure as failure:
            return _failed_by(attempt, started_at, failure, self._clock.now())
        except TimeoutError:
            late = StepFailure("timeout", f"no result within {start.timeout:g} s", cause="timeout", retryable=True)
            return _failed_by(attempt, started_at, late, self._clock.now())
        except (Exception, SystemExit) as error:
            _log.exception("step_crashed", run_id=driver.run_id, step=start.step, type=start.type)
            info = ErrorInfo(code="step_crashed", message=f"the step type '{start.type}' broke: {error!r}")
            return _failed(attempt, started_at, info, self._clock.now())
        return AttemptSucceeded(
            at=self._clock.now(),
            step=start.step,
            attempt=start.attempt,
            output=output,
            started_at=started_at,
            queued_ms=_count_ms(start.decided_at, started_at),
            limited_ms=attempt.limited_ms or 0,
        )

    def _notify(self, attempt: _Attempt) -> None:
        start, started_at, now = attempt.start, attempt.started_at, self._clock.now()
        limited_ms = attempt.limited_ms
        if started_at is None:
            # Nobody knows yet for how long; with its slots, it waits for nothing but the lease.
            limited_ms = _count_ms(attempt.asked_at, now) if limited_ms is None else 0
        observation = AttemptOngoing(
            at=now,
            step=start.step,
            attempt=start.attempt,
            started_at=started_at,
            queued_ms=_count_ms(start.decided_at, started_at or now),
            limited_ms=limited_ms or 0,
        )
        self._on_ongoing(attempt.driver, observation)


def _failed(attempt: _Attempt, started_at: datetime, error: ErrorInfo, now: datetime) -> AttemptFailed:
    return AttemptFailed(
        at=now,
        step=attempt.start.step,
        attempt=attempt.start.attempt,
        error=error,
        started_at=started_at,
        queued_ms=_count_ms(attempt.start.decided_at, started_at),
        limited_ms=attempt.limited_ms or 0,
    )


def _failed_by(attempt: _Attempt, started_at: datetime, failure: StepFailure, now: datetime) -> AttemptFailed:
    return AttemptFailed(
        at=now,
        step=attempt.start.step,
        attempt=attempt.start.attempt,
        error=ErrorInfo(code=failure.code, message=failure.message, status=failure.status, details=failure.details),
        started_at=started_at,
        queued_ms=_count_ms(attempt.start.decided_at, started_at),
        limited_ms=attempt.limited_ms or 0,
        cause=failure.cause or "",
        is_retryable=failure.retryable,
        retry_after_seconds=failure.retry_after,
        jitter=random.random(),  # noqa: S311 - it only spreads retries: nothing depends on its being unpredictable
    )


@cache
def _timer(step_type: str) -> Spread:
    return metrics.STEP_SECONDS.labels(step_type)


def _count_ms(since: datetime, until: datetime) -> int:
    return max(int((until - since).total_seconds() * 1000), 0)
