"""One run of a random definition: the core, and a world around it that answers in any order, repeats and crashes."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.core.advance import advance
from engine.core.decisions import CancelChild, Decision, Ignore, Record, StartAttempt, StartChild, StopAttempt
from engine.core.events import (
    ErrorInfo,
    RunQueued,
    RunRetried,
    StepSucceeded,
    decode_event,
    encode_event,
    event_type,
)
from engine.core.graph import find_node
from engine.core.observations import (
    ApprovalDecided,
    AttemptFailed,
    AttemptOngoing,
    AttemptSucceeded,
    BegunAttempt,
    CancelRequested,
    ChildEnded,
    ChildRefused,
    ChildStarted,
    FullSlots,
    Observation,
    RunBroken,
    RunClaimed,
    SignalReceived,
    TimePassed,
)
from engine.core.replay import replay
from engine.core.state import State
from engine.core.statuses import RunStatus
from engine.core.transitions import REASONS
from engine.core.waiting import find_due_approvals
from tests.properties.attempts import find_told
from tests.properties.graphs import SIGNALS, Plan
from tests.properties.reference import Answer
from tests.properties.snapshots import differences, dump

START = datetime(2027, 1, 1, tzinfo=UTC)
SETTLED = {"step.succeeded": "succeeded", "step.failed": "failed", "step.skipped": "skipped"}
STATUSES = SETTLED | {
    "step.cancelled": "cancelled",
    "step.waiting": "waiting",
    "step.retrying": "retrying",
    "step.started": "running",
}


class CoreRun:
    """Drives the core as a worker does: events are kept first, attempts run in any order, crashes come any time.

    With `is_exact` the journal is read anew after every turn, and must give the state at hand.
    """

    def __init__(self, plan: Plan, seed: int, *, is_exact: bool = False) -> None:
        self.plan = plan
        self.random = random.Random(seed)  # noqa: S311 - a repeatable order, no secret
        self.is_exact = is_exact
        self.now = START
        self.round = 1
        self.journal: list[Any] = [
            RunQueued(
                at=START,
                trigger={"type": "api"},
                input={},
                workflow={"id": "w", "name": "w", "version": 1},
                reason="accepted",
                mocks=plan.mocks,
            )
        ]
        self.statuses: dict[str, str] = {}
        self.attempts: dict[str, StartAttempt] = {}
        # What is being made by the present worker; with the number of each attempt the rounds in which it was made.
        self.begun: dict[str, BegunAttempt] = {}
        self.was_begun: dict[str, BegunAttempt] = {}
        self.effects: dict[tuple[str, int], set[int]] = {}
        self.forgotten: set[tuple[str, int]] = set()
        self.starting: dict[str, StartChild] = {}
        self.children: dict[str, str] = {}
        self.cancelled_children: set[str] = set()
        self.waiting: dict[str, str] = {}
        self.answers: dict[str, Answer] = {}
        self.sent: dict[str, list[Any]] = {name: [] for name in SIGNALS}
        self.finished: list[Observation] = []
        self.attempts_made: dict[tuple[str, int], int] = {}
        self.state = self.restore()

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.state.is_over

    def restore(self) -> State:
        """The state that the journal alone gives."""
        events = [decode_event(encode_event(event)) for event in self.journal]
        return replay(self.plan.graph, events, run_id="r", attempt=1)

    def start(self) -> None:
        """Claim the run, perhaps after it was held for a while for want of a slot."""
        while self.plan.graph.concurrency is not None and self.random.random() < 0.4 and not self.is_over:
            self.feed(RunClaimed(at=self.now, full=FullSlots(key="r", limit=1, holders=["other"])))
        self.feed(RunClaimed(at=self.now))

    def feed(self, observation: Observation) -> list[Decision]:
        """One turn of the core, its decisions taken down and checked."""
        was_over, self.was_begun = self.is_over, dict(self.begun)
        state, decisions = advance(self.plan.graph, self.state, observation, self.begun.get)
        assert state is self.state
        if was_over:
            assert [type(decision) for decision in decisions] == [Ignore]
        for decision in decisions:
            match decision:
                case Record(event):
                    self._note(event)
                case StartAttempt(step=step) if not self.is_over:
                    self._check_start(step)
                    assert step not in self.attempts, "one attempt of a step at a time"
                    self.attempts[step] = decision
                case StartChild(step=step) if not self.is_over:
                    self._check_start(step)
                    assert step not in self.starting, "one start of a child at a time"
                    self.starting[step] = decision
                case StopAttempt(step=step):
                    self.attempts.pop(step, None)
                    self.begun.pop(step, None)
                    self.starting.pop(step, None)
                case CancelChild(run_id=run_id):
                    self.cancelled_children.add(run_id)
        self._check_state()
        return decisions

    def _note(self, event: Any) -> None:
        """Take an event into the journal: it must be one that its step can have now."""
        kind = event_type(event)
        assert event.reason in REASONS[kind]
        self.journal.append(event)
        step = getattr(event, "step", None)
        if step is None:
            return
        assert self.statuses.get(step) != "succeeded", "what succeeded is never touched again"
        self.statuses[step] = STATUSES[kind]
        self.waiting.pop(step, None)
        if kind == "step.waiting":
            self.waiting[step] = event.reason
            self.answers.pop(step, None)
        elif kind in ("step.succeeded", "step.failed"):
            self._note_answer(step, event)
        elif kind == "step.cancelled":
            self._check_broken_off(step, event)

    def _note_answer(self, step: str, event: Any) -> None:
        node = find_node(self.plan.graph, step)
        assert node is not None
        if node.type in ("http", "wait", "approval", "workflow") and node.id not in self.plan.mocks:
            output = getattr(event, "output", None)
            self.answers[step] = Answer(STATUSES[event_type(event)], getattr(event, "port", None), output)

    def _check_broken_off(self, step: str, event: Any) -> None:
        """What was begun is kept with its number and times; what was not has none."""
        begun = self.was_begun.get(step) or find_told(step, self.journal[:-1])
        if begun is None:
            assert (event.attempt, event.started_at) == (0, None), "nothing of it had begun"
        else:
            assert (event.attempt, event.started_at) == (begun.attempt, begun.started_at), "it is kept"
            assert event.queued_ms == begun.queued_ms

    def _check_start(self, path: str) -> None:
        assert self.statuses.get(path) != "succeeded", "what succeeded runs no second time"
        self.answers.pop(path, None)
        key, _, _ = path.rpartition(".")
        prefix = f"{key}." if key else ""
        frame, node = self.state.locate(path)
        for source, _ in node.after:
            parent = self.statuses.get(prefix + frame.graph.nodes[source].id)
            assert parent in SETTLED.values(), "parents settle first"
        while key:
            loop, _, _ = key.rpartition("[")
            assert self.statuses[loop] == "running", "a loop starts before its items"
            key = loop.rpartition(".")[0]

    def _check_state(self) -> None:
        if self.is_over:
            self.attempts.clear()
            self.begun.clear()
            self.starting.clear()
        elif self.state.status is not RunStatus.QUEUED:
            has_work = self.attempts or self.starting or self.state.retrying
            assert has_work or any(self.state.waiting.values()), "a run that goes on waits for something nameable"
            assert self.state.status is (RunStatus.RUNNING if has_work else RunStatus.WAITING) or self.state.retrying
        if self.is_exact:
            found = differences(dump(self.restore(), self.statuses), dump(self.state, self.statuses))
            assert not found, found

    # What the world does.

    def begin_attempt(self, step: str) -> None:
        """An attempt gets its slot, and has its effect."""
        if step in self.begun:
            return
        start = self.attempts[step]
        queued_ms = (self.now - start.decided_at) // timedelta(milliseconds=1)
        self.begun[step] = BegunAttempt(attempt=start.attempt, started_at=self.now, queued_ms=queued_ms)
        rounds = self.effects.setdefault((step, start.attempt), set())
        rounds.add(self.round)
        assert len(rounds) == 1 or (step, start.attempt) in self.forgotten, "a number is given to one round's attempt"

    def end_attempt(self, step: str) -> None:
        """The target answers; from the second round on it always answers well."""
        self.begin_attempt(step)
        start, begun = self.attempts.pop(step), self.begun.pop(step)
        made = self.attempts_made[step, self.round] = self.attempts_made.get((step, self.round), 0) + 1
        assert made <= self.plan.max_attempts
        common: dict[str, Any] = {
            "at": self.now,
            "step": step,
            "attempt": start.attempt,
            "started_at": begun.started_at,
            "queued_ms": begun.queued_ms,
        }
        result: Observation = AttemptSucceeded(**common, output={"step": step})
        if self.round == 1 and self.plan.fails(step, start.attempt):
            error = ErrorInfo(code="status", message="500", status=500)
            result = AttemptFailed(**common, error=error, cause="status", is_retryable=True)
        self._feed_once(result)
        if isinstance(result, AttemptFailed):
            assert (self.statuses[step] == "failed") == (made == self.plan.max_attempts)

    def answer_start(self, step: str) -> None:
        """A child was accepted or, at first, refused."""
        del self.starting[step]
        if self.round == 1 and self.random.random() < 0.2:
            error = ErrorInfo(code="not_published", message="it is not published")
            self._feed_once(ChildRefused(at=self.now, step=step, error=error))
            return
        self.children[step] = run_id = f"child of {step} in round {self.round}"
        self._feed_once(ChildStarted(at=self.now, step=step, run_id=run_id))

    def end_child(self, step: str) -> None:
        """A child ends, well or badly."""
        fails = self.round == 1 and self.random.random() < 0.3
        error = ErrorInfo(code="child_failed", message="it failed") if fails else None
        output = None if fails else {"child": step}
        self._feed_once(ChildEnded(at=self.now, step=step, run_id=self.children[step], output=output, error=error))

    def decide(self, step: str) -> None:
        """Somebody decides an approval."""
        rejects = self.round == 1 and self.random.random() < 0.4
        decision = ApprovalDecided(at=self.now, step=step, decision="rejected" if rejects else "approved", by="p")
        self._feed_once(decision)

    def signal(self, name: str) -> None:
        """Somebody sends a signal, whether or not a step waits for it."""
        payload = f"{name} {len(self.sent[name])}"
        self.sent[name].append(payload)
        self.feed(SignalReceived(at=self.now, name=name, payload=payload))

    def _feed_once(self, observation: Observation) -> None:
        decisions = self.feed(observation)
        assert not any(isinstance(decision, Ignore) for decision in decisions), "it was asked for"
        self.finished.append(observation)

    def repeat(self) -> None:
        """What was said before is said again, late: it changes nothing."""
        before, decisions = len(self.journal), self.feed(self.random.choice(self.finished))
        assert [type(decision) for decision in decisions] == [Ignore]
        assert len(self.journal) == before

    def pass_time(self) -> None:
        """Often on to what is due next, but to the deadline only where nothing else is left."""
        due, deadline = self.state.next_due(), self.state.deadline_at
        if due is not None and self.random.random() < 0.7 and (deadline is None or due < deadline):
            self.now = max(self.now, due)
        asked = {step for step, what in self.waiting.items() if what == "approval"}
        found = find_due_approvals(self.state, self.now)
        assert sorted(found) == sorted(step for step in asked if self._is_due(step))
        # Of those that are due, somebody may have decided one, or is about to.
        expired = frozenset(step for step in found if self.is_exact or self.random.random() < 0.8)
        decisions = self.feed(TimePassed(at=self.now, expired=expired if self.random.random() < 0.9 else None))
        events = [decision.event for decision in decisions if isinstance(decision, Record)]
        late = {getattr(event, "step", "") for event in events if event.reason == "wait_timeout"}
        assert late & asked <= expired, "what can still be decided does not time out"

    def _is_due(self, step: str) -> bool:
        found = self.state.find(step)
        return found is not None and found.due_at is not None and found.due_at <= self.now

    def note_ongoing(self) -> None:
        """An attempt takes long enough for the journal to tell."""
        start = self.attempts[self.random.choice(sorted(self.attempts))]
        begun = self.begun.get(start.step)
        started_at = begun.started_at if begun else None
        queued_ms = begun.queued_ms if begun else (self.now - start.decided_at) // timedelta(milliseconds=1)
        ongoing = AttemptOngoing(
            at=self.now,
            step=start.step,
            attempt=start.attempt,
            started_at=started_at,
            queued_ms=queued_ms,
            limited_ms=self.random.choice([0, queued_ms // 2, queued_ms]),
        )
        self.feed(ongoing)

    def cancel(self) -> None:
        """Somebody cancels the run."""
        self.feed(CancelRequested(at=self.now, by="somebody"))

    def break_down(self, *, is_bare: bool) -> None:
        """The run cannot go on: it is read anew and ended; a bare one has lost its worker, and its large outputs."""
        events = [decode_event(encode_event(event)) for event in self.journal]
        if is_bare:
            self._forget_attempts()
            events = [
                msgspec.structs.replace(event, output=None) if isinstance(event, StepSucceeded) else event
                for event in events
            ]
        self.state = replay(self.plan.graph, events, run_id="r", attempt=1, is_bare=is_bare)
        error = ErrorInfo(code="internal_error", message="it is broken")
        is_exact, self.is_exact = self.is_exact, self.is_exact and not is_bare
        self.feed(RunBroken(at=self.now, error=error, reason="internal_error"))
        self.is_exact = is_exact

    def _forget_attempts(self) -> None:
        # Of these the journal knows nothing: who goes on from it gives their numbers again.
        self.forgotten |= {
            (step, begun.attempt) for step, begun in self.begun.items() if not find_told(step, self.journal)
        }
        self.attempts, self.begun, self.starting = {}, {}, {}

    def crash(self) -> None:
        """Everything in memory is lost; another worker goes on from the journal, as any other would."""
        attempts = {step: start.attempt for step, start in self.attempts.items()}
        starting = set(self.starting)
        self._forget_attempts()
        twin = self.restore()
        self.state = self.restore()
        answers = dict(self.answers)
        is_new = self.state.status is RunStatus.QUEUED
        for observation in (RunClaimed(at=self.now), TimePassed(at=self.now)):
            decided, again = self.feed(observation), advance(self.plan.graph, twin, observation)[1]
            assert decided == again, f"decided anew: {again} rather than {decided}"
        if not is_new:
            assert {step: start.attempt for step, start in self.attempts.items()} == attempts
            assert set(self.starting) == starting
            assert self.answers == answers

    def retry(self) -> None:
        """Somebody lets the ended run go on from what failed."""
        self.round += 1
        retried = RunRetried(at=self.now, attempt=self.round)
        self.journal.append(retried)
        self.state = self.restore()
        self.statuses = {step: status for step, status in self.statuses.items() if status != "cancelled"}
        self.finished = [
            said for said in self.finished if isinstance(said, AttemptSucceeded | AttemptFailed | ChildEnded)
        ]

    def act(self) -> None:
        """One thing happens."""
        choices: list[tuple[int, Callable[[], None]]] = [(2, self.pass_time), (1, self.crash)]
        if self.finished:
            choices.append((1, self.repeat))
        if self.attempts:
            choices += [
                (2, lambda: self.begin_attempt(self._pick(self.attempts))),
                (6, lambda: self.end_attempt(self._pick(self.attempts))),
                (1, self.note_ongoing),
            ]
        if self.starting:
            choices.append((3, lambda: self.answer_start(self._pick(self.starting))))
        kinds = {kind: [step for step, what in self.waiting.items() if what == kind] for kind in ("child", "approval")}
        if kinds["child"]:
            choices.append((3, lambda: self.end_child(self._pick(kinds["child"]))))
        if kinds["approval"]:
            choices.append((2, lambda: self.decide(self._pick(kinds["approval"]))))
        if "signal" in self.waiting.values() or self.random.random() < 0.1:
            choices.append((2, lambda: self.signal(self.random.choice(SIGNALS))))
        weights = [weight for weight, _ in choices]
        self.random.choices([act for _, act in choices], weights)[0]()

    def _pick(self, steps: Iterable[str]) -> str:
        return self.random.choice(sorted(steps))

    def run(self, most: int = 2000) -> None:
        """Go on until the run has ended, which it must."""
        for _ in range(most):
            if self.is_over:
                return
            self.act()
        raise AssertionError("the run does not end")
