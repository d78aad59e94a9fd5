"""How runs and iterations are broken off: everything in them that has not ended is cancelled first."""

from msgspec import UNSET

from engine.core.decisions import CancelChild
from engine.core.events import RunCancelled, RunFailed, RunTimedOut, StepCancelled
from engine.core.graph import Node
from engine.core.observations import BegunAttempt, CancelRequested, RunBroken
from engine.core.state import Frame, StepRun, number_attempt
from engine.core.statuses import TERMINAL_STEP, StepStatus
from engine.core.turn import Turn


def cancel_run(turn: Turn, requested: CancelRequested) -> None:
    """End the run as somebody, or a rule, wants it."""
    end_run(turn, RunCancelled(at=turn.at, by=requested.by, reason=requested.reason), "run_cancelled")


def break_run(turn: Turn, broken: RunBroken) -> None:
    """End the run, which cannot go on."""
    end_run(turn, RunFailed(at=turn.at, error=broken.error, reason=broken.reason), "run_failed")


def end_run(turn: Turn, event: RunFailed | RunCancelled | RunTimedOut, reason: str) -> None:
    """Cancel what has not ended, then end the run."""
    cancel_frame(turn, turn.state.root, reason)
    turn.record(event)


def cancel_frame(turn: Turn, frame: Frame, reason: str) -> None:
    """Cancel every step of a frame that has not ended, with all that goes on below it."""
    for node in frame.graph.nodes:
        step = frame.steps[node.index]
        if step.status in TERMINAL_STEP:
            continue
        # A loop of an earlier round that has not gone on yet may have items that were never cancelled one by one.
        if step.loop is not None and step.status is StepStatus.RUNNING:
            for iteration in list(step.loop.open.values()):
                cancel_frame(turn, iteration, reason)
        _cancel_step(turn, frame, node, reason)


def _cancel_step(turn: Turn, frame: Frame, node: Node, reason: str) -> None:
    step = frame.steps[node.index]
    path = frame.prefix + node.id
    if step.status is StepStatus.RUNNING and node.body is None:
        turn.stop(path)
    begun = None if node.body is not None else _find_begun(turn, step, path)
    if step.status is StepStatus.WAITING and step.child_run_id is not None:
        turn.decisions.append(CancelChild(run_id=step.child_run_id))
    if begun is None:
        event = StepCancelled(at=turn.at, step=path, reason=reason)
    else:
        event = StepCancelled(
            at=turn.at,
            step=path,
            attempt=begun.attempt,
            started_at=begun.started_at,
            queued_ms=begun.queued_ms,
            limited_ms=begun.limited_ms or UNSET,
            reason=reason,
        )
    turn.record_step(frame, node, event)


def _find_begun(turn: Turn, step: StepRun, path: str) -> BegunAttempt | None:
    """The attempt of a step that may have had its effect: begun here, or elsewhere as the journal tells.

    A short one stands in no journal: read anew for its end alone, the step has yet to make it.
    """
    begun = turn.find_begun(path)
    return begun if begun is not None and begun.attempt == number_attempt(step) else step.begun
