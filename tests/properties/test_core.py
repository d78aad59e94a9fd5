"""The core against a reference interpreter: random graphs, failures, orders, repeats, crashes and time."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.advance import advance
from engine.core.decisions import Ignore, Record, StartAttempt, StopAttempt
from engine.core.events import ErrorInfo, RunQueued, decode_event, encode_event, event_type
from engine.core.observations import (
    AttemptFailed,
    AttemptOngoing,
    AttemptSucceeded,
    CancelRequested,
    Observation,
    RunClaimed,
    TimePassed,
)
from engine.core.replay import replay
from engine.core.state import State
from engine.core.statuses import RunStatus, StepStatus
from engine.core.transitions import REASONS
from tests.properties.graphs import RUN_TIMEOUT_SECONDS, Plan, judge, plans

START = datetime(2027, 1, 1, tzinfo=UTC)


class Simulation:
    """Drives the core as a worker does: events are kept first, attempts run in any order, crashes come any time."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.random = random.Random(seed)  # noqa: S311 - a repeatable order, no secret
        self.now = START
        self.journal: list[Any] = [
            RunQueued(
                at=START,
                trigger={"type": "api"},
                input={},
                workflow={"id": "w", "name": "w", "version": 1},
                reason="accepted",
            )
        ]
        self.attempts: dict[str, StartAttempt] = {}
        self.started: list[tuple[str, int]] = []
        self.finished: list[Observation] = []
        self.state = self._restore()
        self.feed(RunClaimed(at=self.now))

    def _restore(self) -> State:
        events = [decode_event(encode_event(event)) for event in self.journal]
        return replay(self.plan.graph, events, run_id="r", attempt=1)

    def feed(self, observation: Observation) -> list[Any]:
        was_over = self.state.is_over
        state, decisions = advance(self.plan.graph, self.state, observation)
        assert state is self.state
        if was_over:
            assert [type(decision) for decision in decisions] == [Ignore]
        for decision in decisions:
            match decision:
                case Record(event):
                    assert event.reason in REASONS[event_type(event)]
                    self.journal.append(event)
                case StartAttempt():
                    if not self.state.is_over:
                        self._check_start(decision)
                        self.attempts[decision.step] = decision
                        self.started.append((decision.step, decision.attempt))
                case StopAttempt(step=step):
                    self.attempts.pop(step, None)
        if self.state.is_over:
            self.attempts.clear()
        return decisions

    def _check_start(self, start: StartAttempt) -> None:
        assert start.step not in self.attempts, "one attempt of a step at a time"
        node = self.plan.graph.nodes[self.plan.graph.index_by_id[start.step]]
        settled = {event.step for event in self.journal if hasattr(event, "step") and _settles(event)}
        assert {self.plan.graph.nodes[source].id for source, _ in node.after} <= settled, "parents settle first"

    def end_attempt(self, step: str) -> None:
        start = self.attempts.pop(step)
        fails = self.plan.failures[step]
        common: dict[str, Any] = {"at": self.now, "step": step, "attempt": start.attempt, "started_at": self.now}
        if fails is None or start.attempt <= fails:
            error = ErrorInfo(code="status", message="500", status=500)
            result: Observation = AttemptFailed(**common, error=error, cause="status", is_retryable=True)
        else:
            result = AttemptSucceeded(**common, output={"step": step})
        self.feed(result)
        self.finished.append(result)

    def crash(self) -> None:
        """Everything in memory is lost; another worker goes on from the journal."""
        before = dict(self.attempts)
        self.attempts = {}
        self.state = self._restore()
        if self.state.is_over:
            return
        self.feed(RunClaimed(at=self.now))
        self.feed(TimePassed(at=self.now))
        assert {step: start.attempt for step, start in self.attempts.items()} == {
            step: start.attempt for step, start in before.items()
        }, "the same attempts are under way, under the same numbers"

    def act(self) -> None:
        choices = ["time", "repeat", "crash", "ongoing"] + ["end"] * 6 * bool(self.attempts)
        match self.random.choice(choices):
            case "end":
                self.end_attempt(self.random.choice(sorted(self.attempts)))
            case "time":
                due = self.state.next_due()
                if due is not None and self.random.random() < 0.7 and not (self.attempts and self._is_deadline(due)):
                    self.now = max(self.now, due)
                self.feed(TimePassed(at=self.now))
            case "repeat" if self.finished:
                late = self.random.choice(self.finished)
                before = len(self.journal)
                self.feed(late)
                assert len(self.journal) == before, "a repeated result changes nothing"
            case "ongoing" if self.attempts:
                start = self.attempts[self.random.choice(sorted(self.attempts))]
                self.feed(AttemptOngoing(at=self.now, step=start.step, attempt=start.attempt, started_at=self.now))
            case "crash":
                self.crash()

    def _is_deadline(self, due: datetime) -> bool:
        return due >= START + timedelta(seconds=RUN_TIMEOUT_SECONDS)

    def run(self) -> None:
        for _ in range(1000):
            if self.state.is_over:
                return
            self.act()
        pytest.fail("the run does not end")


def _settles(event: Any) -> bool:
    return event_type(event) in ("step.succeeded", "step.failed", "step.skipped", "step.cancelled")


def _statuses(simulation: Simulation) -> dict[str, str]:
    return {node.id: simulation.state.steps[node.index].status.value for node in simulation.plan.graph.nodes}


@given(plan=plans(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_every_order_of_events_ends_as_the_rules_say(plan: Plan, seed: int) -> None:
    simulation = Simulation(plan, seed)
    simulation.run()
    verdict = judge(plan)
    assert simulation.state.status.value == verdict.run
    if verdict.certain:
        assert _statuses(simulation) == verdict.steps
    else:
        _check_failed_run(simulation, verdict.steps)


def _check_failed_run(simulation: Simulation, ideal: dict[str, str]) -> None:
    """In a failed run a step ends as it would have, or is cancelled."""
    for step, status in _statuses(simulation).items():
        assert status in (ideal[step], "cancelled")
    assert "failed" in _statuses(simulation).values()


@given(plan=plans(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_the_journal_alone_gives_the_same_state(plan: Plan, seed: int) -> None:
    simulation = Simulation(plan, seed)
    simulation.run()
    restored = simulation._restore()
    assert restored.status is simulation.state.status
    assert restored.scope == simulation.state.scope
    assert [step.status for step in restored.steps] == [step.status for step in simulation.state.steps]


@given(plan=plans(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_no_attempt_number_is_used_for_two_results(plan: Plan, seed: int) -> None:
    simulation = Simulation(plan, seed)
    simulation.run()
    ends = [
        (event.step, event.attempt)
        for event in simulation.journal
        if event_type(event) in ("step.succeeded", "step.failed", "step.retrying") and event.attempt
    ]
    assert len(ends) == len(set(ends))
    for step in plan.failures:
        numbers = [attempt for name, attempt in ends if name == step]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) <= plan.max_attempts


@given(plan=plans(), seed=st.integers(0, 2**32), steps=st.integers(0, 12))
@settings(deadline=None)
def test_a_cancelled_run_is_cancelled_for_good(plan: Plan, seed: int, steps: int) -> None:
    simulation = Simulation(plan, seed)
    for _ in range(steps):
        if not simulation.state.is_over:
            simulation.act()
    was_over = simulation.state.is_over
    simulation.feed(CancelRequested(at=simulation.now, by="somebody"))
    if not was_over:
        assert simulation.state.status is RunStatus.CANCELLED
        assert not simulation.attempts
    ended = len(simulation.journal)
    for late in simulation.finished:
        simulation.feed(late)
    simulation.feed(TimePassed(at=simulation.now + timedelta(days=30)))
    assert len(simulation.journal) == ended
    assert not {StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.RETRYING} & {
        step.status for step in simulation.state.steps
    }


@given(plan=plans(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_a_run_past_its_deadline_times_out(plan: Plan, seed: int) -> None:
    simulation = Simulation(plan, seed)
    if not simulation.state.is_over:
        simulation.feed(TimePassed(at=START + timedelta(seconds=RUN_TIMEOUT_SECONDS)))
    assert simulation.state.is_over
    if simulation.attempts or simulation.state.status is RunStatus.TIMED_OUT:
        assert simulation.state.status is RunStatus.TIMED_OUT


@given(plan=plans(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_delays_and_retries_are_never_early(plan: Plan, seed: int) -> None:
    simulation = Simulation(plan, seed)
    simulation.run()
    due: dict[str, datetime] = {}
    for event in simulation.journal:
        match event_type(event):
            case "step.waiting":
                due[event.step] = event.due_at
            case "step.succeeded" if event.step in due:
                assert event.at >= due[event.step]
