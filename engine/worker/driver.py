"""A driver moves one run: it feeds the core, journals what the core decides, and only then acts on it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from engine.core.advance import advance
from engine.core.decisions import CancelChild, Decision, Record, StartAttempt, StartChild, StopAttempt
from engine.core.events import ErrorInfo, RunEvent, RunHeld, RunQueued
from engine.core.graph import Graph
from engine.core.observations import (
    CancelRequested,
    ChildEnded,
    ChildStarted,
    FullSlots,
    Observation,
    RunClaimed,
    TimePassed,
)
from engine.core.state import State
from engine.core.statuses import RunStatus, StepStatus
from engine.core.waiting import find_due_approvals
from engine.store.extras import Extras
from engine.store.journal import RunChange
from engine.store.runs import ClaimedRun
from engine.store.timers import HELD_UNTIL
from engine.worker.counting import count_events
from engine.worker.entries import hold, make_entry, release
from engine.worker.extras import MAX_RUN_BYTES, OutputTooLarge
from engine.worker.flusher import Entry, RejectedEntry
from engine.worker.host import Host, Message, RefusedResult
from engine.worker.underway import Underway


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
        payload_bytes: int = 0,
    ) -> None:
        self.host = host
        self.run = run
        self.run_id = str(run.id)
        # Hashing a UUID costs more than a whole look into a dictionary.
        self.workspace = run.workspace_id.int
        self.graph = graph
        self.state = state
        self.traceparent = queued.traceparent
        self._queued = queued
        self.seq = run.journal[-1][0]
        self.attempts = Underway()
        # Apart from attempts: never broken off, so that no run is started that nobody knows of.
        self.child_starts: set[asyncio.Task[None]] = set()
        self.pending_commits = 0
        self.inbox_seen: set[int] = set()
        self._mail = asyncio.Lock()
        self._messages_left = 0
        self.is_closed = False
        self.is_abandoned = False
        self.refused = refused
        self.payload_bytes = payload_bytes
        self._timer: asyncio.TimerHandle | None = None
        self._last_commit: asyncio.Future[None] | None = None
        self._timer_due_at = queued.at
        self._goes_on = state.status is not RunStatus.QUEUED

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the run is under way: it could be given up at once."""
        return not self.attempts and not self.pending_commits and not self.child_starts

    async def begin(
        self, variables: dict[str, Any], *, full: FullSlots | None = None, messages: Sequence[Message] = ()
    ) -> None:
        """Start the run, or go on from its journal and with what lies in its inbox.

        With `full`, its concurrency key has no free slot.
        """
        async with self._mail:
            if self.state.status is RunStatus.QUEUED:
                # Before it starts, for it may be its end.
                await self._take_in_order(messages)
                messages = ()
            await self.take_in(RunClaimed(at=self.host.clock.now(), vars=variables, full=full))
            await self._take_in_order(messages)
        if self.state.timers:
            await self._pass_time()
        if full is not None and not self.is_closed:
            self.close()
            await self.host.put_to_rest(self, HELD_UNTIL)
            return
        await self._rest()

    async def take(self, messages: Sequence[Message]) -> None:
        """Take in what somebody left in the run's inbox, behind all that came before; a request to cancel overtakes."""
        if self._mail.locked():
            urgent = [message for message in messages if isinstance(message.observation, CancelRequested)]
            messages = [message for message in messages if message not in urgent]
            await self._take_in_order(urgent)
        async with self._mail:
            await self._take_in_order(messages)
        await self._rest()

    async def _take_in_order(self, messages: Sequence[Message]) -> None:
        if messages:
            # Given up at the first of them, the run would have to be claimed for each of the others again.
            self._messages_left += len(messages)
            # Each one's decisions come before the next one's; their commits are waited for together.
            await asyncio.gather(*(self._take_one(message) for message in messages))

    async def _take_one(self, message: Message) -> None:
        if isinstance(message.observation, ChildEnded):
            # It may have ended before it is known here that it was started: that would be thrown away.
            step = self.state.find(message.observation.step)
            while self.child_starts and step is not None and step.status is StepStatus.RUNNING:
                await asyncio.wait(self.child_starts, return_when=asyncio.FIRST_COMPLETED)
        self._messages_left -= 1
        await self.take_in(message.observation, [message.inbox_id])

    async def _rest(self) -> None:
        """Give the run up where it only waits, and nothing was journalled that did."""
        wake_at = self.state.next_due()
        if self.is_idle and not self.is_closed and self._may_suspend(wake_at):
            self.close()
            await self.host.put_to_rest(self, wake_at or HELD_UNTIL)

    async def take_in(self, observation: Observation, inbox_ids: Sequence[int] = ()) -> None:
        """Feed an observation that belongs to no attempt; what follows from it gets tasks of its own."""
        start = await self.feed(observation, inbox_ids)
        if start is not None:
            self._spawn_attempt(start)

    async def feed(self, observation: Observation, inbox_ids: Sequence[int] = ()) -> StartAttempt | None:
        """Take in what happened: decide, make it durable, act. Returns an attempt for the caller to go on with.

        Raises WorkerFenced, RunLost or RejectedEntry where the decision could not be made durable.
        """
        while not self.is_closed:
            _, decisions = advance(self.graph, self.state, observation, self.attempts.begun.get)
            events = [decision.event for decision in decisions if type(decision) is Record]
            if len(decisions) > len(events):
                self.attempts.withdraw(decisions)
            if events:
                commit = self._journal(events, decisions, inbox_ids)
                self.pending_commits += 1
                try:
                    await commit
                finally:
                    self.pending_commits -= 1
                count_events(self.graph, events, queued_at=self._queued.at)
            else:
                self._schedule(self.state.next_due())
                if inbox_ids:
                    await self._drop(inbox_ids)
            if self.state.is_over or self.is_abandoned:
                # Abandoned meanwhile, it would begin what whoever has the run now begins as well.
                self.attempts.stop_all()
                return None
            start = self._act(decisions) if len(decisions) > len(events) else None
            if self.is_closed or not self.state.is_undecided or self.state.status is RunStatus.QUEUED:
                return start
            # A large `foreach` takes many turns, and others shall have theirs in between.
            if start is not None:
                self._spawn_attempt(start)
            await asyncio.sleep(0)
            observation, inbox_ids = TimePassed(at=self.host.clock.now()), ()
        return None

    async def _drop(self, inbox_ids: Sequence[int]) -> None:
        """Throw away messages that have no effect, once what made them so is durable.

        Undone by the death of this worker, it may come out otherwise, and the messages are wanted.
        """
        commit = self._last_commit
        if commit is not None:
            await asyncio.wait([commit])
            if commit.cancelled() or commit.exception() is not None:
                return
        await self.host.drop_messages(inbox_ids)

    async def work(self, start: StartAttempt) -> None:
        """Make an attempt, and then whatever follows from it in a line; side branches get tasks of their own."""
        task = asyncio.current_task()
        while True:
            observation = await self.host.perform(self, start)
            begun = self.attempts.end(start.step)
            try:
                following = await self.feed(observation)
            except (RefusedResult, RejectedEntry) as refusal:
                error = refusal.error if isinstance(refusal, RefusedResult) else _unstorable(refusal)
                if begun is not None:
                    # It was made all the same, should the run end before this failure of it is journalled.
                    self.attempts.begun[start.step] = begun
                if error.code == "run_too_large":
                    # It may be the output of a step that followed: the limit is the run's, and so is the failure.
                    raise
                self.host.reload(self, {(start.step, start.attempt): error})
                return
            if following is None:
                return
            start = following
            if task is not None:
                self.attempts.tasks[start.step] = task

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
        self.attempts.stop_all()

    def _journal(
        self, events: list[RunEvent], decisions: Sequence[Decision], inbox_ids: Sequence[int]
    ) -> asyncio.Future[None]:
        """Queue the events for the next commit. Raises RefusedResult."""
        try:
            entry = make_entry(
                self.run,
                self.seq,
                events,
                traceparent=self.traceparent,
                inbox_ids=inbox_ids,
                status=self.state.status,
                graph=self.graph,
                cancelled_children=_cancelled(decisions) if len(decisions) > len(events) else (),
                is_awaited=self._queued.is_awaited,
            )
            if entry.extras is not None:
                self._count_payloads(entry.extras)
        except OutputTooLarge as error:
            raise RefusedResult(ErrorInfo(code=error.code, message=str(error))) from error
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RefusedResult(_unstorable(error)) from error
        self.seq += len(events)
        if self.state.is_over:
            self.close()
        else:
            wake_at = self.state.next_due()
            if self._goes_on:
                # Since its claim its row is that of a run whose time to go on has come, and it may only wait again.
                self._goes_on = False
                is_waiting = self.state.status is RunStatus.WAITING
                entry.change = entry.change or RunChange(
                    run_id=self.run.id, status=self.state.status, wake_at=wake_at if is_waiting else None
                )
            if self._suspend(entry, events[-1], wake_at):
                self.close()
            else:
                self._schedule(wake_at)
        self._last_commit = self.host.submit(entry)
        return self._last_commit

    def _count_payloads(self, extras: Extras) -> None:
        total = self.payload_bytes + sum(len(row.data) for row in extras.payloads)
        if total > MAX_RUN_BYTES:
            message = f"the run's large outputs have {total:,} bytes together; a run has at most {MAX_RUN_BYTES:,}"
            raise OutputTooLarge("run_too_large", message)
        self.payload_bytes = total

    def _suspend(self, entry: Entry, last: RunEvent, wake_at: datetime | None) -> bool:
        """Give the run up where it only waits, and for longer than memory is worth."""
        if type(last) is RunHeld:
            hold(entry, self.run)
            return True
        if wake_at is None or not self._may_suspend(wake_at):
            return False
        release(entry, self.run, self.state.status, wake_at)
        return True

    def _may_suspend(self, wake_at: datetime | None) -> bool:
        # The first of them decides nearly always.
        if not self.state.is_idle or self._messages_left or self.state.status is RunStatus.QUEUED or self.child_starts:
            return False
        return wake_at is None or wake_at - self.host.clock.now() > self.host.suspend_after

    def _act(self, decisions: Sequence[Decision]) -> StartAttempt | None:
        """Do what was decided, now that it is durable; the first attempt is left to the caller."""
        first: StartAttempt | None = None
        for decision in decisions:
            if isinstance(decision, StopAttempt):
                self.attempts.stop([decision.step])
            elif self.host.is_draining or not self.attempts.wants(decision):
                continue
            elif isinstance(decision, StartAttempt):
                if first is None:
                    first = decision
                else:
                    self._spawn_attempt(decision)
            elif isinstance(decision, StartChild):
                task = self.host.spawn(self, partial(self._start_child, decision))
                self.child_starts.add(task)
                task.add_done_callback(self.child_starts.discard)
        return first

    async def _start_child(self, start: StartChild) -> None:
        observation = await self.host.start_child(self, start)
        if (task := asyncio.current_task()) is not None:
            self.child_starts.discard(task)
        await self.take_in(observation)
        if isinstance(observation, ChildStarted) and not self._waits_for(observation):
            await self.host.cancel_child(self, observation.run_id)

    def _waits_for(self, child: ChildStarted) -> bool:
        """Whether the step still wants the run: it is so even where this worker has given the parent up meanwhile."""
        if not self.state.is_over and self.is_closed:
            return True
        return (step := self.state.find(child.step)) is not None and step.child_run_id == child.run_id

    def _spawn_attempt(self, start: StartAttempt) -> None:
        self.attempts.tasks[start.step] = self.host.spawn(self, partial(self.work, start))

    def _schedule(self, due_at: datetime | None) -> None:
        """Wake up when something of the run is due next; a timer that comes too early looks again when it rings."""
        if due_at is None or self.is_closed or (self._timer is not None and self._timer_due_at <= due_at):
            return
        if self._timer is not None:
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
            self._schedule(due_at)
        else:
            self.host.spawn(self, self._pass_time)

    async def _pass_time(self) -> None:
        expired: frozenset[str] | None = None
        if self.graph.has_approvals and (due := find_due_approvals(self.state, self.host.clock.now())):
            if self._last_commit is not None:
                # What is asked for with it cannot be decided before, nor be kept from it.
                await asyncio.wait([self._last_commit])
            expired = await self.host.expire_approvals(self, due)
        await self.take_in(TimePassed(at=self.host.clock.now(), expired=expired))


def _cancelled(decisions: Sequence[Decision]) -> list[str]:
    return [decision.run_id for decision in decisions if isinstance(decision, CancelChild)]


def _unstorable(error: Exception) -> ErrorInfo:
    return ErrorInfo(code="unstorable_result", message=f"the step's result cannot be stored: {error}")
