"""Macros: an expression evaluated for every item of a list, or every key of a map. Each item costs fuel."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.core.expressions.activation import Activation, Evaluator
from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import ERROR_COST
from engine.core.expressions.values import kind_of


class Loop(Struct, frozen=True, kw_only=True):
    """What a macro runs over: its source, its variable's slot, and what one item costs."""

    name: str
    source: Evaluator
    slot: int
    cost: int
    position: int

    def items(self, activation: Activation) -> Any:
        """The items of the list, or the keys of the map."""
        value = self.source(activation)
        if type(value) is list or type(value) is dict:
            return value
        raise EvaluationError(
            "type_error", f"'{self.name}' goes over lists and maps, not {kind_of(value)}", self.position
        )

    def not_bool(self, value: Any) -> EvaluationError:
        """The error of a condition that is none."""
        message = f"the condition of '{self.name}' is a bool, not {kind_of(value)}"
        return EvaluationError("type_error", message, self.position)


def quantifier(loop: Loop, condition: Evaluator, *, decides: bool) -> Evaluator:
    """`all` (decided by false) or `exists` (by true); like `&&` and `||`, the deciding value wins over errors."""
    slot, cost = loop.slot, loop.cost

    def evaluate(activation: Activation) -> bool:
        spend, variables = activation.fuel.spend, activation.variables
        error: EvaluationError | None = None
        for item in loop.items(activation):
            spend(cost)
            variables[slot] = item
            try:
                value: object = condition(activation)
            except LimitError:
                raise
            except EvaluationError as fault:
                spend(ERROR_COST)
                error = error or fault
                continue
            if value is decides:
                return decides
            if type(value) is not bool:
                error = error or loop.not_bool(value)
        if error is not None:
            raise error
        return not decides

    return evaluate


def exists_one(loop: Loop, condition: Evaluator) -> Evaluator:
    """Whether the condition holds for exactly one item."""
    holds = _selected(loop, condition)

    def evaluate(activation: Activation) -> bool:
        return len(holds(activation)) == 1

    return evaluate


def filter_items(loop: Loop, condition: Evaluator) -> Evaluator:
    """The items for which the condition holds."""
    selected = _selected(loop, condition)

    def evaluate(activation: Activation) -> Any:
        return activation.build(selected(activation))

    return evaluate


def map_items(loop: Loop, condition: Evaluator | None, transform: Evaluator) -> Evaluator:
    """The transform of every item, or of those for which the condition holds."""
    slot, cost = loop.slot, loop.cost

    def evaluate(activation: Activation) -> Any:
        spend, variables = activation.fuel.spend, activation.variables
        results: list[Any] = []
        for item in loop.items(activation):
            spend(cost)
            variables[slot] = item
            if condition is not None:
                value = condition(activation)
                if value is False:
                    continue
                if value is not True:
                    raise loop.not_bool(value)
            results.append(transform(activation))
        return activation.build(results)

    return evaluate


def _selected(loop: Loop, condition: Evaluator) -> Callable[[Activation], list[Any]]:
    slot, cost = loop.slot, loop.cost

    def select(activation: Activation) -> list[Any]:
        spend, variables = activation.fuel.spend, activation.variables
        results: list[Any] = []
        for item in loop.items(activation):
            spend(cost)
            variables[slot] = item
            value = condition(activation)
            if value is True:
                results.append(item)
            elif value is not False:
                raise loop.not_bool(value)
        return results

    return select
