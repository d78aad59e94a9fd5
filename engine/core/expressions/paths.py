"""Selections: `a.b["c"][0]` as closures over the scope, which is read where it lies and never copied."""

from collections.abc import Sequence
from typing import Any

from engine.core.expressions.activation import Activation, Evaluator
from engine.core.expressions.errors import EvaluationError, list_names
from engine.core.expressions.values import kind_of

# A step of a path: a field's name, or what computes a key; and its position.
Step = tuple[str | Evaluator, int]

_QUICK_STEPS = 3


def name_evaluator(name: str, position: int) -> Evaluator:
    """Read a name of the scope."""

    def read(activation: Activation) -> Any:
        try:
            return activation.scope[name]
        except KeyError:
            raise _unknown_name(name, activation, position) from None

    return read


def variable_evaluator(slot: int) -> Evaluator:
    """Read the variable of a macro."""

    def read(activation: Activation) -> Any:
        return activation.variables[slot]

    return read


def path_evaluator(root: Evaluator, steps: Sequence[Step]) -> Evaluator:
    """Select step by step from a root."""
    steps = tuple(steps)

    def select(activation: Activation) -> Any:
        value = root(activation)
        for step, position in steps:
            if isinstance(step, str):
                if type(value) is dict and step in value:
                    value = value[step]
                elif value is None and activation.null_safe:
                    return None
                else:
                    raise _no_field(value, step, position)
            elif value is None and activation.null_safe:
                return None
            else:
                value = _item(value, step(activation), position)
        return value

    return select


def quick_variable_path(slot: int, steps: Sequence[Step], slow: Evaluator) -> Evaluator:
    """Like `slow`, quicker where the path starts at a macro's variable and selects one field."""
    if len(steps) != 1 or not isinstance(steps[0][0], str):
        return slow
    field = steps[0][0]

    def select(activation: Activation) -> Any:
        try:
            return activation.variables[slot][field]
        except (KeyError, TypeError):
            return slow(activation)

    return select


def quick_name_path(name: str, steps: Sequence[Step], slow: Evaluator) -> Evaluator:
    """Like `slow`, quicker where up to three fields are selected from a name of the scope."""
    fields = [step for step, _ in steps if isinstance(step, str)]
    if not fields or len(fields) != len(steps) or len(fields) > _QUICK_STEPS:
        return slow
    first, second, third = [*fields, "", ""][:_QUICK_STEPS]

    # Only a map takes a text as a key, so a wrong type ends in the careful way too.
    def select_one(activation: Activation) -> Any:
        try:
            return activation.scope[name][first]
        except (KeyError, TypeError):
            return slow(activation)

    def select_two(activation: Activation) -> Any:
        try:
            return activation.scope[name][first][second]
        except (KeyError, TypeError):
            return slow(activation)

    def select_three(activation: Activation) -> Any:
        try:
            return activation.scope[name][first][second][third]
        except (KeyError, TypeError):
            return slow(activation)

    return (select_one, select_two, select_three)[len(fields) - 1]


def has_evaluator(operand: Evaluator, field: str, position: int) -> Evaluator:
    """Whether a map has a field."""

    def test(activation: Activation) -> bool:
        value = operand(activation)
        if type(value) is dict:
            return field in value
        if value is None and activation.null_safe:
            return False
        raise EvaluationError("type_error", f"'has' looks into maps, not into {kind_of(value)}", position)

    return test


def _item(value: Any, key: Any, position: int) -> Any:
    if type(value) is dict:
        if type(key) is not str:
            raise EvaluationError("type_error", f"keys of a map are strings, not {kind_of(key)}", position)
        if key in value:
            return value[key]
        raise _no_field(value, key, position)
    if type(value) is list:
        index = int(key) if type(key) is float and key.is_integer() else key
        if type(index) is not int:
            raise EvaluationError("type_error", f"the index of a list is an int, not {kind_of(key)}", position)
        if 0 <= index < len(value):
            return value[index]
        message = f"no item {index} in a list of {len(value)}" if abs(index) < 1 << 64 else "no such item in the list"
        raise EvaluationError("index_out_of_range", message, position)
    raise EvaluationError("type_error", f"nothing can be selected from {kind_of(value)}", position)


def _no_field(value: Any, field: str, position: int) -> EvaluationError:
    if type(value) is not dict:
        return EvaluationError("type_error", f"no field {list_names([field])} in {kind_of(value)}", position)
    known = f"fields are {list_names(list(value))}" if value else "the map is empty"
    return EvaluationError("no_such_field", f"no field {list_names([field])}; {known}", position)


def _unknown_name(name: str, activation: Activation, position: int) -> EvaluationError:
    known = f"names are {list_names(sorted(activation.scope))}" if activation.scope else "there are none"
    return EvaluationError("unknown_name", f"no name {list_names([name])}; {known}", position)
