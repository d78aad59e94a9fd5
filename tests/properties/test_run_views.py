"""What readers see of a run against the core's own state, over random histories of all step types."""

from typing import Any
from uuid import UUID, uuid5

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.runs.schemas import RunDetail
from app.runs.views import Surroundings, describe_run
from engine.core.definition import Definition
from engine.core.events import StepStarted, decode_event, encode_event, is_step_event
from engine.core.statuses import RunStatus, StepStatus
from engine.store.reads import RunRow
from tests.properties.core_run import START, CoreRun
from tests.properties.graphs import Plan, plans

RUN_ID = UUID("01890000-0000-7000-8000-000000000001")
SEEDS = st.integers(0, 2**32)


def describe(run: CoreRun) -> RunDetail:
    row = RunRow(
        id=RUN_ID,
        workspace_id=RUN_ID,
        workflow_id=RUN_ID,
        workflow_name="w",
        version=1,
        version_id=RUN_ID,
        status=run.state.status.value,
        attempt=run.round,
        trigger_type="api",
        trigger_id=None,
        error_code=None,
        error_message=None,
        created_at=START,
        started_at=None,
        finished_at=None,
        wake_at=None,
        owner=None,
        is_test=False,
        parent_run_id=None,
        parent_step=None,
        origin_run_id=None,
        concurrency_key=None,
        concurrency_limit=None,
        slot_at=None,
    )
    journal = [decode_event(encode_event(_name_child(event))) for event in run.journal]
    events = [
        (seq, event) for seq, event in enumerate(journal, start=1) if not is_step_event(event) or "[" not in event.step
    ]
    definition = msgspec.convert(run.plan.document, Definition)
    return describe_run(row, definition, run.plan.graph, events, Surroundings(last_seq=len(journal), now=run.now))


def _name_child(event: Any) -> Any:
    """The event with an id for the run that its step started, as workers give one."""
    if getattr(event, "child_run_id", None) is None:
        return event
    return msgspec.structs.replace(event, child_run_id=str(uuid5(RUN_ID, event.child_run_id)))


def check(run: CoreRun) -> None:
    seen = describe(run)
    assert seen.status is run.state.status
    for view, step in zip(seen.steps, run.state.steps, strict=True):
        # That the next attempt has begun stands in the journal only once it takes long.
        begun = view.status is StepStatus.RETRYING and step.status is StepStatus.RUNNING
        assert begun or view.status is step.status, view
        assert view.explanation.endswith((".", "…")), view
    assert seen.time.total_ms >= sum(getattr(seen.time, part) for part in ("queued_ms", "running_ms", "waiting_ms"))
    attempts: dict[str, list[Any]] = {}
    for event in run.journal:
        # Those that have ended: a started one is none yet.
        if getattr(event, "attempt", 0) and hasattr(event, "queued_ms") and not isinstance(event, StepStarted):
            attempts.setdefault(event.step, []).append((event.attempt, event.at))
    for view in seen.steps:
        assert [(attempt.number, attempt.finished_at) for attempt in view.attempts] == attempts.get(view.path, [])


@given(plan=plans(), seed=SEEDS, rounds=st.lists(st.integers(0, 15), max_size=3))
@settings(deadline=None)
def test_the_top_level_is_told_as_the_core_has_it(plan: Plan, seed: int, rounds: list[int]) -> None:
    run = CoreRun(plan, seed)
    check(run)
    run.start()
    for count in rounds:
        for _ in range(count):
            if not run.is_over:
                run.act()
                check(run)
        run.cancel()
        check(run)
        if run.state.status is RunStatus.SUCCEEDED:
            return
        run.retry()
        check(run)
        run.start()
    check(run)
