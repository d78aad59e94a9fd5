"""Steps that wait: for a time, a signal, a decision, or another run; and what ends their wait."""

from datetime import datetime, timedelta
from typing import Any, assert_never

from engine.core.ending import end_run
from engine.core.events import ErrorInfo, RunSignalled, RunTimedOut, StepFailed, StepSucceeded, StepWaiting
from engine.core.graph import Node
from engine.core.observations import (
    ApprovalDecided,
    ChildEnded,
    ChildRefused,
    ChildStarted,
    SignalReceived,
    TimePassed,
)
from engine.core.performing import start_step
from engine.core.state import Frame, State, StepRun
from engine.core.statuses import StepStatus
from engine.core.turn import Turn

# Who decides an approval as it is due has it for a moment; the decision comes into the run's inbox.
LOOK_AGAIN = timedelta(seconds=0.25)


def pass_time(turn: Turn, passed: TimePassed) -> None:
    """Do everything that is due: retries, delays, timeouts of waits, and the run's own."""
    state = turn.state
    contested: list[tuple[Frame, int]] = []
    while not state.is_over and (due := state.pop_due(turn.at)) is not None:
        frame, index = due
        if frame is None:
            error = ErrorInfo(code="run_timed_out", message="the run did not end within its timeout")
            end_run(turn, RunTimedOut(at=turn.at, error=error), "run_timed_out")
            return
        node = frame.graph.nodes[index]
        if frame.steps[index].status is StepStatus.RETRYING:
            start_step(turn, frame, node)
        elif node.type == "approval" and frame.prefix + node.id not in (passed.expired or ()):
            contested.append((frame, index))
        else:
            _end_wait(turn, frame, node)
    for frame, index in contested:
        step = frame.steps[index]
        if passed.expired is not None:
            step.due_at = turn.at + LOOK_AGAIN
        if step.due_at is not None:
            state.add_timer(step.due_at, frame, index)


def find_due_approvals(state: State, at: datetime) -> list[str]:
    """The paths of the steps whose approvals are due: before they time out, nobody may be able to decide them."""
    paths = []
    # Of a heap, the due ones are a part that begins at its top.
    ahead = [0]
    while ahead:
        place = ahead.pop()
        if place < len(state.timers) and state.timers[place][0] <= at:
            due_at, _, frame, index = state.timers[place]
            if frame is not None and frame.steps[index].waits_for == "approval" and frame.steps[index].due_at == due_at:
                paths.append(frame.prefix + frame.graph.nodes[index].id)
            ahead += (2 * place + 1, 2 * place + 2)
    return paths


def take_signal(turn: Turn, signal: SignalReceived) -> None:
    """Keep the signal, and give the oldest one to the step that has waited for its name the longest."""
    turn.record(RunSignalled(at=turn.at, name=signal.name, payload=signal.payload, by=signal.by))
    waits = turn.state.waits.get(signal.name)
    if waits:
        frame, index = waits[0]
        give_signal(turn, frame, frame.graph.nodes[index])


def give_signal(turn: Turn, frame: Frame, node: Node) -> None:
    """Let a step that waits for a signal take the oldest one that is kept for it, if there is one."""
    name = frame.steps[node.index].signal
    kept = None if name is None else turn.state.signals.get(name)
    if kept:
        turn.resumption = "signalled"
        path = frame.prefix + node.id
        turn.record_step(frame, node, StepSucceeded(at=turn.at, step=path, output=kept[0], reason="signalled"))


def decide_approval(turn: Turn, decided: ApprovalDecided) -> None:
    """End the wait of an approval: a rejection that nobody waits for is a failure."""
    waiting = _find_waiting(turn, decided.step, "approval")
    if waiting is None:
        return
    frame, node, _ = waiting
    turn.resumption = "decided"
    output = {
        "decision": decided.decision,
        "comment": decided.comment,
        "by": decided.by,
        "at": (decided.decided_at or turn.at).isoformat().replace("+00:00", "Z"),
    }
    if decided.decision == "approved" or decided.decision in node.heard_ports:
        event: StepSucceeded | StepFailed = StepSucceeded(
            at=turn.at, step=decided.step, output=output, port=decided.decision, reason=decided.decision
        )
    else:
        event = refuse_approval(decided.step, turn.at, output)
    turn.record_step(frame, node, event)


def refuse_approval(path: str, at: datetime, output: dict[str, Any]) -> StepFailed:
    """The failure of an approval that was rejected while nobody waits for a rejection."""
    said = f": {output['comment']}" if output.get("comment") else ""
    error = ErrorInfo(code="approval_rejected", message=f"the approval was rejected{said}", details=output)
    return StepFailed(at=at, step=path, error=error, reason="approval_rejected")


def time_out(path: str, at: datetime, node: Node) -> StepFailed:
    """The failure of a wait, for a decision or a signal, that timed out while nobody waits for that."""
    what = "nobody decided" if node.type == "approval" else "the signal did not come"
    error = ErrorInfo(code="wait_timeout", message=f"{what} in time")
    return StepFailed(at=at, step=path, error=error, reason="wait_timeout")


def observe_child(turn: Turn, observation: ChildStarted | ChildRefused | ChildEnded) -> None:
    """The run of a `workflow` step was started, refused, or has ended."""
    path = observation.step
    if isinstance(observation, ChildEnded):
        waiting = _find_waiting(turn, path, "child")
        if waiting is None:
            return
        frame, node, step = waiting
        if step.child_run_id != observation.run_id:
            turn.ignore(f"{path} waits for another run")
            return
    else:
        starting = _find_starting(turn, path)
        if starting is None:
            return
        frame, node = starting
    turn.resumption = "child_ended"
    turn.record_step(frame, node, _describe_child(turn, observation))


def _describe_child(
    turn: Turn, observation: ChildStarted | ChildRefused | ChildEnded
) -> StepWaiting | StepFailed | StepSucceeded:
    at, path = turn.at, observation.step
    match observation:
        case ChildStarted(run_id=run_id):
            return StepWaiting(at=at, step=path, due_at=None, reason="child", child_run_id=run_id)
        case ChildRefused(error=error):
            return StepFailed(at=at, step=path, error=error, reason="child_refused")
        case ChildEnded(error=None):
            return StepSucceeded(at=at, step=path, output=observation.output, reason="child_succeeded")
        case ChildEnded(error=error):
            assert error is not None
            return StepFailed(at=at, step=path, error=error, reason="child_failed")
        case _:
            assert_never(observation)


def _end_wait(turn: Turn, frame: Frame, node: Node) -> None:
    """The time of a waiting step has come: a delay is over, or a wait has timed out."""
    path = frame.prefix + node.id
    if frame.steps[node.index].waits_for == "delay":
        turn.record_step(frame, node, StepSucceeded(at=turn.at, step=path, output=None, reason="delay_elapsed"))
        return
    if "timeout" in node.heard_ports:
        output: Any = None
        if node.type == "approval":
            output = {"decision": "timeout", "comment": None, "by": None, "at": None}
        event: StepSucceeded | StepFailed = StepSucceeded(
            at=turn.at, step=path, output=output, port="timeout", reason="wait_timeout"
        )
    else:
        event = time_out(path, turn.at, node)
    turn.record_step(frame, node, event)


def _find_waiting(turn: Turn, path: str, kind: str) -> tuple[Frame, Node, StepRun] | None:
    """The step that waits for this; None, with the reason told, where none does."""
    try:
        frame, node = turn.state.locate(path)
    except KeyError:
        turn.ignore(f"there is no step {path} any more")
        return None
    step = frame.steps[node.index]
    if step.status is not StepStatus.WAITING or step.waits_for != kind:
        turn.ignore(f"{path} is {step.status}: it waits for nothing of the kind")
        return None
    return frame, node, step


def _find_starting(turn: Turn, path: str) -> tuple[Frame, Node] | None:
    try:
        frame, node = turn.state.locate(path)
    except KeyError:
        turn.ignore(f"there is no step {path} any more")
        return None
    if frame.steps[node.index].status is not StepStatus.RUNNING or node.type != "workflow":
        turn.ignore(f"{path} starts no run")
        return None
    return frame, node
