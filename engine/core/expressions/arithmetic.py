"""The operators `+ - * / %` on any two values. Ints stay within 64 bits; an int beside a double becomes a double."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from engine.core.expressions.errors import EvaluationError
from engine.core.expressions.fuel import Fuel
from engine.core.expressions.times import in_range
from engine.core.expressions.values import INT_MAX, INT_MIN, cannot_take, is_number, overflow, to_double

Operator = Callable[[Any, Any, Fuel], Any]


def add(left: Any, right: Any, fuel: Fuel) -> Any:
    """Sum of numbers, strings or lists joined, or a moment or duration moved by a duration."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return _fits(left + right)
        if kind is str:
            fuel.build_text(len(left) + len(right))
            return left + right
        if kind is list:
            fuel.spend(1 + len(left) + len(right))
            return left + right
        if kind is float:
            return left + right
        if kind is timedelta:
            return in_range(lambda: left + right)
    elif is_number(left) and is_number(right):
        return to_double(left) + to_double(right)
    elif (kind is datetime and type(right) is timedelta) or (kind is timedelta and type(right) is datetime):
        return in_range(lambda: left + right)
    raise cannot_take("+", left, right)


def subtract(left: Any, right: Any, _fuel: Fuel) -> Any:
    """Difference of numbers, moments or durations, or a moment moved back by a duration."""
    if type(left) is int and type(right) is int:
        return _fits(left - right)
    if is_number(left) and is_number(right):
        return to_double(left) - to_double(right)
    if type(left) in (datetime, timedelta) and type(right) in (timedelta, type(left)):
        return in_range(lambda: left - right)
    raise cannot_take("-", left, right)


def multiply(left: Any, right: Any, _fuel: Fuel) -> Any:
    """Product of numbers."""
    if type(left) is int and type(right) is int:
        return _fits(left * right)
    if is_number(left) and is_number(right):
        return to_double(left) * to_double(right)
    raise cannot_take("*", left, right)


def divide(left: Any, right: Any, _fuel: Fuel) -> Any:
    """Quotient of numbers: of ints it drops the fraction, of doubles it follows IEEE 754."""
    if type(left) is int and type(right) is int:
        if right == 0:
            raise EvaluationError("division_by_zero", "division by zero")
        whole = abs(left) // abs(right)
        return _fits(whole if (left < 0) == (right < 0) else -whole)
    if is_number(left) and is_number(right):
        return _divide_doubles(to_double(left), to_double(right))
    raise cannot_take("/", left, right)


def remainder(left: Any, right: Any, _fuel: Fuel) -> int:
    """Remainder of ints, with the sign of the left one."""
    if type(left) is not int or type(right) is not int:
        raise cannot_take("%", left, right)
    if right == 0:
        raise EvaluationError("division_by_zero", "remainder of a division by zero")
    if left == INT_MIN and right == -1:
        raise overflow()
    rest = abs(left) % abs(right)
    return _fits(-rest if left < 0 else rest)


def negate(value: Any) -> Any:
    """The opposite number."""
    if type(value) is int:
        return _fits(-value)
    if type(value) is float:
        return -value
    raise cannot_take("-", value)


OPERATORS: dict[str, Operator] = {"+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder}


def _divide_doubles(left: float, right: float) -> float:
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _fits(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise overflow()
