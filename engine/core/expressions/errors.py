"""What can go wrong in an expression: `ExpressionError` for callers, `EvaluationError` inside the evaluator."""

from typing import Literal

ErrorCode = Literal[
    "expression_syntax",
    "unknown_name",
    "no_such_field",
    "type_error",
    "index_out_of_range",
    "division_by_zero",
    "overflow",
    "invalid_argument",
    "budget_exceeded",
    "too_long",
]

_NAMES_SHOWN = 10
_NAME_LENGTH = 60


class ExpressionError(Exception):
    """An expression that cannot be read or evaluated.

    `position` counts characters from the start of `expression`; `pointer` (RFC 6901) leads from the root of a template
    to the string that holds it, and is empty for a bare expression.
    """

    def __init__(self, code: ErrorCode, message: str, position: int, expression: str, pointer: str = "") -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.position = position
        self.expression = expression
        self.pointer = pointer

    def __str__(self) -> str:
        return f"{self.message} (at position {self.position} of `{self.expression}`)"


class EvaluationError(Exception):
    """A fault on its way up; `position` is filled in by the innermost part of the expression that has one."""

    def __init__(self, code: ErrorCode, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.position = position

    def at(self, position: int) -> "EvaluationError":
        """The error itself, placed at `position` unless it already has a place."""
        if self.position is None:
            self.position = position
        return self


class LimitError(EvaluationError):
    """A limit that was passed: unlike other faults, `&&`, `||` and macros never swallow it."""


def list_names(names: list[str]) -> str:
    """Names for a message, quoted: at most ten, and none longer than 60 characters."""
    shown = [f"'{name if len(name) <= _NAME_LENGTH else name[:_NAME_LENGTH] + '…'}'" for name in names[:_NAMES_SHOWN]]
    if len(names) > _NAMES_SHOWN:
        shown.append("…")
    return ", ".join(shown)
