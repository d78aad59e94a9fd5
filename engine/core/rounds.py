"""A further round of an ended run: what failed, was cancelled, or was skipped because of them, runs again."""

from engine.core.graph import ERROR_PORT
from engine.core.state import Frame, State, StepRun, is_satisfied
from engine.core.statuses import TERMINAL_STEP, RunStatus, StepStatus


def begin_round(state: State, attempt: int) -> None:
    """Make an ended run one that has yet to start, with everything kept that succeeded or was handled."""
    assert state.status is RunStatus.QUEUED
    state.scope["run"]["attempt"] = attempt
    state.active = state.retrying = 0
    state.deadline_at = None
    state.is_held = False
    state.frames = {"": state.root}
    for gathered in (state.waiting, state.waits, state.timers, state.unresolved, state.failing, state.closing):
        gathered.clear()
    reset_frame(state, state.root)


def reset_frame(state: State, frame: Frame) -> None:
    """Put the steps of a frame back that are to run again; the iterations of a `foreach` wait for its start."""
    again = _find_again(frame)
    for index in again:
        _reset_step(frame.steps[index])
        frame.scope["steps"].pop(frame.graph.nodes[index].id, None)
    frame.unhandled, frame.cancelled = None, 0
    frame.unfinished = len(again)
    for node in frame.graph.nodes:
        step = frame.steps[node.index]
        step.open_listeners = sum(
            edge.port == ERROR_PORT and frame.steps[edge.target].status is not StepStatus.SKIPPED
            for edge in node.dependents
        )
        if node.index in again:
            settled = [entry for entry in node.after if entry[0] not in again]
            step.unsettled = len(node.after) - len(settled)
            step.satisfied = sum(is_satisfied(frame, *entry) for entry in settled)
            if not step.unsettled:
                state.unresolved.append((frame, node.index))


def _find_again(frame: Frame) -> set[int]:
    again = {index for index, step in enumerate(frame.steps) if _runs_again(step)}
    ahead = list(again)
    while ahead:
        for edge in frame.graph.nodes[ahead.pop()].dependents:
            if edge.target not in again and frame.steps[edge.target].status is StepStatus.SKIPPED:
                again.add(edge.target)
                ahead.append(edge.target)
    return again


def _runs_again(step: StepRun) -> bool:
    """Whether the step was cancelled, never ended, or failed with nobody to handle it."""
    if step.status is StepStatus.FAILED:
        return not step.open_listeners
    return step.status is StepStatus.CANCELLED or step.status not in TERMINAL_STEP


def _reset_step(step: StepRun) -> None:
    step.status = StepStatus.PENDING
    step.base = step.attempt
    step.begun = step.port = step.due_at = step.waits_for = step.signal = step.child_run_id = None
