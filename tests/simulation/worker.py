"""A worker of the simulation: claims runs, drives them by the real core, commits in groups, and may die anywhere."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from engine.core.advance import advance
from engine.core.decisions import CancelChild, Decision, Record, StartAttempt, StartChild, StopAttempt
from engine.core.events import ErrorInfo, RunEvent, RunFailed, StepCancelled, event_type
from engine.core.observations import (
    AttemptFailed,
    AttemptSucceeded,
    BegunAttempt,
    ChildEnded,
    ChildStarted,
    FullSlots,
    Observation,
    RunBroken,
    RunClaimed,
    TimePassed,
)
from engine.core.replay import replay
from engine.core.statuses import RunStatus, StepStatus
from engine.core.transitions import InvalidTransition
from engine.core.waiting import find_due_approvals
from tests.simulation.flows import FLOWS
from tests.simulation.memory import Attempt, Driver, Entry, merge
from tests.simulation.messages import read_message
from tests.simulation.protocol import Mutant, Violated, require
from tests.simulation.store import NEVER, Batch, Change, DuplicateEvent, RunRow, Store

SUSPEND_AFTER = timedelta(seconds=30)
ENDS = ("run.succeeded", "run.failed", "run.cancelled", "run.timed_out")


class Worker:
    """One incarnation. With `is_silent` its heartbeats get lost, and nothing else."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.id = store.register()
        self.is_silent = False
        self.is_gone = False
        self.announced: set[str] = set()
        self.drivers: dict[str, Driver] = {}
        self.owned: dict[str, Driver] = {}
        self.queue: list[Entry] = []
        # A batch whose answer was lost, to be looked up before anything else is written.
        self.in_doubt: list[Entry] = []
        # What only waits, and until when: unknown here, and not given up yet.
        self.resting: list[tuple[Driver, datetime]] = []
        self.checked_alive = False

    # Claiming.

    def claim(self, *, is_answered: bool = True) -> None:
        """Claim what was announced, and begin it; without an answer nobody here knows of it."""
        run_ids, self.announced = sorted(self.announced), set()
        claimed = self.store.claim(self.id, run_ids)
        for run in claimed if is_answered else ():
            if run.id not in self.drivers:
                self._begin(run)

    def _begin(self, run: RunRow) -> None:
        store, graph = self.store, FLOWS[run.flow]
        driver = self._load(run)
        state, seq = driver.state, driver.seq
        full = None
        if state.status is RunStatus.QUEUED and graph.concurrency is not None and run.slot_at is None:
            holders = store.take_slot(run, "one", graph.concurrency.limit.render({}))
            full = FullSlots(key="one", limit=1, holders=holders) if holders else None
        if state.status is RunStatus.QUEUED:
            self.read_inbox(driver)
        self.feed(driver, RunClaimed(at=store.now, full=full))
        self.read_inbox(driver)
        self._pass_time(driver)
        if not driver.is_closed and (full is not None or (driver.seq == seq and self._may_suspend(driver))):
            self._close(driver)
            self.resting.append((driver, NEVER if full is not None else state.next_due() or NEVER))

    def rest(self) -> None:
        """Give up what only waits, once nothing of it is left to be committed."""
        while self.resting and not (self.queue or self.in_doubt):
            driver, wake_at = self.resting.pop()
            self.owned.pop(driver.run_id, None)
            self.store.rest(self.id, driver.run_id, driver.state.status.value, wake_at)

    def _load(self, run: RunRow) -> Driver:
        """Read a run's journal: from now on it is in memory here."""
        store, graph = self.store, FLOWS[run.flow]
        events = store.events(run.id)
        seq = max(number for number, _ in store.journal[run.id])
        if store.mutant is Mutant.REPLAY_FORGETS_LAST and len(events) > 1:
            events = events[:-1]
        try:
            state = replay(graph, events, run_id=run.id, attempt=run.attempt)
        except (InvalidTransition, KeyError) as error:
            raise Violated("I3 legal", f"{run.id}: {error!r}") from error
        if store.mutant is Mutant.RETRY_RESETS_SEQ and run.attempt > 1 and state.status is RunStatus.QUEUED:
            seq = 1
        driver = self.drivers[run.id] = Driver(run.id, run.attempt, state, seq)
        self.owned[run.id] = driver
        return driver

    def give_back_unknown(self) -> None:
        """Runs that the database holds for ours and nobody here knows of: a claim's answer was lost."""
        unknown = [run.id for run in self.store.runs.values() if run.owner == self.id and run.id not in self.owned]
        self.store.free(self.id, unknown)

    # Driving.

    def feed(self, driver: Driver, observation: Observation, inbox_ids: Iterable[int] = ()) -> None:
        """One turn, and those that follow from it at once."""
        self._turn(driver, observation, list(inbox_ids))
        state = driver.state
        while state.is_undecided and not (driver.is_closed or state.is_over or state.status is RunStatus.QUEUED):
            self._turn(driver, TimePassed(at=self.store.now), [])

    def _turn(self, driver: Driver, observation: Observation, inbox_ids: list[int]) -> None:
        if driver.is_closed:
            return
        run = self.store.runs[driver.run_id]
        find_begun = (lambda _path: None) if self.store.mutant is Mutant.BREAK_FORGOTTEN else driver.begun.get
        _, decisions = advance(FLOWS[run.flow], driver.state, observation, find_begun)
        events = [decision.event for decision in decisions if isinstance(decision, Record)]
        self._break_off(driver, events)
        if not events:
            self._drop(driver, inbox_ids)
            self._act(driver, decisions)
            return
        entry = self._make_entry(driver, run, events, decisions, inbox_ids)
        driver.seq += len(events)
        self.queue.append(entry)
        if driver.state.is_over or (entry.change is not None and entry.change.is_released):
            self._close(driver)
        elif self.store.mutant is Mutant.ACT_BEFORE_DURABLE:
            self._act(driver, decisions)

    def _drop(self, driver: Driver, inbox_ids: list[int]) -> None:
        """Delete messages that have no effect, once what made them so is durable."""
        for entry in reversed([*self.in_doubt, *self.queue]):
            if entry.driver is driver:
                entry.late_ids += inbox_ids
                return
        self.store.drop(inbox_ids)

    def _break_off(self, driver: Driver, events: list[RunEvent]) -> None:
        """What had begun is told with its number; what had not never begins, though that is not durable yet."""
        for event in events:
            if isinstance(event, StepCancelled):
                begun = driver.begun.get(event.step)
                # One that is late may have read what others did meanwhile; it is not committed, whatever it tells.
                if self.store.runs[driver.run_id].owner == self.id:
                    self.store.audit.note_broken_off(driver.run_id, event, driver.effects.get(event.step, 0))
                driver.broken_off.add(event.step)
                if begun is None and self.store.mutant is not Mutant.BEGINS_BROKEN_OFF:
                    driver.attempts.pop(event.step, None)

    def _make_entry(
        self, driver: Driver, run: RunRow, events: list[RunEvent], decisions: list[Decision], inbox_ids: list[int]
    ) -> Entry:
        rows = [(run.id, number, event) for number, event in enumerate(events, start=driver.seq + 1)]
        entry = Entry(driver, rows, decisions, inbox_ids)
        entry.mail = [(d.run_id, "cancel", {"reason": "parent_ended"}) for d in decisions if isinstance(d, CancelChild)]
        state, last = driver.state, events[-1]
        if any(not hasattr(event, "step") for event in events):
            entry.change = Change(state.status.value)
            if event_type(last) == "run.waiting":
                entry.change.wake_at = last.wake_at  # type: ignore[union-attr]  # run.waiting has it
        if event_type(last) == "run.held":
            entry.change = Change("queued", NEVER, is_released=True)
        elif state.is_over:
            entry.change = Change(state.status.value, is_released=True)
            if run.parent is not None:
                output = getattr(last, "output", None)
                said = {"step": run.parent_step, "run_id": run.id, "status": state.status.value, "output": output}
                entry.mail.append((run.parent, "child", said))
        elif self._may_suspend(driver) and (wake_at := state.next_due()) is not None:
            entry.change = Change(state.status.value, wake_at, is_released=True)
            entry.messages.append(("wake", run.id, wake_at))
        return entry

    def _may_suspend(self, driver: Driver) -> bool:
        if driver.state.status is RunStatus.QUEUED or not driver.state.is_idle or driver.child_starts:
            return False
        wake_at = driver.state.next_due()
        return wake_at is None or wake_at - self.store.now > SUSPEND_AFTER

    def _act(self, driver: Driver, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case StopAttempt(step=step):
                    driver.attempts.pop(step, None)
                case StartAttempt(step=step):
                    if step not in driver.broken_off or self.store.mutant is Mutant.BEGINS_BROKEN_OFF:
                        driver.attempts[step] = Attempt(decision)
                case StartChild(step=step):
                    driver.child_starts[step] = decision

    def _close(self, driver: Driver) -> None:
        driver.is_closed = True
        driver.attempts.clear()
        if self.drivers.get(driver.run_id) is driver:
            del self.drivers[driver.run_id]

    # What happens to runs.

    def attempts(self, *, answered: bool) -> list[tuple[Driver, Attempt]]:
        """Attempts whose target has, or has not, answered."""
        found = [(driver, attempt) for driver in self.drivers.values() for attempt in driver.attempts.values()]
        return [(driver, attempt) for driver, attempt in found if (attempt.is_ok is not None) == answered]

    def have_effect(self, driver: Driver, attempt: Attempt, *, is_ok: bool) -> None:
        """The target hears of the attempt, and answers."""
        start = attempt.start
        key = f"{driver.run_id}:{start.step}"
        if self.store.mutant is Mutant.KEY_PER_ATTEMPT:
            key += f":{start.attempt}"
        is_late = start.step in driver.broken_off
        require(not is_late, "attempts kept", f"{start.step} of {driver.run_id} begins after it was broken off")
        self.store.audit.check_effect(driver.run_id, start.step, key, start.attempt, self.id)
        driver.begun[start.step] = BegunAttempt(attempt=start.attempt, started_at=self.store.now)
        driver.effects[start.step] = start.attempt
        attempt.is_ok = is_ok

    def observe(self, driver: Driver, attempt: Attempt) -> None:
        """The target's answer reaches the core."""
        start, now = attempt.start, self.store.now
        driver.attempts.pop(start.step, None)
        begun = driver.begun.pop(start.step)
        driver.effects.pop(start.step, None)
        common: dict[str, Any] = {"at": now, "step": start.step, "attempt": start.attempt}
        common["started_at"] = begun.started_at
        if attempt.is_ok:
            self.feed(driver, AttemptSucceeded(**common, output=None))
        else:
            error = ErrorInfo(code="status", message="500", status=500)
            self.feed(driver, AttemptFailed(**common, error=error, cause="status", is_retryable=True))

    def start_child(self, driver: Driver, path: str, *, is_answered: bool = True) -> None:
        """Accept the run that a step asks for, or find it; unanswered it is asked for again."""
        start = driver.child_starts[path]
        key = f"{path}#{driver.round}"
        run_id = self.store.accept(start.workflow_id, driver.run_id, key, (driver.run_id, path))
        if not is_answered:
            return
        del driver.child_starts[path]
        self.feed(driver, ChildStarted(at=self.store.now, step=path, run_id=run_id))
        if not self._waits_for(driver, path, run_id):
            self.store.post([(run_id, "cancel", {"reason": "parent_ended"})])

    def _waits_for(self, driver: Driver, path: str, run_id: str) -> bool:
        if driver.is_closed and not driver.state.is_over:
            return True
        frame, node = driver.state.locate(path)
        return frame.steps[node.index].child_run_id == run_id

    def pass_time(self) -> None:
        """Timers ring for what is due."""
        for driver in list(self.drivers.values()):
            due = driver.state.next_due()
            if due is not None and due <= self.store.now:
                self._pass_time(driver)

    def _pass_time(self, driver: Driver) -> None:
        """What is due goes on; approvals time out that nobody can decide any more."""
        due = find_due_approvals(driver.state, self.store.now) if not driver.is_closed else []
        expired = frozenset(due)
        if due and self.store.mutant is not Mutant.TIMEOUT_OVER_DECISION:
            # The row of one that is about to be asked for is not there yet.
            known = [step for step in due if (driver.run_id, step) in self.store.approvals]
            expired = self.store.expire(self.id, driver.run_id, known)
        if len(expired) < len(due) and self.store.mutant is Mutant.DECISION_COSTS_RUN:
            self._give_up(driver)
            return
        self.feed(driver, TimePassed(at=self.store.now, expired=expired))

    def break_run(self, driver: Driver) -> None:
        """Some work for a run fails: once nothing of it is under way any more, it is read anew, and ended."""
        for path in driver.child_starts:
            self.start_child(driver, path, is_answered=False)
        while (self.queue or self.in_doubt) and self.store.mutant is not Mutant.BROKEN_WHILE_WRITING:
            self.flush()
        if self.is_gone or driver.is_closed:
            return
        store, run = self.store, self.store.runs[driver.run_id]
        self._close(driver)
        fresh = self._load(run)
        fresh.effects, fresh.inbox_seen = driver.effects, driver.inbox_seen
        if store.mutant is not Mutant.BREAKDOWN_FORGETS_BEGUN:
            fresh.begun = driver.begun
        error = ErrorInfo(code="internal_error", message="it is broken")
        if store.mutant is not Mutant.ENDED_BESIDE_CORE:
            self.feed(fresh, RunBroken(at=store.now, error=error, reason="internal_error"))
            return
        failed = RunFailed(at=store.now, error=error, reason="internal_error")
        fresh.state.status = RunStatus.FAILED
        self.queue.append(self._make_entry(fresh, run, [failed], [], []))
        self._close(fresh)

    def read_inboxes(self) -> None:
        """Take in what lies in the inboxes of all runs here."""
        for driver in list(self.drivers.values()):
            self.read_inbox(driver)

    def read_inbox(self, driver: Driver) -> None:
        """Take in what is new in a run's inbox; its rows go in the commit of what they cause."""
        if self.store.runs[driver.run_id].owner != self.id:
            return
        for row_id, (run_id, kind, payload) in sorted(self.store.inbox.items()):
            if run_id != driver.run_id or row_id in driver.inbox_seen or driver.is_closed:
                continue
            observation = read_message(kind, payload, self.store.now)
            if isinstance(observation, ChildEnded) and self._is_starting(driver, observation.step):
                # It ended before it is known here that it was started: the next look brings it again.
                continue
            driver.inbox_seen.add(row_id)
            if self.store.mutant is Mutant.INBOX_DELETED_EARLY:
                self.store.inbox.pop(row_id)
            self.feed(driver, observation, [row_id])

    def _is_starting(self, driver: Driver, path: str) -> bool:
        frame, node = driver.state.locate(path)
        is_starting = frame.steps[node.index].status is StepStatus.RUNNING
        return is_starting and self.store.mutant is not Mutant.EARLY_END_DROPPED

    # Committing.

    def flush(self, *, is_answered: bool = True, mails: bool = True) -> None:
        """Commit what is queued; without an answer it is in doubt, and looked up by the next flush."""
        is_repeat = bool(self.in_doubt)
        entries = self.in_doubt or self.queue
        if not entries:
            return
        if entries is self.queue:
            self.queue = []
        self.in_doubt = []
        batch = merge(entries)
        if is_repeat and self.store.mutant is not Mutant.BLIND_WRITE and self.store.is_committed(self.id, batch):
            self._done(entries, batch, mails=mails)
            return
        is_checked, self.checked_alive = self.checked_alive, False
        try:
            is_alive = self.store.commit(self.id, batch, is_checked=is_checked)
        except DuplicateEvent as error:
            raise Violated("I3 one writer", f"an event of a living owner is refused: {error}") from error
        if not is_alive:
            self.is_gone = True
            self.die()
        elif is_answered or self.store.mutant is Mutant.FORGOTTEN_DOUBT:
            self._done(entries, batch, mails=mails)
        else:
            self.in_doubt = entries

    def _give_up(self, driver: Driver) -> None:
        """What a mutant does: drop a run as it is in memory, and claim it anew."""
        self._close(driver)
        self.owned.pop(driver.run_id, None)
        self.queue = [entry for entry in self.queue if entry.driver is not driver]
        self.store.free(self.id, [driver.run_id])
        self.announced.add(driver.run_id)

    def lose_connection(self) -> None:
        """The connection breaks before the batch has arrived: it is in doubt as well."""
        if not self.in_doubt and self.queue:
            entries, self.queue = self.queue, []
            if self.store.mutant is Mutant.FORGOTTEN_DOUBT:
                self._done(entries, merge(entries), mails=True)
            else:
                self.in_doubt = entries

    def look_alive(self) -> None:
        """What a mutant does in a statement of its own: look whether it is alive."""
        is_split = self.store.mutant is Mutant.CHECKED_BEFORE_WRITE
        self.checked_alive = is_split and self.store.workers[self.id].alive

    def _done(self, entries: list[Entry], batch: Batch, *, mails: bool) -> None:
        if mails and self.store.mutant is Mutant.CHILD_END_LOST:
            self.store.post(batch.mail)
        for entry in entries:
            self.store.drop(entry.late_ids)
            # A run that was given up may have been claimed again before the answer came.
            is_given_up = entry.change is not None and entry.change.is_released
            if is_given_up and self.owned.get(entry.driver.run_id) is entry.driver:
                del self.owned[entry.driver.run_id]
            if not entry.driver.is_closed and self.store.mutant is not Mutant.ACT_BEFORE_DURABLE:
                self._act(entry.driver, entry.decisions)
        if self.store.mutant is not Mutant.SLOT_NOT_GRANTED:
            self.store.grant_slots()

    def die(self) -> None:
        """Everything in memory is gone."""
        for driver in list(self.drivers.values()):
            self._close(driver)
        self.queue, self.in_doubt, self.resting, self.announced, self.owned = [], [], [], set(), {}
        self.is_gone = True
        require(not self.drivers, "simulation", "a dead worker drives nothing")
