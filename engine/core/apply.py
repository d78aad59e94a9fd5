"""What each event does to a run's state: the same when it happens and when the journal is read again."""

from collections import deque
from typing import Any, assert_never

import msgspec

from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunHeld,
    RunQueued,
    RunRetried,
    RunSignalled,
    RunStarted,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    event_type,
    is_step_event,
)
from engine.core.graph import ERROR_PORT, Graph, Node
from engine.core.loops import end_iteration, end_loop, open_iteration_of, start_loop
from engine.core.observations import BegunAttempt
from engine.core.rounds import begin_round
from engine.core.state import RUN_DEADLINE, Frame, State, StepRun, is_satisfied
from engine.core.statuses import TERMINAL_STEP, RunStatus, StepStatus
from engine.core.transitions import InvalidTransition, move_run, move_step

# What an enumeration's own property costs is more than the rest of a settlement.
_SHOWN = {status: status.value for status in StepStatus}
_ACTIVE = frozenset({StepStatus.RUNNING, StepStatus.RETRYING})


def apply_event(graph: Graph, state: State, event: RunEvent) -> None:  # noqa: ARG001 - every fold over events has it
    """Change the state by one event of its journal. Raises InvalidTransition when the event cannot follow."""
    state.latest_at = max(state.latest_at, event.at)
    if is_step_event(event):
        try:
            frame, node = state.locate(event.step)
        except KeyError:
            frame, node = open_iteration_of(state, event.step)
        apply_step_event(state, frame, node, event)
    else:
        _apply_run_event(state, event)


def apply_step_event(state: State, frame: Frame, node: Node, event: StepEvent) -> None:  # noqa: C901 - a case an event
    """Change the state by an event of a step whose frame and node are known."""
    step = frame.steps[node.index]
    before = step.status
    step.status = after = move_step(node.id, before, event_type(event))
    # The iterations of a `foreach` are what is active, not the step itself.
    if node.body is None:
        state.active += (after in _ACTIVE) - (before in _ACTIVE)
        state.retrying += (after is StepStatus.RETRYING) - (before is StepStatus.RETRYING)
    if before is StepStatus.WAITING:
        _stop_waiting(state, frame, node, event)
    step.due_at = None
    # The commonest first.
    match event:
        case StepSucceeded():
            step.attempt = event.attempt or step.attempt
            step.port = event.port
            end_loop(state, step)
            _settle(state, frame, node, output=event.output)
        case StepFailed():
            step.attempt = event.attempt or step.attempt
            if not step.open_listeners:
                frame.unhandled = node.index
                state.failing.append(frame)
            _settle(state, frame, node, error=event.error)
        case StepSkipped():
            # First, for the last step to settle ends an iteration.
            _withdraw_listener(state, frame, node)
            _settle(state, frame, node)
        case StepCancelled():
            _break_off_attempt(step, before, event)
            frame.cancelled += 1
            _settle(state, frame, node)
        case StepRetrying():
            step.attempt, step.begun = event.attempt, None
            step.due_at = event.retry_at
            state.add_timer(event.retry_at, frame, node.index)
        case StepWaiting():
            _start_waiting(state, frame, node, event)
        case StepStarted():
            _note_attempt(step, event)
            if event.items is not None:
                start_loop(state, frame, node, event.items)
        case _:
            assert_never(event)


def describe_error(error: ErrorInfo | None) -> Any:
    """An error as expressions see it."""
    return None if error is None else msgspec.to_builtins(error)


def _apply_run_event(state: State, event: RunEvent) -> None:
    if isinstance(event, RunQueued):
        if state.status is not RunStatus.QUEUED:
            raise InvalidTransition("the run", state.status, "run.queued")
        state.scope.update(trigger=event.trigger, input=event.input, workflow=event.workflow)
        state.mocks = event.mocks
        state.scope.update(event.preset)
        state.preset_vars = event.preset.get("vars", {})
        return
    state.status = move_run(state.status, event_type(event))
    if isinstance(event, RunStarted):
        state.scope["vars"] = event.vars | state.preset_vars
        state.scope["run"]["started_at"] = msgspec.to_builtins(event.at)
        state.deadline_at = event.deadline_at
        state.add_timer(event.deadline_at, None, RUN_DEADLINE)
        state.is_held = False
    elif isinstance(event, RunHeld):
        state.is_held = True
    elif isinstance(event, RunSignalled):
        state.signals.setdefault(event.name, deque()).append(event.payload)
    elif isinstance(event, RunRetried):
        begin_round(state, event.attempt)


def _note_attempt(step: StepRun, event: StepStarted) -> None:
    """An attempt goes on, or is held back before it has begun."""
    step.attempt = event.attempt
    if event.attempt and event.started_at is not None:
        step.begun = BegunAttempt(
            attempt=event.attempt,
            started_at=event.started_at,
            queued_ms=event.queued_ms,
            limited_ms=event.limited_ms or 0,
        )


def _break_off_attempt(step: StepRun, before: StepStatus, event: StepCancelled) -> None:
    """An attempt that had begun keeps its number; one that had not leaves it to the next."""
    if event.attempt:
        step.attempt = event.attempt
    elif before is StepStatus.RUNNING and step.begun is None and step.attempt > step.base:
        step.attempt -= 1


def _start_waiting(state: State, frame: Frame, node: Node, event: StepWaiting) -> None:
    step = frame.steps[node.index]
    step.waits_for = event.reason
    state.waiting[event.reason] = state.waiting.get(event.reason, 0) + 1
    step.child_run_id = event.child_run_id
    if event.signal is not None:
        step.signal = event.signal
        state.waits.setdefault(event.signal, deque()).append((frame, node.index))
    if event.due_at is not None:
        step.due_at = event.due_at
        state.add_timer(event.due_at, frame, node.index)


def _stop_waiting(state: State, frame: Frame, node: Node, event: StepEvent) -> None:
    step = frame.steps[node.index]
    if step.waits_for is not None:
        state.waiting[step.waits_for] -= 1
    if step.signal is not None:
        state.waits[step.signal].remove((frame, node.index))
        if event.reason == "signalled":
            state.signals[step.signal].popleft()
    step.waits_for = step.signal = None


def _settle(state: State, frame: Frame, node: Node, *, output: Any = None, error: ErrorInfo | None = None) -> None:
    """Close a step: show its result to expressions and count it where it was waited for."""
    step = frame.steps[node.index]
    frame.unfinished -= 1
    described = None if error is None else describe_error(error)
    frame.scope["steps"][node.id] = {"output": output, "error": described, "status": _SHOWN[step.status]}
    for edge in node.dependents:
        target = frame.steps[edge.target]
        target.unsettled -= 1
        target.satisfied += is_satisfied(frame, node.index, edge.port)
        if not target.unsettled and target.status not in TERMINAL_STEP:
            state.unresolved.append((frame, edge.target))
    if not frame.unfinished and frame.loop is not None:
        end_iteration(state, frame)


def _withdraw_listener(state: State, frame: Frame, node: Node) -> None:
    """A skipped step handles no failure: where it was the last that could, the failure is unhandled."""
    for source, port in node.after:
        if port == ERROR_PORT:
            step = frame.steps[source]
            step.open_listeners -= 1
            if not step.open_listeners and step.status is StepStatus.FAILED:
                frame.unhandled = source
                state.failing.append(frame)
