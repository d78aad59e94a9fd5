"""Control steps: what the core decides itself."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.core.events import ErrorInfo, StepFailed, StepSucceeded, StepWaiting
from engine.core.expressions import ExpressionError
from engine.core.failures import describe_expression_error
from engine.core.graph import Node

LONGEST_DELAY = timedelta(days=3650)


def decide_control_step(node: Node, scope: Mapping[str, Any], at: datetime) -> StepSucceeded | StepFailed | StepWaiting:
    """What becomes of a control step whose turn has come."""
    try:
        if node.condition is not None:
            return _decide_condition(node, node.condition.evaluate(scope), at)
        return _decide_delay(node, node.config.render(scope), at)
    except ExpressionError as error:
        return StepFailed(at=at, step=node.id, error=describe_expression_error(error), reason="expression_error")


def _decide_condition(node: Node, value: Any, at: datetime) -> StepSucceeded | StepFailed:
    if not isinstance(value, bool):
        return _refuse(node, at, f"the condition gave {_name_type(value)}; it must give true or false")
    port = "true" if value else "false"
    return StepSucceeded(at=at, step=node.id, output=value, port=port, reason=f"condition_{port}")


def _decide_delay(node: Node, config: dict[str, Any], at: datetime) -> StepSucceeded | StepFailed | StepWaiting:
    try:
        due_at = _until(config["until"]) if "until" in config else at + _span(config["seconds"])
    except ValueError as error:
        return _refuse(node, at, str(error))
    if due_at > at + LONGEST_DELAY:
        return _refuse(node, at, f"the delay ends later than {LONGEST_DELAY.days} days from now")
    if due_at <= at:
        return StepSucceeded(at=at, step=node.id, output=None, reason="delay_elapsed")
    return StepWaiting(at=at, step=node.id, due_at=due_at, reason="delay")


def _span(seconds: Any) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise ValueError(f"`seconds` is {seconds!r}; it must be a number of seconds, 0 or more")
    return timedelta(seconds=min(seconds, 2 * LONGEST_DELAY.total_seconds()))


def _until(text: Any) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"`until` is {text!r}; it must be a time with its offset, like 2027-01-31T09:00:00Z")
    return moment.astimezone(UTC)


def _refuse(node: Node, at: datetime, message: str) -> StepFailed:
    return StepFailed(
        at=at, step=node.id, error=ErrorInfo(code="invalid_config", message=message), reason="invalid_config"
    )


def _name_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), type(value).__name__)
