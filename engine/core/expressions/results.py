"""Results on their way out: JSON values only, and nothing larger than the limits.

A value of the scope is handed on as it is, without looking into it. Only what the evaluation built is looked through:
its timestamps and durations become texts, and its size as JSON is counted, every repetition included.
"""

import math
from datetime import datetime, timedelta
from typing import Any

from engine.core.expressions.activation import Activation
from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import CONTAINER_COST, MAX_RESULT_SIZE
from engine.core.expressions.values import (
    COMPARED_BYTES_PER_UNIT,
    encode_json,
    format_duration,
    format_timestamp,
    kind_of,
)

PASSED_ON = frozenset({str, int, bool, type(None)})

_NUMBER_SIZE = 8


def release(value: Any, activation: Activation) -> Any:
    """The value as JSON; raises `EvaluationError` for what has no JSON and for built values that are too large."""
    kind = type(value)
    if kind in PASSED_ON:
        return value
    if (kind is list or kind is dict) and id(value) in activation.built:
        _Measure(activation).container(value)
        return value
    return _scalar(value)


def _scalar(value: Any) -> Any:
    kind = type(value)
    if kind is float and not math.isfinite(value):
        raise EvaluationError("type_error", f"the result is {'not a number' if math.isnan(value) else 'infinite'}")
    if kind is datetime:
        return format_timestamp(value)
    if kind is timedelta:
        return format_duration(value)
    if kind in PASSED_ON or kind in (float, list, dict):
        return value
    raise EvaluationError("type_error", f"a {kind_of(value)} is no JSON value")


class _Measure:
    """Goes through built lists and maps, each once, and adds up their size."""

    def __init__(self, activation: Activation) -> None:
        self._built = activation.built
        self._fuel = activation.fuel
        self._sizes: dict[int, int] = {}

    def container(self, value: list[Any] | dict[str, Any]) -> int:
        """Size of a list or map in bytes; a built one is changed in place where it holds times."""
        known = self._sizes.get(id(value))
        if known is not None:
            return known
        if id(value) in self._built:
            # Built values nest no deeper than the expression that built them.
            size = self._built_container(value)
        else:
            size = len(encode_json(value))
            self._fuel.spend(CONTAINER_COST + size // COMPARED_BYTES_PER_UNIT)
        if size > MAX_RESULT_SIZE:
            raise LimitError("too_long", f"the result is larger than {MAX_RESULT_SIZE} bytes")
        self._sizes[id(value)] = size
        return size

    def _built_container(self, value: list[Any] | dict[str, Any]) -> int:
        self._fuel.spend(CONTAINER_COST + len(value))
        size = 2 + len(value)
        if type(value) is dict:
            for key, item in value.items():
                size += len(key) + 3 + self._item(value, key, item)
        else:
            for index, item in enumerate(value):
                size += self._item(value, index, item)
        return size

    def _item(self, container: Any, key: Any, item: Any) -> int:
        kind = type(item)
        if kind is str:
            return len(item) + 2
        if kind is int:
            return _NUMBER_SIZE
        if kind is list or kind is dict:
            return self.container(item)
        if kind not in PASSED_ON:
            released = _scalar(item)
            if released is not item:
                container[key] = released
        return _NUMBER_SIZE
