"""A run that repeats another one from a step on: what is taken over holds, and the rest ends as the rules say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import decode_event, encode_event, event_type
from engine.core.graph import Graph
from engine.core.reuse import take_over
from engine.core.statuses import RunStatus
from tests.properties.core_run import SETTLED, CoreRun
from tests.properties.graphs import Plan, plans
from tests.properties.verdicts import check_end

SEEDS = st.integers(0, 2**32)
EVERY_STEP = st.integers(0, 2**16)
RETRYABLE = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT)


def _end(plan: Plan, seed: int, acts: int) -> CoreRun:
    """A run that ended by itself, or was cancelled after so many acts."""
    run = CoreRun(plan, seed)
    run.start()
    for _ in range(acts):
        if not run.is_over:
            run.act()
    if acts % 2:
        run.cancel()
    run.run()
    return run


def _repeat(run: CoreRun, from_step: str, seed: int) -> CoreRun:
    """A new run, which has yet to start, of the same definition."""
    taken = take_over(run.plan.graph, run.journal, from_step, set(), at=run.now)
    again = CoreRun(run.plan, seed, is_exact=True)
    again.now = run.now
    again.journal += [decode_event(encode_event(event)) for event in taken]
    again.statuses = {event.step: SETTLED[event_type(event)] for event in taken}
    for path, answer in run.answers.items():
        if path.partition("[")[0] in again.statuses:
            again.answers[path] = answer
    again.state = again.restore()
    return again


def _follow(graph: Graph, step_id: str) -> set[str]:
    found, ahead = {step_id}, [step_id]
    while ahead:
        for edge in graph.nodes[graph.index_by_id[ahead.pop()]].dependents:
            target = graph.nodes[edge.target].id
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


@given(plan=plans(), seed=SEEDS, acts=st.integers(0, 12), number=EVERY_STEP)
@settings(deadline=None)
def test_a_repeated_run_ends_as_the_rules_say(plan: Plan, seed: int, acts: int, number: int) -> None:
    from_step = plan.graph.nodes[number % len(plan.graph.nodes)].id
    again = _repeat(_end(plan, seed, acts), from_step, seed + 1)
    taken = dict(again.statuses)
    assert from_step not in taken
    assert taken.keys().isdisjoint(_follow(plan.graph, from_step))
    begun = len(again.journal)
    again.start()
    again.run()
    check_end(again)
    touched = {event.step.partition("[")[0] for event in again.journal[begun:] if hasattr(event, "step")}
    assert touched.isdisjoint(taken), "what was taken over is left alone"


@given(plan=plans(), seed=SEEDS, acts=st.integers(0, 12), number=EVERY_STEP)
@settings(deadline=None)
def test_a_repeated_run_can_be_retried_and_repeated(plan: Plan, seed: int, acts: int, number: int) -> None:
    from_step = plan.graph.nodes[number % len(plan.graph.nodes)].id
    run = _end(plan, seed, acts)
    for round_number in range(2):
        run = _repeat(run, from_step, seed + round_number)
        run.start()
        run.run()
        check_end(run)
        if run.state.status in RETRYABLE:
            run.retry()
            run.start()
            run.run()
            check_end(run)


@given(plan=plans(), seed=SEEDS, number=EVERY_STEP)
@settings(deadline=None)
def test_what_does_not_follow_from_the_step_is_not_done_again(plan: Plan, seed: int, number: int) -> None:
    run = _end(plan, seed, 0)
    from_step = plan.graph.nodes[number % len(plan.graph.nodes)].id
    again = _repeat(run, from_step, seed)
    following = _follow(plan.graph, from_step)
    for node in plan.graph.nodes:
        if run.statuses.get(node.id) == "succeeded" and node.id not in following:
            assert node.id in again.statuses or _follows_a_failure(run, node.id), f"{node.id} is done again"


def _follows_a_failure(run: CoreRun, step_id: str) -> bool:
    return any(
        status == "failed" and "[" not in failed and step_id in _follow(run.plan.graph, failed)
        for failed, status in run.statuses.items()
    )
