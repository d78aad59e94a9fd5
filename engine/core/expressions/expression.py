"""Expressions: compiled once, evaluated often."""

from collections.abc import Mapping
from typing import Any

from engine.core.expressions.activation import Activation
from engine.core.expressions.compiler import compile_node
from engine.core.expressions.errors import EvaluationError, ExpressionError, LimitError
from engine.core.expressions.fuel import DEFAULT_FUEL, Allowance, Fuel
from engine.core.expressions.parser import parse
from engine.core.expressions.results import PASSED_ON, release


class Expression:
    """A compiled expression.

    `references` are the paths it reads from the scope, as far as they are constant and at most three names long:
    `("steps", "fetch", "output")`. Macro variables are not among them. `tokens` and `instructions` tell how much there
    was to read, of its text and of its patterns.
    """

    __slots__ = ("_cost", "_evaluator", "_variables", "instructions", "references", "source", "tokens")

    def __init__(self, source: str) -> None:
        node, self.tokens = parse(source)
        compiled = compile_node(node)
        self.source = source
        self.instructions = compiled.instructions
        self.references = compiled.references
        self._evaluator = compiled.evaluator
        self._cost = compiled.cost
        self._variables = compiled.variables

    @property
    def root_names(self) -> frozenset[str]:
        """The names of the scope that it reads."""
        return frozenset(reference[0] for reference in self.references)

    def evaluate(self, scope: Mapping[str, Any], *, fuel: Fuel | None = None, null_safe: bool = False) -> Any:
        """The value, always JSON; what it takes from the scope is not copied, so treat it as read-only.

        `scope` holds plain JSON values by name. With `null_safe`, selecting from null gives null instead of an error.
        Raises `ExpressionError`.
        """
        if fuel is None:
            fuel = Fuel(DEFAULT_FUEL)
        activation = Activation(scope, fuel, self._variables, null_safe)
        try:
            # `spend`, written out: most evaluations are over in two microseconds.
            fuel.remaining -= self._cost
            if fuel.remaining < 0:
                fuel.spend(0)
            value = self._evaluator(activation)
            return value if type(value) in PASSED_ON else release(value, activation)
        except EvaluationError as error:
            raise self.error(error) from None
        except RecursionError:
            raise self.error(LimitError("too_long", "expression is nested too deeply")) from None

    def error(self, error: EvaluationError) -> ExpressionError:
        """A fault as an error of this expression."""
        return ExpressionError(error.code, error.message, error.position or 0, self.source)


def compile_expression(source: str, allowance: Allowance | None = None) -> Expression:
    """An expression ready to evaluate; raises `ExpressionError` where the text is none, or `AllowanceSpent`."""
    if source.lstrip().startswith("{{"):
        # The commonest slip; a parser would tell of a map that is none.
        raise ExpressionError("expression_syntax", "an expression stands here as it is, without {{ and }}", 0, source)
    try:
        expression = Expression(source)
    except EvaluationError as error:
        raise ExpressionError(error.code, error.message, error.position or 0, source) from None
    except RecursionError:
        raise ExpressionError("too_long", "expression is nested too deeply", 0, source[:80]) from None
    if allowance is not None:
        allowance.take(expression.tokens, expression.instructions)
    return expression
