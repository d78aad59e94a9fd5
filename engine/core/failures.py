"""Errors of expressions, and of what they gave, as the errors of steps and runs."""

from collections.abc import Mapping
from typing import Any

from engine.core.events import ErrorInfo
from engine.core.expressions import Expression, ExpressionError
from engine.core.graph import Node


class InvalidConfig(ValueError):
    """A step's configuration is wrong once its expressions are filled in; the message is a plain sentence.

    `pointer` leads from `with` to what is wrong.
    """

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


def describe_expression_error(error: ExpressionError, *, code: str = "expression_error") -> ErrorInfo:
    """What a reader needs to mend the expression: its text, the position in it, and what went wrong."""
    return ErrorInfo(
        code=code,
        message=error.message,
        expression=error.expression,
        position=error.position,
        pointer=error.pointer or None,
        details={"kind": error.code},
    )


def describe_invalid_config(error: InvalidConfig, node: Node) -> ErrorInfo:
    """What a reader needs to mend the step's configuration: what is wrong, where, and the expression that gave it."""
    expression = node.expression_at(error.pointer)
    return ErrorInfo(
        code="invalid_config",
        message=str(error),
        expression=expression,
        position=None if expression is None else 0,
        pointer=error.pointer,
    )


def evaluate_field(expression: Expression, scope: Mapping[str, Any], pointer: str) -> Any:
    """The value of the bare expression at this pointer of a step's `with`, which its ExpressionError then names."""
    try:
        return expression.evaluate(scope)
    except ExpressionError as error:
        error.pointer = pointer
        raise
