"""Errors of expressions as the errors of steps and runs."""

from engine.core.events import ErrorInfo
from engine.core.expressions import ExpressionError


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
