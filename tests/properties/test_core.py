"""The core against a reference interpreter: random definitions, answers, orders, repeats, crashes, rounds and time."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import event_type
from engine.core.observations import TimePassed
from engine.core.statuses import TERMINAL_RUN, RunStatus
from tests.properties.core_run import START, CoreRun
from tests.properties.graphs import RUN_TIMEOUT_SECONDS, Plan, plans
from tests.properties.reference import judge
from tests.properties.verdicts import check_end

SEEDS = st.integers(0, 2**32)
ENDS = ("cancelled", "timed_out")
ATTEMPT_ENDS = ("step.succeeded", "step.failed", "step.retrying", "step.cancelled")
RETRYABLE = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT)


def _started(plan: Plan, seed: int, *, is_exact: bool = False) -> CoreRun:
    run = CoreRun(plan, seed, is_exact=is_exact)
    run.start()
    return run


def _act(run: CoreRun, count: int) -> None:
    for _ in range(count):
        if not run.is_over:
            run.act()


@given(plan=plans(), seed=SEEDS)
@settings(deadline=None)
def test_every_order_of_events_ends_as_the_rules_say(plan: Plan, seed: int) -> None:
    run = _started(plan, seed)
    run.run()
    check_end(run)
    assert judge(plan, run.answers).run != "open" or run.state.status in (RunStatus.CANCELLED, RunStatus.FAILED)


@given(plan=plans(max_steps=7), seed=SEEDS)
@settings(deadline=None)
def test_every_prefix_of_the_journal_gives_the_state_of_that_moment(plan: Plan, seed: int) -> None:
    run = _started(plan, seed, is_exact=True)
    run.run()
    if run.state.status in RETRYABLE:
        run.retry()
        run.start()
        run.run()


@given(plan=plans(), seed=SEEDS, acts=st.lists(st.integers(0, 12), min_size=1, max_size=3))
@settings(deadline=None)
def test_a_retried_run_ends_as_the_rules_say(plan: Plan, seed: int, acts: list[int]) -> None:
    run = _started(plan, seed)
    for count in acts:
        _act(run, count)
        run.cancel()
        if run.state.status not in RETRYABLE:
            break
        run.retry()
        if count % 3 == 2:
            # Cancelled again before anybody took it.
            run.cancel()
            run.retry()
        run.start()
    run.run()
    check_end(run)


@given(plan=plans(), seed=SEEDS)
@settings(deadline=None)
def test_a_failed_run_is_retried_until_it_succeeds_or_cannot(plan: Plan, seed: int) -> None:
    run = _started(plan, seed)
    run.run()
    check_end(run)
    for _ in range(2):
        if run.state.status not in RETRYABLE:
            return
        run.retry()
        run.start()
        run.run()
        check_end(run)


@given(plan=plans(), seed=SEEDS)
@settings(deadline=None)
def test_no_attempt_number_is_used_for_two_results(plan: Plan, seed: int) -> None:
    run = _started(plan, seed)
    run.run()
    if run.state.status in RETRYABLE:
        run.retry()
        run.start()
        run.run()
    for numbers in _list_ends(run).values():
        assert len(numbers) <= 2 * plan.max_attempts


@given(plan=plans(), seed=SEEDS, acts=st.lists(st.integers(1, 12), min_size=1, max_size=4), ends=st.sampled_from(ENDS))
@settings(deadline=None)
def test_attempts_that_are_broken_off_are_kept_and_their_numbers_go_on(
    plan: Plan, seed: int, acts: list[int], ends: str
) -> None:
    run = _started(plan, seed)
    for count in acts:
        _act(run, count)
        begun = {(step, begun.attempt) for step, begun in run.begun.items()}
        if ends == "cancelled":
            run.cancel()
        else:
            run.now = max(run.now, run.state.deadline_at or run.now)
            run.feed(TimePassed(at=run.now))
        if run.state.status not in RETRYABLE:
            break
        told = {(event.step, event.attempt) for event in run.journal if event_type(event) in ATTEMPT_ENDS}
        assert begun <= told
        _list_ends(run)
        run.retry()
        run.start()
    run.run()
    _list_ends(run)


def _list_ends(run: CoreRun) -> dict[str, list[int]]:
    """The numbers of each step's attempts in the order of their ends, which must go on without a gap."""
    ends: dict[str, list[int]] = {}
    for event in run.journal:
        if event_type(event) in ATTEMPT_ENDS and event.attempt:
            ends.setdefault(event.step, []).append(event.attempt)
    for numbers in ends.values():
        assert numbers == list(range(1, len(numbers) + 1))
    return ends


@given(plan=plans(), seed=SEEDS)
@settings(deadline=None)
def test_signals_are_taken_once_and_in_order(plan: Plan, seed: int) -> None:
    run = _started(plan, seed)
    run.run()
    waits: dict[str, list[str]] = {name: [] for name in run.sent}
    taken: dict[str, list[Any]] = {name: [] for name in run.sent}
    names: dict[str, str] = {}
    for event in run.journal:
        if event_type(event) == "step.waiting" and event.reason == "signal":
            names[event.step] = event.signal
            waits[event.signal].append(event.step)
        elif getattr(event, "step", None) in names:
            name = names.pop(event.step)
            if event.reason == "signalled":
                assert waits[name][0] == event.step, "the step that has waited the longest"
                taken[name].append(event.output)
            waits[name].remove(event.step)
    for name, payloads in run.sent.items():
        kept = list(run.state.signals.get(name, ()))
        assert taken[name] + kept == payloads
        assert not (kept and waits[name]), "no step waits for a signal that is kept"


@given(plan=plans(), seed=SEEDS, count=st.integers(0, 12), is_claimed=st.booleans())
@settings(deadline=None)
def test_a_cancelled_run_is_cancelled_for_good(plan: Plan, seed: int, count: int, is_claimed: bool) -> None:
    run = CoreRun(plan, seed)
    if is_claimed:
        run.start()
        _act(run, count)
    was_over = run.is_over
    waiting_children = {run.children[step] for step, kind in run.waiting.items() if kind == "child"}
    run.cancel()
    if not was_over:
        assert run.state.status is RunStatus.CANCELLED
        assert waiting_children <= run.cancelled_children, "nobody waits for its children any more"
    assert not run.attempts
    ended = len(run.journal)
    for late in run.finished:
        run.feed(late)
    run.feed(TimePassed(at=run.now + timedelta(days=3000)))
    run.crash()
    assert len(run.journal) == ended
    assert set(run.statuses.values()) <= {"succeeded", "failed", "skipped", "cancelled"}
    assert {node.id for node in plan.graph.nodes} <= set(run.statuses)


@given(plan=plans(), seed=SEEDS, acts=st.lists(st.integers(0, 12), min_size=1, max_size=3), is_bare=st.booleans())
@settings(deadline=None)
def test_a_run_that_breaks_is_ended_with_all_that_belongs_to_it_and_can_be_retried(
    plan: Plan, seed: int, acts: list[int], is_bare: bool
) -> None:
    run = CoreRun(plan, seed, is_exact=not is_bare)
    run.start()
    for count in acts:
        _act(run, count)
        if run.is_over:
            break
        begun = {(step, begun.attempt) for step, begun in run.begun.items() if not is_bare}
        waiting_children = {run.children[step] for step, kind in run.waiting.items() if kind == "child"}
        run.break_down(is_bare=is_bare)
        assert run.state.status is RunStatus.FAILED
        assert run.journal[-1].reason == "internal_error"
        assert waiting_children <= run.cancelled_children, "nobody waits for its children any more"
        assert begun <= {(event.step, event.attempt) for event in run.journal if event_type(event) in ATTEMPT_ENDS}
        assert set(run.statuses.values()) <= {"succeeded", "failed", "skipped", "cancelled"}
        assert {node.id for node in plan.graph.nodes} <= set(run.statuses)
        _list_ends(run)
        run.retry()
        run.start()
    run.run()
    check_end(run)
    _list_ends(run)


@given(plan=plans(), seed=SEEDS, count=st.integers(0, 12))
@settings(deadline=None)
def test_a_run_past_its_deadline_times_out(plan: Plan, seed: int, count: int) -> None:
    run = _started(plan, seed)
    _act(run, count)
    run.now = max(run.now, START + timedelta(seconds=RUN_TIMEOUT_SECONDS))
    was_over = run.is_over
    for _ in range(10):
        # What was due earlier comes first, and may be all that was left.
        run.feed(TimePassed(at=run.now))
    assert run.state.status in TERMINAL_RUN
    if not was_over and run.state.status is RunStatus.TIMED_OUT:
        check_end(run)


@given(plan=plans(), seed=SEEDS)
@settings(deadline=None)
def test_delays_timeouts_and_retries_are_never_early(plan: Plan, seed: int) -> None:
    run = _started(plan, seed)
    run.run()
    due: dict[str, datetime] = {}
    for event in run.journal:
        step = getattr(event, "step", "")
        if event.reason in ("delay_elapsed", "wait_timeout") and step in due:
            assert event.at >= due[step]
        match event_type(event):
            case "step.waiting" if event.due_at is not None:
                due[step] = event.due_at
            case "step.retrying":
                wait = min(60.0, 2.0 ** (event.attempt - 1))
                assert event.retry_at == event.at + timedelta(seconds=wait)
