"""A run as people read it: its journal, told as steps with their attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.runs.schemas import RunDetail, RunEventView, RunSummary
from app.runs.telling import Level, tell_run
from engine.core.definition import Definition, StepDefinition
from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunFailed,
    RunQueued,
    RunSignalled,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    RunWaiting,
    is_step_event,
)
from engine.core.expressions import ExpressionError
from engine.core.graph import Graph, Node
from engine.core.state import State
from engine.core.statuses import RunStatus, StepStatus
from engine.store.reads import RunRow


def summarise(row: RunRow) -> RunSummary:
    """A run as a list shows it."""
    return RunSummary(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        version=row.version,
        status=RunStatus(row.status),
        attempt=row.attempt,
        trigger_type=row.trigger_type,
        is_test=row.is_test,
        error=ErrorInfo(code=row.error_code, message=row.error_message or "") if row.error_code else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def describe_run(
    row: RunRow, definition: Definition, graph: Graph, events: Sequence[RunEvent], *, last_seq: int
) -> RunDetail:
    """A run in full, told from the events of its top level: the row and the journal are read one after the other."""
    level = Level(graph, definition.steps, prefix="", run_id=str(row.id), attempt=row.attempt)
    tell_run(level, events)
    state = level.state
    for node, step in zip(graph.nodes, level.views, strict=True):
        if step.status not in (StepStatus.PENDING, StepStatus.SKIPPED):
            step.input = _render_input(definition.steps[node.index], node, state)
    queued = events[0]
    own = [event for event in events if not is_step_event(event)]
    # A retried run starts anew, and so does its timeout.
    started = next((event for event in reversed(own) if isinstance(event, RunStarted)), None)
    end = own[-1] if state.is_over else None
    return RunDetail(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        version=row.version,
        status=state.status,
        reason=next(event.reason for event in reversed(own) if not isinstance(event, RunSignalled)),
        attempt=row.attempt,
        trigger=queued.trigger if isinstance(queued, RunQueued) else None,
        trigger_id=row.trigger_id,
        input=queued.input if isinstance(queued, RunQueued) else None,
        output=end.output if isinstance(end, RunSucceeded) else None,
        error=end.error if isinstance(end, RunFailed | RunTimedOut) else None,
        created_at=row.created_at,
        started_at=None if started is None else started.at,
        finished_at=None if end is None else end.at,
        wake_at=_find_wake(state, own),
        last_seq=last_seq,
        is_test=row.is_test,
        steps=level.views,
    )


def describe_event(run_id: object, seq: int, event: RunEvent) -> RunEventView:
    """An event as the API shows it."""
    document = msgspec.to_builtins(event, builtin_types=())
    kind, at = document.pop("type"), event.at
    document.pop("at")
    return RunEventView(id=f"{run_id}:{seq}", seq=seq, type=kind, at=at, data=document)


def _render_input(step: StepDefinition, node: Node, state: State) -> Any:
    """What the step was configured with, its expressions filled in; as written where they cannot be."""
    written = step.with_
    if node.condition is not None or node.cases or node.body is not None:
        return written
    try:
        return node.config.render(state.scope)
    except ExpressionError:
        return written


def _find_wake(state: State, own: Sequence[RunEvent]) -> datetime | None:
    """Until when a waiting run waits at the latest."""
    if state.status is not RunStatus.WAITING:
        return None
    return next((event.wake_at for event in reversed(own) if isinstance(event, RunWaiting)), None)
