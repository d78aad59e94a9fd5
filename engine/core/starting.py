"""A worker has the run: it starts, is held back, or goes on from its journal."""

from datetime import timedelta
from typing import Any

from engine.core.control import show_value
from engine.core.definition import DEFAULT_RUN_TIMEOUT_SECONDS
from engine.core.ending import end_run
from engine.core.events import ErrorInfo, RunCancelled, RunFailed, RunHeld, RunStarted
from engine.core.expressions import ExpressionError
from engine.core.failures import describe_expression_error
from engine.core.observations import FullSlots, RunClaimed
from engine.core.performing import start_step
from engine.core.statuses import RunStatus, StepStatus
from engine.core.turn import Turn

LONGEST_RUN_SECONDS = 10 * 365 * 86_400
DEADLOCK = "concurrency_deadlock"


def claim_run(turn: Turn, claimed: RunClaimed) -> None:
    """Start a queued run where it has its slot; begin the attempts anew that its last worker broke off."""
    state = turn.state
    if state.status is not RunStatus.QUEUED:
        for frame in list(state.frames.values()):
            for node in frame.graph.nodes:
                if node.body is None and frame.steps[node.index].status is StepStatus.RUNNING:
                    start_step(turn, frame, node)
    elif claimed.full is not None:
        _hold(turn, claimed.full)
    else:
        _start(turn, claimed.vars)


def fail_start(turn: Turn, error: ErrorInfo) -> None:
    """End a run whose settings cannot be used."""
    end_run(turn, RunFailed(at=turn.at, error=error, reason="invalid_settings"), "run_failed")


def _hold(turn: Turn, full: FullSlots) -> None:
    rule = turn.graph.concurrency
    if rule is not None and rule.when_full == "drop":
        end_run(turn, RunCancelled(at=turn.at, reason="concurrency_dropped"), "run_cancelled")
        return
    if full.is_stuck:
        message = (
            f"it needs a slot of the concurrency key {show_value(full.key)}, and all {full.limit} are held by runs "
            "that wait for this one, or for others that wait for a slot as well; give runs that start each other keys "
            "of their own, or more slots"
        )
        error = ErrorInfo(code=DEADLOCK, message=message, details={"holders": full.holders})
        end_run(turn, RunFailed(at=turn.at, error=error, reason=DEADLOCK), "run_failed")
        return
    if turn.state.is_held:
        turn.ignore("the run is held already")
        return
    turn.record(RunHeld(at=turn.at, key=full.key, limit=full.limit, holders=full.holders))


def _start(turn: Turn, variables: dict[str, Any]) -> None:
    seconds: Any = DEFAULT_RUN_TIMEOUT_SECONDS
    problem: ErrorInfo | None = None
    if turn.graph.timeout is not None:
        try:
            seconds = turn.graph.timeout.render(turn.state.scope | {"vars": variables | turn.state.preset_vars})
        except ExpressionError as error:
            problem = describe_expression_error(error)
    if problem is None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0):
        message = f"settings.timeout is {show_value(seconds)}; it must be a number of seconds above 0"
        problem = ErrorInfo(code="invalid_settings", message=message)
    if problem is not None:
        seconds = DEFAULT_RUN_TIMEOUT_SECONDS
    deadline_at = turn.at + timedelta(seconds=min(seconds, LONGEST_RUN_SECONDS))
    turn.record(RunStarted(at=turn.at, deadline_at=deadline_at, vars=variables))
    if problem is not None:
        fail_start(turn, problem)
