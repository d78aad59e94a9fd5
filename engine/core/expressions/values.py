"""Values of expressions: their kinds, equality, order, and their text.

They are JSON values as Python holds them, and inside an expression also timestamps (`datetime`, UTC) and durations
(`timedelta`).
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.core.expressions.errors import EvaluationError
from engine.core.expressions.fuel import Fuel

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1

SCALARS = frozenset({str, int, float, bool, type(None), datetime, timedelta})
# Comparing texts is far quicker than building them.
COMPARED_BYTES_PER_UNIT = 1024
_ELEMENT_COST = 3

_KINDS = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    datetime: "timestamp",
    timedelta: "duration",
}
_encode_json = msgspec.json.Encoder().encode


def kind_of(value: Any) -> str:
    """The name of a value's type in the language."""
    return _KINDS.get(type(value), type(value).__name__)


def cannot_take(name: str, *arguments: Any) -> EvaluationError:
    """The error of an operator or function that does not exist for these types."""
    is_mixed = name == "+" and sum(type(value) is str for value in arguments) == 1
    hint = "; string(…) makes a text of a value" if is_mixed else ""
    kinds = " and ".join(kind_of(value) for value in arguments)
    return EvaluationError("type_error", f"'{name}' cannot take {kinds}{hint}")


def overflow(what: str = "the result") -> EvaluationError:
    """The error of a number that does not fit."""
    return EvaluationError("overflow", f"{what} does not fit into 64 bits")


def to_double(value: float) -> float:
    """A number as a double; raises `EvaluationError` where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        raise overflow("the integer") from None


def is_number(value: Any) -> bool:
    """Whether a value is an int or a double; a bool is not."""
    return type(value) is int or type(value) is float


def equal(left: Any, right: Any, fuel: Fuel) -> bool:
    """Deep equality; values of different types are unequal, except that ints and doubles compare as doubles."""
    if type(left) is not type(right) or type(left) in SCALARS:
        fuel.spend(2)
        return _equal_scalars(left, right, fuel)
    # A stack of our own: values may be nested deeper than Python recurses.
    pending = [(left, right)]
    while pending:
        left, right = pending.pop()
        fuel.spend(1)
        kind = type(left)
        if kind is type(right) and (kind is list or kind is dict):
            if len(left) != len(right):
                return False
            fuel.spend(2 * len(left))
            if kind is list:
                pending.extend(zip(left, right, strict=True))
            elif left.keys() == right.keys():
                pending.extend((value, right[key]) for key, value in left.items())
            else:
                return False
        elif not _equal_scalars(left, right, fuel):
            return False
    return True


def _equal_scalars(left: Any, right: Any, fuel: Fuel) -> bool:
    kind = type(left)
    if kind is not type(right):
        return is_number(left) and is_number(right) and to_double(left) == to_double(right)
    if kind is str:
        fuel.spend(len(left) // COMPARED_BYTES_PER_UNIT)
    return bool(left == right)


def compare(name: str, holds: Callable[[Any, Any], Any], left: Any, right: Any, fuel: Fuel) -> bool:
    """Whether an order holds between two values: numbers, strings, bools, timestamps or durations."""
    kind = type(left)
    if kind is type(right):
        if kind is str:
            fuel.spend(min(len(left), len(right)) // COMPARED_BYTES_PER_UNIT)
        elif kind is type(None) or kind not in SCALARS:
            raise cannot_take(name, left, right)
        return bool(holds(left, right))
    if is_number(left) and is_number(right):
        return bool(holds(to_double(left), to_double(right)))
    raise cannot_take(name, left, right)


def contains(item: Any, container: Any, fuel: Fuel) -> bool:
    """The operator `in`: an element of a list, or a key of a map."""
    if type(container) is dict:
        return type(item) is str and item in container
    if type(container) is not list:
        raise cannot_take("in", item, container)
    if type(item) is str:
        # No other type equals a string, so the quick search is right.
        fuel.spend(len(container) * (1 + len(item) // COMPARED_BYTES_PER_UNIT))
        return item in container
    fuel.spend(_ELEMENT_COST * len(container))
    return any(equal(item, element, fuel) for element in container)


def format_double(value: float) -> str:
    """The shortest text that reads back as the same double, without the `.0` of a whole one."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+infinity" if value > 0 else "-infinity"
    return repr(value).removesuffix(".0")


def format_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, with as many digits of a second as it needs."""
    text = moment.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"


def format_duration(duration: timedelta) -> str:
    """Seconds with the unit, such as `3600s` or `-1.5s`."""
    microseconds = duration // timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    digits = f".{fraction:06}".rstrip("0") if fraction else ""
    return f"{'-' if microseconds < 0 else ''}{seconds}{digits}s"


def format_int(value: int) -> str:
    """Decimal digits; raises `EvaluationError` for an integer beyond 64 bits."""
    if not INT_MIN <= value <= INT_MAX:
        raise overflow("the integer")
    return str(value)


_FORMATS: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: format_int,
    float: format_double,
    datetime: format_timestamp,
    timedelta: format_duration,
}


def format_scalar(value: Any) -> str | None:
    """What `string(value)` gives, or None where a value has no such text (null, lists and maps)."""
    formatter = _FORMATS.get(type(value))
    return None if formatter is None else formatter(value)


def encode_json(value: Any) -> bytes:
    """Compact JSON; raises `EvaluationError` for what has none."""
    try:
        return _encode_json(value)
    except RecursionError:
        raise EvaluationError("too_long", "the value is nested too deeply") from None
    except (TypeError, ValueError, OverflowError):
        raise EvaluationError("type_error", "the value cannot be written as JSON") from None
