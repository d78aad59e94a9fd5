"""A driver moves one run: it feeds the core, journals what the core decides, and only then acts on it."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from engine.core.advance import advance
from engine.core.decisions import Ignore, Record, StartAttempt, StopAttempt
from engine.core.events import ErrorInfo, RunEvent, RunQueued
from engine.core.graph import Graph
from engine.core.observations import Observation, RunClaimed, TimePassed
from engine.core.state import State
from engine.core.statuses import RunStatus
from engine.infra.clock import Clock
from engine.store.journal import RunChange
from engine.store.runs import ClaimedRun
from engine.worker.counting import count_events
from engine.worker.entries import make_entry, release
from engine.worker.flusher import Entry, RejectedEntry


class EncodeRefusal(Exception):
    """An output cannot be written as JSON."""


class Host(Protocol):
    """What a driver needs of the worker that it lives in."""

    clock: Clock
    suspend_after: timedelta

    @property
    def is_draining(self) -> bool:
        """Whether no new attempts may start."""

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue an entry for the next commit."""

    async def perform(self, driver: "Driver", start: StartAttempt) -> Observation:
        """Make one attempt; what came of it."""

    def spawn(self, driver: "Driver", work: Any) -> "asyncio.Task[None]":
        """Run a coroutine of the driver; what it raises ends the run's life in this worker."""

    def forget(self, driver: "Driver") -> None:
        """The run has ended, or is given up: nothing of it is left in memory."""

    def reload(self, driver: "Driver", refused: dict[tuple[str, int], ErrorInfo]) -> None:
        """Load the run anew from its journal, failing those attempts (step, number) whose results were refused."""

    def announce_start(self, driver: "Driver", start: StartAttempt) -> None:
        """Tell whoever watches the run that an attempt starts."""


class Driver:
    """One claimed run. `seq` is the last event of its journal; a run has one writer, so it is counted here."""

    def __init__(
        self,
        host: Host,
        run: ClaimedRun,
        graph: Graph,
        state: State,
        queued: RunQueued,
        refused: dict[tuple[str, int], ErrorInfo],
    ) -> None:
        self.host = host
        self.run = run
        self.graph = graph
        self.state = state
        self.traceparent = queued.traceparent
        self._queued_at = queued.at
        self.seq = run.journal[-1][0]
        self.attempts: dict[str, asyncio.Task[None]] = {}
        self.pending_commits = 0
        self.inbox_seen: set[int] = set()
        self.is_closed = False
        self.is_abandoned = False
        self.refused = refused
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_at = queued.at
        self._must_note_progress = run.crashes > 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the run is under way: it could be given up at once."""
        return not self.attempts and not self.pending_commits

    async def begin(self, variables: dict[str, Any]) -> None:
        """Start the run, or go on from its journal."""
        for observation in (
            RunClaimed(at=self.host.clock.now(), vars=variables),
            TimePassed(at=self.host.clock.now()),
        ):
            start = await self.feed(observation)
            if start is not None:
                self._spawn_attempt(start)

    async def feed(self, observation: Observation, inbox_ids: Sequence[int] = ()) -> StartAttempt | None:
        """Take in what happened: decide, make it durable, act. Returns an attempt for the caller to go on with.

        Raises WorkerFenced or RejectedEntry where the decision could not be made durable.
        """
        if self.is_closed:
            return None
        _, decisions = advance(self.graph, self.state, observation)
        events = [decision.event for decision in decisions if isinstance(decision, Record)]
        if events or (inbox_ids and not isinstance(decisions[0], Ignore)):
            await self._journal(events, inbox_ids)
        else:
            self._schedule()
        if self.state.is_over:
            self._stop_attempts(self.attempts)
            return None
        starts = [decision for decision in decisions if isinstance(decision, StartAttempt)]
        self._stop_attempts(decision.step for decision in decisions if isinstance(decision, StopAttempt))
        return self._start(starts)

    async def work(self, start: StartAttempt) -> None:
        """Make an attempt, and then whatever follows from it in a line; side branches get tasks of their own."""
        task = asyncio.current_task()
        while True:
            observation = await self.host.perform(self, start)
            self.attempts.pop(start.step, None)
            try:
                following = await self.feed(observation)
            except (RejectedEntry, EncodeRefusal) as error:
                refused = ErrorInfo(code="unstorable_result", message=f"the step's result cannot be stored: {error}")
                self.host.reload(self, {(start.step, start.attempt): refused})
                return
            if following is None:
                return
            start = following
            if task is not None:
                self.attempts[start.step] = task

    def close(self) -> None:
        """Take the run out of this worker's memory."""
        if not self.is_closed:
            self.is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            self.host.forget(self)

    def abandon(self) -> None:
        """Break everything off: the run belongs to somebody else, or will be loaded anew."""
        self.is_abandoned = True
        self.close()
        self._stop_attempts(self.attempts)

    async def _journal(self, events: list[RunEvent], inbox_ids: Sequence[int]) -> None:
        try:
            entry = make_entry(self.run, self.seq, events, traceparent=self.traceparent, inbox_ids=inbox_ids)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise EncodeRefusal(str(error)) from error
        self.seq += len(events)
        if self._must_note_progress:
            self._must_note_progress = False
            entry.change = entry.change or RunChange(run_id=self.run.id, status=self.state.status)
        is_last = self.state.is_over or self._suspend(entry)
        if is_last:
            self.close()
        else:
            self._schedule()
        self.pending_commits += 1
        try:
            await self.host.submit(entry)
        finally:
            self.pending_commits -= 1
        count_events(self.graph, events, queued_at=self._queued_at)

    def _suspend(self, entry: Entry) -> bool:
        """Give the run up where it only waits, and for longer than memory is worth."""
        if self.state.status is RunStatus.QUEUED or not self.state.is_idle:
            return False
        wake_at = self.state.next_due()
        if wake_at is None or wake_at - self.host.clock.now() <= self.host.suspend_after:
            return False
        release(entry, self.run, self.state.status, wake_at)
        return True

    def _start(self, starts: list[StartAttempt]) -> StartAttempt | None:
        if self.host.is_draining or not starts:
            return None
        first, *others = starts
        for start in others:
            self._spawn_attempt(start)
        return first

    def _spawn_attempt(self, start: StartAttempt) -> None:
        self.attempts[start.step] = self.host.spawn(self, self.work(start))

    def _stop_attempts(self, steps: Iterable[str]) -> None:
        current = asyncio.current_task()
        for step in list(steps):
            task = self.attempts.pop(step, None)
            if task is not None and task is not current:
                task.cancel()

    def _schedule(self) -> None:
        """Wake up when something of the run is due next; a timer that comes too early looks again when it rings."""
        due_at = self.state.next_due()
        if due_at is None or self.is_closed:
            return
        if self._timer is not None:
            if self._timer_due_at <= due_at:
                return
            self._timer.cancel()
        self._timer_due_at = due_at
        delay = max((due_at - self.host.clock.now()).total_seconds(), 0.0)
        # A day at most: the event loop's clock drifts from the database's.
        self._timer = asyncio.get_running_loop().call_later(min(delay, 86_400.0), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self.is_closed or self.host.is_draining:
            return
        due_at = self.state.next_due()
        if due_at is None or due_at > self.host.clock.now():
            self._schedule()
            return
        self.host.spawn(self, self._pass_time())

    async def _pass_time(self) -> None:
        start = await self.feed(TimePassed(at=self.host.clock.now()))
        if start is not None:
            self._spawn_attempt(start)
