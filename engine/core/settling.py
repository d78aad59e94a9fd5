"""What follows from what has happened: steps whose turn has come, iterations and runs that have ended."""

from typing import Any

from engine.core.control import decide_control_step, name_type, refuse_config, succeed_within_limit
from engine.core.decisions import StartChild
from engine.core.ending import cancel_frame, end_run
from engine.core.events import (
    ErrorInfo,
    RunFailed,
    RunResumed,
    RunSucceeded,
    RunWaiting,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from engine.core.expressions import ExpressionError
from engine.core.failures import InvalidConfig, describe_expression_error
from engine.core.graph import ERROR_PORT, Node
from engine.core.loops import prepare_loop
from engine.core.performing import start_step
from engine.core.state import Frame, Loop, is_satisfied
from engine.core.statuses import RunStatus, StepStatus
from engine.core.turn import Turn
from engine.core.waiting import give_signal, refuse_approval, time_out

# Decisions of one turn: what is left is decided by the next one, so that a large `foreach` blocks nobody for long.
MOST_DECISIONS = 500


def settle(turn: Turn) -> None:
    """Decide every step whose turn has come, then the run itself."""
    state = turn.state
    if state.status is RunStatus.QUEUED:
        return
    while not state.is_over:
        if state.failing:
            _break_off(turn, state.failing.popleft())
        elif state.closing:
            _close_loop(turn, state.closing.popleft())
        elif state.unresolved:
            if len(turn.decisions) >= MOST_DECISIONS:
                return
            frame, index = state.unresolved.popleft()
            _resolve(turn, frame, frame.graph.nodes[index])
        else:
            _settle_run(turn)
            return


def _settle_run(turn: Turn) -> None:
    state = turn.state
    if not state.unfinished:
        _finish(turn)
    elif state.status is RunStatus.RUNNING:
        if not state.active and any(state.waiting.values()):
            kinds = [kind for kind, count in state.waiting.items() if count]
            reason = kinds[0] if len(kinds) == 1 else "several"
            turn.record(RunWaiting(at=turn.at, wake_at=state.next_due() or turn.at, reason=reason))
    elif state.active:
        turn.record(RunResumed(at=turn.at, reason=turn.resumption))


def _break_off(turn: Turn, frame: Frame) -> None:
    """A failure was left unhandled: it ends the iteration that it happened in, or the run."""
    state = turn.state
    if frame.unhandled is None or state.frames.get(frame.key) is not frame:
        return
    if frame.loop is not None:
        cancel_frame(turn, frame, "item_failed")
        return
    node = frame.graph.nodes[frame.unhandled]
    failed = frame.scope["steps"][node.id]["error"]
    error = ErrorInfo(code=failed["code"], message=failed["message"], status=failed.get("status"), step=node.id)
    _leave_waiting(turn)
    end_run(turn, RunFailed(at=turn.at, error=error, reason="step_failed"), "run_failed")


def _close_loop(turn: Turn, loop: Loop) -> None:
    """End a `foreach` whose items are done, or of which one failed."""
    frame, node = loop.frame, loop.node
    step = frame.steps[node.index]
    if step.loop is not loop or step.status is not StepStatus.RUNNING or loop.is_closing:
        return
    path = frame.prefix + node.id
    if loop.failure is not None:
        loop.is_closing = True
        for iteration in list(loop.open.values()):
            cancel_frame(turn, iteration, "loop_failed")
        reason = "item_failed" if loop.failure.code == "item_failed" else "output_too_large"
        turn.record_step(frame, node, StepFailed(at=turn.at, step=path, error=loop.failure, reason=reason))
    elif loop.is_done:
        loop.is_closing = True
        output = [loop.results[index] for index in range(len(loop.items))]
        turn.record_step(frame, node, succeed_within_limit(path, turn.at, output, "items_done"))


def _resolve(turn: Turn, frame: Frame, node: Node) -> None:
    """Start the step or skip it: everything that it waits for has settled."""
    step = frame.steps[node.index]
    if step.status is not StepStatus.PENDING or turn.state.frames.get(frame.key) is not frame:
        return
    if node.after and (not step.satisfied if node.join_any else step.satisfied < len(node.after)):
        turn.record_step(frame, node, _skip(turn, frame, node))
    elif turn.state.mocks and node.id in turn.state.mocks:
        turn.record_step(frame, node, _mock(turn, frame, node, turn.state.mocks[node.id]))
    elif not node.is_control:
        start_step(turn, frame, node)
    elif node.type == "foreach":
        _start_loop(turn, frame, node)
    elif node.type == "workflow":
        _start_child(turn, frame, node)
    else:
        turn.record_step(frame, node, decide_control_step(frame.prefix + node.id, node, frame.scope, turn.at))
        if step.signal is not None:
            give_signal(turn, frame, node)


def _skip(turn: Turn, frame: Frame, node: Node) -> StepSkipped:
    source, port = next(entry for entry in node.after if not is_satisfied(frame, *entry))
    status = frame.steps[source].status
    entry = frame.graph.nodes[source].id + (f".{port}" if port else "")
    if node.join_any:
        reason = "nothing_satisfied"
    elif status is StepStatus.SKIPPED:
        reason = "dependency_skipped"
    elif status is StepStatus.FAILED:
        reason = "dependency_failed"
    else:
        reason = "dependency_succeeded" if port == ERROR_PORT else "port_not_taken"
    return StepSkipped(at=turn.at, step=frame.prefix + node.id, because=entry, reason=reason)


def _mock(turn: Turn, frame: Frame, node: Node, output: Any) -> StepSucceeded | StepFailed:
    """A step of a test whose output is given; the port follows from it where the step has ports.

    A refusal that nobody waits for fails the step, as it does when the step is performed.
    """
    path = frame.prefix + node.id
    port: str | None = None
    if node.type == "if":
        port = "true" if output is True else "false"
    elif node.type == "switch":
        port = output if any(name == output for name, _ in node.cases) else "default"
    elif node.type == "approval":
        decision = output.get("decision") if isinstance(output, dict) else None
        port = next((refusal for refusal in node.refusing_ports if refusal == decision), "approved")
        if port == "rejected" and port not in node.heard_ports:
            return refuse_approval(path, turn.at, output)
        if port == "timeout" and port not in node.heard_ports:
            return time_out(path, turn.at, node)
    return StepSucceeded(at=turn.at, step=path, output=output, port=port, reason="mocked")


def _start_loop(turn: Turn, frame: Frame, node: Node) -> None:
    path = frame.prefix + node.id
    loop = frame.steps[node.index].loop
    if loop is None:
        try:
            turn.state.prepared = prepared = prepare_loop(frame, node)
        except ExpressionError as error:
            info = describe_expression_error(error)
            turn.record_step(frame, node, StepFailed(at=turn.at, step=path, error=info, reason="expression_error"))
            return
        except InvalidConfig as error:
            turn.record_step(frame, node, refuse_config(path, node, turn.at, error))
            return
        count = len(prepared.items)
    else:
        count = len(loop.items)
    turn.record_step(
        frame,
        node,
        StepStarted(at=turn.at, step=path, attempt=0, started_at=turn.at, reason="items", items=count),
    )


def _start_child(turn: Turn, frame: Frame, node: Node) -> None:
    path = frame.prefix + node.id
    try:
        config = node.config.render(frame.scope)
    except ExpressionError as error:
        info = describe_expression_error(error)
        turn.record_step(frame, node, StepFailed(at=turn.at, step=path, error=info, reason="expression_error"))
        return
    if not isinstance(config["workflow_id"], str):
        message = f"`workflow_id` gave {name_type(config['workflow_id'])}; it must be a text"
        refused = refuse_config(path, node, turn.at, InvalidConfig(message, "/workflow_id"))
        turn.record_step(frame, node, refused)
        return
    # Not journalled: until the run is known to exist, the step begins anew after a crash, and finds it there.
    frame.steps[node.index].status = StepStatus.RUNNING
    turn.state.active += 1
    turn.decisions.append(
        StartChild(step=path, workflow_id=config["workflow_id"], input=config.get("input", {}), decided_at=turn.at)
    )


def _finish(turn: Turn) -> None:
    _leave_waiting(turn)
    output: Any = None
    if turn.graph.output is not None:
        try:
            output = turn.graph.output.render(turn.state.scope, null_safe=True)
        except ExpressionError as error:
            info = describe_expression_error(error, code="output_error")
            turn.record(RunFailed(at=turn.at, error=info, reason="output_error"))
            return
    ended = succeed_within_limit("", turn.at, output, "completed")
    if isinstance(ended, StepFailed):
        too_large = ErrorInfo(code="output_error", message=ended.error.message)
        turn.record(RunFailed(at=turn.at, error=too_large, reason="output_error"))
        return
    turn.record(RunSucceeded(at=turn.at, output=output, reason="completed"))


def _leave_waiting(turn: Turn) -> None:
    if turn.state.status is RunStatus.WAITING:
        turn.record(RunResumed(at=turn.at, reason=turn.resumption))
