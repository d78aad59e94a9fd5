"""Errors of expressions as the errors of steps and runs."""

from collections.abc import Mapping
from typing import Any

from engine.core.events import ErrorInfo
from engine.core.expressions import Expression, ExpressionError


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


def evaluate_field(expression: Expression, scope: Mapping[str, Any], pointer: str) -> Any:
    """The value of the bare expression at this pointer of a step's `with`, which its ExpressionError then names."""
    try:
        return expression.evaluate(scope)
    except ExpressionError as error:
        error.pointer = pointer
        raise
