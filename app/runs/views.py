"""A run as people read it: its journal, told as steps with their attempts."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.runs.schemas import AttemptView, RunDetail, RunEventView, RunSummary, StepView
from engine.core.definition import Definition
from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunFailed,
    RunQueued,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    StepCancelled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    is_step_event,
)
from engine.core.expressions import ExpressionError
from engine.core.graph import Graph, Node
from engine.core.replay import replay
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


def describe_run(row: RunRow, definition: Definition, graph: Graph, events: Sequence[RunEvent]) -> RunDetail:
    """A run in full, told from its journal: the row and the journal are read one after the other."""
    state = replay(graph, events, run_id=str(row.id), attempt=row.attempt)
    steps = {
        step.id: StepView(id=step.id, path=step.id, type=step.type, name=step.name, status=StepStatus.PENDING)
        for step in definition.steps
    }
    for event in events:
        if is_step_event(event):
            _tell(steps[event.step], event)
    _tell_running(steps, graph, state)
    for node in graph.nodes:
        if steps[node.id].status not in (StepStatus.PENDING, StepStatus.SKIPPED):
            steps[node.id].input = _render_input(definition, node, state)
    queued, last = events[0], events[-1]
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    is_over = state.is_over
    return RunDetail(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        version=row.version,
        status=state.status,
        reason=_last_reason(events),
        attempt=row.attempt,
        trigger=queued.trigger if isinstance(queued, RunQueued) else None,
        trigger_id=row.trigger_id,
        input=queued.input if isinstance(queued, RunQueued) else None,
        output=last.output if isinstance(last, RunSucceeded) else None,
        error=last.error if isinstance(last, RunFailed | RunTimedOut) else None,
        created_at=row.created_at,
        started_at=None if started is None else started.at,
        finished_at=last.at if is_over else None,
        wake_at=None if is_over or state.status is not RunStatus.WAITING else state.next_due(),
        last_seq=len(events),
        is_test=row.is_test,
        steps=list(steps.values()),
    )


def describe_event(run_id: object, seq: int, event: RunEvent) -> RunEventView:
    """An event as the API shows it."""
    document = msgspec.to_builtins(event, builtin_types=())
    kind, at = document.pop("type"), event.at
    document.pop("at")
    return RunEventView(id=f"{run_id}:{seq}", seq=seq, type=kind, at=at, data=document)


def _tell(step: StepView, event: Any) -> None:
    """Carry one event over to the step that it is about."""
    step.reason = event.reason
    match event:
        case StepStarted():
            step.status = StepStatus.RUNNING
            step.started_at = step.started_at or event.started_at
        case StepWaiting():
            step.status, step.due_at, step.started_at = StepStatus.WAITING, event.due_at, event.at
        case StepRetrying():
            step.status, step.due_at = StepStatus.RETRYING, event.retry_at
            _add_attempt(step, event, "failed", event.error)
        case StepSucceeded():
            step.status, step.output, step.port, step.error = StepStatus.SUCCEEDED, event.output, event.port, None
            _add_attempt(step, event, "succeeded", None)
        case StepFailed():
            step.status, step.error = StepStatus.FAILED, event.error
            _add_attempt(step, event, "failed", event.error)
        case StepSkipped():
            step.status, step.because = StepStatus.SKIPPED, event.because
        case StepCancelled():
            step.status = StepStatus.CANCELLED
    if isinstance(event, StepSucceeded | StepFailed | StepSkipped | StepCancelled):
        step.finished_at, step.due_at = event.at, None
        if not isinstance(event, StepSkipped | StepCancelled):
            step.started_at = step.started_at or event.started_at or event.at


def _add_attempt(
    step: StepView, event: StepRetrying | StepSucceeded | StepFailed, status: str, error: ErrorInfo | None
) -> None:
    if not event.attempt:
        return
    step.started_at = step.started_at or event.started_at
    step.attempts.append(
        AttemptView(
            number=event.attempt,
            status=status,
            error=error,
            started_at=event.started_at,
            finished_at=event.at,
            queued_ms=event.queued_ms,
        )
    )


def _tell_running(steps: dict[str, StepView], graph: Graph, state: State) -> None:
    """A step whose turn has come and that has not ended is being attempted: that stands in no journal.

    Nor does what a run left behind that could not be driven to its end.
    """
    if state.is_over:
        for step in steps.values():
            if step.status is StepStatus.PENDING:
                step.status, step.reason = StepStatus.CANCELLED, "run_failed"
    if state.status is not RunStatus.RUNNING:
        return
    for frame, index in state.unresolved:
        if frame is not state.root:
            continue
        step = steps[graph.nodes[index].id]
        if step.status is StepStatus.PENDING:
            step.status = StepStatus.RUNNING


def _render_input(definition: Definition, node: Node, state: State) -> Any:
    """What the step was configured with, its expressions filled in; as written where they cannot be."""
    written = definition.steps[node.index].with_
    if node.condition is not None:
        return written
    try:
        return node.config.render(state.scope)
    except ExpressionError:
        return written


def _last_reason(events: Sequence[RunEvent]) -> str | None:
    return next((event.reason for event in reversed(events) if not is_step_event(event)), None)
