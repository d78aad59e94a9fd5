"""What an evaluation knows while it runs, and the shape of a compiled expression."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.expressions.fuel import Fuel

_NO_VARIABLES: list[Any] = []


class Activation:
    """The scope of names, the fuel, the values of macro variables, and the lists and maps built so far."""

    __slots__ = ("built", "fuel", "null_safe", "scope", "variables")

    def __init__(self, scope: Mapping[str, Any], fuel: Fuel, variables: int, null_safe: bool) -> None:
        self.scope = scope
        self.fuel = fuel
        self.null_safe = null_safe
        self.variables: list[Any] = [None] * variables if variables else _NO_VARIABLES
        # By identity: held here, so that no identity is used twice while the evaluation runs.
        self.built: dict[int, list[Any] | dict[str, Any]] = {}

    def build(self, container: Any) -> Any:
        """Remember a list or map as made by this evaluation, and give it back."""
        self.built[id(container)] = container
        return container


Evaluator = Callable[[Activation], Any]
