"""Action steps: their attempts begin, go on, succeed and fail."""

from typing import Any, assert_never

from msgspec import UNSET

from engine.core.decisions import StartAttempt
from engine.core.events import StepFailed, StepRetrying, StepStarted, StepSucceeded
from engine.core.expressions import ExpressionError
from engine.core.failures import describe_expression_error
from engine.core.graph import Node
from engine.core.observations import AttemptFailed, AttemptOngoing, AttemptSucceeded
from engine.core.retry import is_retried, next_attempt_at
from engine.core.state import Frame, start_attempt
from engine.core.statuses import StepStatus
from engine.core.turn import Turn


def start_step(turn: Turn, frame: Frame, node: Node) -> None:
    """Decide the next attempt of an action step, or its failure where its configuration cannot be made."""
    path = frame.prefix + node.id
    try:
        config = node.config.render(frame.scope)
    except ExpressionError as error:
        info = describe_expression_error(error)
        turn.record_step(frame, node, StepFailed(at=turn.at, step=path, error=info, reason="expression_error"))
        return
    step = start_attempt(turn.state, frame, node)
    turn.decisions.append(
        StartAttempt(
            step=path,
            type=node.type,
            attempt=step.attempt,
            config=config,
            timeout=node.timeout,
            decided_at=turn.at,
        )
    )


def observe_attempt(turn: Turn, observation: AttemptOngoing | AttemptSucceeded | AttemptFailed) -> None:
    """An attempt went on or ended; what is said of any but the present one is stale."""
    try:
        frame, node = turn.state.locate(observation.step)
    except KeyError:
        turn.ignore(f"there is no step {observation.step} any more")
        return
    step = frame.steps[node.index]
    if step.status is not StepStatus.RUNNING or step.attempt != observation.attempt:
        turn.ignore(f"attempt {observation.attempt} of {observation.step} is not running")
        return
    match observation:
        case AttemptSucceeded():
            event = StepSucceeded(
                at=turn.at,
                step=observation.step,
                attempt=observation.attempt,
                output=observation.output,
                started_at=observation.started_at,
                queued_ms=observation.queued_ms,
                limited_ms=observation.limited_ms or UNSET,
            )
            turn.record_step(frame, node, event)
        case AttemptFailed():
            turn.record_step(frame, node, _fail_attempt(turn, node, observation, step.base))
        case AttemptOngoing(started_at=started_at):
            turn.record_step(
                frame,
                node,
                StepStarted(
                    at=turn.at,
                    step=observation.step,
                    attempt=observation.attempt,
                    started_at=started_at,
                    reason="long_running" if started_at else "held_back",
                    queued_ms=observation.queued_ms,
                    limited_ms=observation.limited_ms or UNSET,
                ),
            )
        case _:
            assert_never(observation)


def _fail_attempt(turn: Turn, node: Node, failure: AttemptFailed, base: int) -> StepRetrying | StepFailed:
    """A failed attempt is tried again or was the last; `base` attempts were made in earlier rounds of the run."""
    retry_at = None if node.retry is None else next_attempt_at(node.retry, failure, base=base)
    common: dict[str, Any] = {
        "at": turn.at,
        "step": failure.step,
        "attempt": failure.attempt,
        "error": failure.error,
        "started_at": failure.started_at,
        "queued_ms": failure.queued_ms,
        "limited_ms": failure.limited_ms or UNSET,
    }
    if retry_at is not None:
        return StepRetrying(**common, retry_at=retry_at, reason=failure.cause or "error")
    if failure.error.code == "output_too_large":
        return StepFailed(**common, reason="output_too_large")
    retried = node.retry is not None and is_retried(node.retry, failure)
    return StepFailed(**common, reason="attempts_exhausted" if retried else "not_retryable")
