"""The functions of the language: their names, how they are called, and how many arguments they take."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from engine.core.expressions import strings
from engine.core.expressions.errors import EvaluationError
from engine.core.expressions.fuel import CALL_COST, TIME_COST, Fuel
from engine.core.expressions.times import (
    ACCESSORS,
    parse_duration,
    parse_timestamp,
    seconds_since_epoch,
    timestamp_of_seconds,
)
from engine.core.expressions.values import INT_MAX, INT_MIN, cannot_take, format_scalar, is_number, overflow, to_double

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_DECIMAL = 400
_BOOLS = {
    **dict.fromkeys(("1", "t", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "false", "FALSE", "False"), False),
}


class Function(Struct, frozen=True, kw_only=True):
    """A function; `arities` counts a method's target as an argument, `cost` is in units of fuel."""

    name: str
    implementation: Callable[..., Any]
    arities: frozenset[int]
    is_method: bool = True
    is_global: bool = False
    cost: int = CALL_COST


def _size(_fuel: Fuel, value: Any) -> int:
    if type(value) in (str, list, dict):
        return len(value)
    raise cannot_take("size", value)


def _int(_fuel: Fuel, value: Any) -> int:
    kind = type(value)
    if kind is int:
        number: int = value
    elif kind is float:
        if not math.isfinite(value):
            raise overflow("the double")
        number = int(value)
    elif kind is str:
        if not _INTEGER.fullmatch(value):
            raise EvaluationError("invalid_argument", "'int' found no integer in the text")
        number = int(value)
    elif kind is datetime:
        number = seconds_since_epoch(value)
    else:
        raise cannot_take("int", value)
    if not INT_MIN <= number <= INT_MAX:
        raise overflow("the number")
    return number


def _double(_fuel: Fuel, value: Any) -> float:
    if is_number(value):
        return to_double(value)
    if type(value) is not str:
        raise cannot_take("double", value)
    if len(value) > _LONGEST_DECIMAL or not _DECIMAL.fullmatch(value):
        raise EvaluationError("invalid_argument", "'double' found no number in the text")
    number = float(value)
    if math.isinf(number):
        raise EvaluationError("overflow", "the number is too large for a double")
    return number


def _string(_fuel: Fuel, value: Any) -> str:
    text = format_scalar(value)
    if text is None:
        raise cannot_take("string", value)
    return text


def _bool(_fuel: Fuel, value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value) is not str:
        raise cannot_take("bool", value)
    if value not in _BOOLS:
        raise EvaluationError("invalid_argument", "'bool' found neither true nor false in the text")
    return _BOOLS[value]


def _timestamp(_fuel: Fuel, value: Any) -> datetime:
    if type(value) is datetime:
        return value
    if type(value) is str:
        return parse_timestamp(value)
    if type(value) is int:
        return timestamp_of_seconds(value)
    raise cannot_take("timestamp", value)


def _duration(_fuel: Fuel, value: Any) -> timedelta:
    if type(value) is timedelta:
        return value
    if type(value) is str:
        return parse_duration(value)
    raise cannot_take("duration", value)


def _global(name: str, implementation: Callable[..., Any], cost: int = CALL_COST) -> Function:
    return Function(
        name=name, implementation=implementation, arities=frozenset({1}), is_method=False, is_global=True, cost=cost
    )


def _method(name: str, implementation: Callable[..., Any], *arities: int, cost: int = CALL_COST) -> Function:
    return Function(name=name, implementation=implementation, arities=frozenset(arities), cost=cost)


FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for function in (
        Function(name="size", implementation=_size, arities=frozenset({1}), is_global=True),
        _global("int", _int),
        _global("double", _double),
        _global("string", _string),
        _global("bool", _bool),
        _global("timestamp", _timestamp, TIME_COST),
        _global("duration", _duration, TIME_COST),
        _method("contains", strings.contains, 2),
        _method("startsWith", strings.starts_with, 2),
        _method("endsWith", strings.ends_with, 2),
        Function(name="matches", implementation=strings.matches, arities=frozenset({2}), is_global=True),
        _method("lowerAscii", strings.lower_ascii, 1),
        _method("upperAscii", strings.upper_ascii, 1),
        _method("trim", strings.trim, 1),
        _method("split", strings.split, 2, 3),
        _method("join", strings.join, 1, 2),
        _method("replace", strings.replace, 3, 4),
        _method("substring", strings.substring, 2, 3),
        _method("indexOf", strings.index_of, 2, 3),
        _method("charAt", strings.char_at, 2),
        *(_method(name, accessor, 1, 2, cost=TIME_COST) for name, accessor in ACCESSORS.items()),
    )
}
