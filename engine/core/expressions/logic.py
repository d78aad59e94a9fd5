"""`&&`, `||`, `!`, the conditional, comparisons and arithmetic as closures."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from engine.core.expressions.activation import Activation, Evaluator
from engine.core.expressions.arithmetic import OPERATORS, negate
from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import ERROR_COST, Fuel
from engine.core.expressions.values import (
    COMPARED_BYTES_PER_UNIT,
    INT_MAX,
    INT_MIN,
    cannot_take,
    compare,
    contains,
    equal,
    kind_of,
)

Apply = Callable[[Any, Any, Fuel], Any]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUALITIES: dict[str, Callable[[Any, Any], bool]] = {"==": operator.eq, "!=": operator.ne}
_QUICK_INTS: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_PLAIN = frozenset({int, bool, float, type(None)})


def all_of(operands: Sequence[Evaluator], name: str, position: int) -> Evaluator:
    """`&&` or `||`: the deciding value wins over an error on either side, whichever comes first."""
    operands = tuple(operands)
    decides = name == "||"

    def evaluate(activation: Activation) -> bool:
        error: EvaluationError | None = None
        for operand in operands:
            try:
                value: object = operand(activation)
            except LimitError:
                raise
            except EvaluationError as fault:
                activation.fuel.spend(ERROR_COST)
                error = error or fault
                continue
            if value is decides:
                return decides
            if type(value) is not bool:
                error = error or EvaluationError("type_error", f"'{name}' wants bools, not {kind_of(value)}", position)
        if error is not None:
            raise error
        return not decides

    return evaluate


def not_evaluator(operand: Evaluator, position: int) -> Evaluator:
    """`!a`."""

    def evaluate(activation: Activation) -> bool:
        value = operand(activation)
        if type(value) is bool:
            return not value
        raise cannot_take("!", value).at(position)

    return evaluate


def negate_evaluator(operand: Evaluator, position: int) -> Evaluator:
    """`-a`."""

    def evaluate(activation: Activation) -> Any:
        value = operand(activation)
        try:
            return negate(value)
        except EvaluationError as error:
            raise error.at(position) from None

    return evaluate


def conditional(condition: Evaluator, then: Evaluator, otherwise: Evaluator, position: int) -> Evaluator:
    """`a ? b : c`."""

    def evaluate(activation: Activation) -> Any:
        value = condition(activation)
        if value is True:
            return then(activation)
        if value is False:
            return otherwise(activation)
        raise EvaluationError("type_error", f"the condition is a bool, not {kind_of(value)}", position)

    return evaluate


def binary(name: str, left: Evaluator, right: Evaluator, position: int) -> Evaluator:
    """One operator between two operands."""
    if name in ("==", "!="):
        return _equality(left, right, position, wanted=name == "==")
    if name in _ORDERS:
        return _order(name, left, right, position)
    if name in _QUICK_INTS:
        return _arithmetic(name, left, right, position)
    return chain(left, [(name, right, position)])


def chain(first: Evaluator, links: Sequence[tuple[str, Evaluator, int]]) -> Evaluator:
    """Operators of one precedence from left to right, in a loop: a long sum needs no deep stack."""
    applied = tuple((_apply(name), operand, position) for name, operand, position in links)

    def evaluate(activation: Activation) -> Any:
        value = first(activation)
        for apply, operand, position in applied:
            right = operand(activation)
            try:
                value = apply(value, right, activation.fuel)
            except EvaluationError as error:
                raise error.at(position) from None
            if type(value) is list:
                activation.build(value)
        return value

    return evaluate


def binary_with_constant(name: str, left: Evaluator, constant: Any, position: int) -> Evaluator:
    """Like `binary`, quicker for the usual comparison of something with a constant of the same type."""
    careful = binary(name, left, lambda _activation: constant, position)
    wanted_kind = type(constant)
    compare_quickly = _ORDERS.get(name) or _EQUALITIES.get(name)
    if compare_quickly is None or (name in _ORDERS and wanted_kind not in (int, float)):
        return careful
    apply = _apply(name)

    def evaluate(activation: Activation) -> bool:
        value = left(activation)
        if type(value) is wanted_kind:
            return compare_quickly(value, constant)
        try:
            return bool(apply(value, constant, activation.fuel))
        except EvaluationError as error:
            raise error.at(position) from None

    return evaluate


def _apply(name: str) -> Apply:
    if name == "==":
        return equal
    if name == "!=":
        return lambda left, right, fuel: not equal(left, right, fuel)
    if name == "in":
        return contains
    if name in _ORDERS:
        holds = _ORDERS[name]
        return lambda left, right, fuel: compare(name, holds, left, right, fuel)
    return OPERATORS[name]


def _equality(left: Evaluator, right: Evaluator, position: int, *, wanted: bool) -> Evaluator:
    def evaluate(activation: Activation) -> bool:
        first = left(activation)
        second = right(activation)
        kind = type(first)
        if kind is type(second) and (kind in _PLAIN or (kind is str and len(first) < COMPARED_BYTES_PER_UNIT)):
            return (first == second) is wanted
        try:
            return equal(first, second, activation.fuel) is wanted
        except EvaluationError as error:
            raise error.at(position) from None

    return evaluate


def _order(name: str, left: Evaluator, right: Evaluator, position: int) -> Evaluator:
    holds = _ORDERS[name]

    def evaluate(activation: Activation) -> bool:
        first = left(activation)
        second = right(activation)
        kind = type(first)
        if kind is type(second) and (kind is int or kind is float):
            return holds(first, second)
        try:
            return compare(name, holds, first, second, activation.fuel)
        except EvaluationError as error:
            raise error.at(position) from None

    return evaluate


def _arithmetic(name: str, left: Evaluator, right: Evaluator, position: int) -> Evaluator:
    quick = _QUICK_INTS[name]
    careful = OPERATORS[name]

    def evaluate(activation: Activation) -> Any:
        first = left(activation)
        second = right(activation)
        if type(first) is int and type(second) is int and INT_MIN <= (value := quick(first, second)) <= INT_MAX:
            return value
        try:
            value = careful(first, second, activation.fuel)
        except EvaluationError as error:
            raise error.at(position) from None
        return activation.build(value) if type(value) is list else value

    return evaluate
