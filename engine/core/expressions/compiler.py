"""The syntax tree into closures, with what it costs and the names it reads."""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from msgspec import Struct

from engine.core.expressions import logic, macros
from engine.core.expressions.activation import Activation, Evaluator
from engine.core.expressions.ast import (
    Call,
    Chain,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Macro,
    MapLiteral,
    Name,
    Node,
    Path,
    Unary,
)
from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import CONTAINER_COST, MAX_DEPTH
from engine.core.expressions.functions import FUNCTIONS
from engine.core.expressions.paths import (
    Step,
    has_evaluator,
    name_evaluator,
    path_evaluator,
    quick_name_path,
    quick_variable_path,
    variable_evaluator,
)
from engine.core.expressions.strings import compile_pattern, search
from engine.core.expressions.values import kind_of

_REFERENCE_LENGTH = 3
# Reading the smallest pattern takes RE2 as long as so many instructions of a large one.
_PATTERN_OVERHEAD = 60


class Compiled(Struct, frozen=True, kw_only=True):
    """A closure, the fuel one evaluation costs outside its macros, its variables, and the paths it reads.

    `instructions` is what RE2 has made of its constant patterns.
    """

    evaluator: Evaluator
    cost: int
    variables: int
    instructions: int
    references: frozenset[tuple[str, ...]]


def compile_node(node: Node) -> Compiled:
    """Closures for a tree; raises `EvaluationError` for what can be seen to be wrong before any evaluation."""
    compiler = _Compiler()
    evaluator = compiler.compile(node)
    return Compiled(
        evaluator=evaluator,
        cost=compiler.cost,
        variables=compiler.variables,
        instructions=compiler.instructions,
        references=frozenset(compiler.references),
    )


class _Compiler:
    def __init__(self) -> None:
        self.cost = 0
        self.variables = 0
        self.instructions = 0
        self.references: set[tuple[str, ...]] = set()
        self._slots: dict[str, int] = {}
        self._depth = 0

    def compile(self, node: Node) -> Evaluator:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LimitError("too_long", f"expression is nested deeper than {MAX_DEPTH}", node.position)
        # The cost of straight code is known beforehand, so that evaluating it need not count.
        self.cost += 1
        evaluator = self._compile(node)
        self._depth -= 1
        return evaluator

    def _compile(self, node: Node) -> Evaluator:  # noqa: C901, PLR0912 one case for every kind of node
        match node:
            case Literal():
                return _constant(node.value)
            case Name():
                return self._name(node)
            case Path():
                return self._path(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case Call():
                return self._call(node)
            case Has():
                return self._has(node)
            case Macro():
                return self._macro(node)
            case Unary():
                operand = self.compile(node.operand)
                make = logic.not_evaluator if node.operator == "!" else logic.negate_evaluator
                return make(operand, node.position)
            case Chain():
                return self._chain(node)
            case Logic():
                operands = [self.compile(operand) for operand in node.operands]
                return logic.all_of(operands, node.operator, node.position)
            case Conditional():
                branches = self.compile(node.condition), self.compile(node.then), self.compile(node.otherwise)
                return logic.conditional(*branches, node.position)
            case _:
                assert_never(node)

    def _name(self, node: Name) -> Evaluator:
        slot = self._slots.get(node.name)
        if slot is not None:
            return variable_evaluator(slot)
        self.references.add((node.name,))
        return name_evaluator(node.name, node.position)

    def _path(self, node: Path, tested_field: str | None = None) -> Evaluator:
        steps: list[Step] = []
        for step in node.steps:
            if not isinstance(step, Index):
                steps.append((step.name, step.position))
            elif isinstance(step.key, Literal) and isinstance(step.key.value, str):
                steps.append((step.key.value, step.position))
            else:
                steps.append((self.compile(step.key), step.position))
        self.cost += len(steps)
        root = node.root
        if not isinstance(root, Name):
            return path_evaluator(self.compile(root), steps)
        slot = self._slots.get(root.name)
        if slot is not None:
            return quick_variable_path(slot, steps, path_evaluator(variable_evaluator(slot), steps))
        tested: list[Step] = [] if tested_field is None else [(tested_field, node.position)]
        self.references.add(_reference(root.name, [*steps, *tested]))
        return quick_name_path(root.name, steps, path_evaluator(name_evaluator(root.name, root.position), steps))

    def _has(self, node: Has) -> Evaluator:
        operand = node.operand
        # `has(a.b)` reads `a.b`, not all of `a`.
        if isinstance(operand, Name):
            operand = Path(root=operand, steps=(), position=operand.position)
        evaluator = self._path(operand, node.field) if isinstance(operand, Path) else self.compile(operand)
        return has_evaluator(evaluator, node.field, node.position)

    def _list(self, node: ListLiteral) -> Evaluator:
        if node.items and all(isinstance(item, Literal) for item in node.items):
            # Shared by all evaluations: values are never changed.
            return _constant([item.value for item in node.items if isinstance(item, Literal)])
        items = tuple(self.compile(item) for item in node.items)
        self.cost += CONTAINER_COST

        def build(activation: Activation) -> Any:
            return activation.build([item(activation) for item in items])

        return build

    def _map(self, node: MapLiteral) -> Evaluator:
        self.cost += CONTAINER_COST + len(node.entries)
        entries = [(self.compile(key), self.compile(value), key.position) for key, value in node.entries]
        names = [key.value for key, _ in node.entries if isinstance(key, Literal) and isinstance(key.value, str)]
        if len(set(names)) < len(node.entries):
            return _careful_map(entries)
        values = tuple((name, value) for name, (_, value, _) in zip(names, entries, strict=True))

        def build(activation: Activation) -> Any:
            return activation.build({name: value(activation) for name, value in values})

        return build

    def _chain(self, node: Chain) -> Evaluator:
        first = self.compile(node.first)
        self.cost += len(node.links) - 1
        links = [(link.operator, self.compile(link.operand), link.position) for link in node.links]
        if len(links) > 1:
            return logic.chain(first, links)
        (link,) = node.links
        if isinstance(link.operand, Literal):
            return logic.binary_with_constant(link.operator, first, link.operand.value, link.position)
        return logic.binary(link.operator, first, links[0][1], link.position)

    def _call(self, node: Call) -> Evaluator:
        function = FUNCTIONS[node.function]
        implementation, position = function.implementation, node.position
        arguments = tuple(self.compile(argument) for argument in node.arguments)
        self.cost += function.cost
        if pattern := _constant_pattern(node):
            self.instructions += pattern.programsize + _PATTERN_OVERHEAD
            arguments, implementation = arguments[:1], lambda fuel, text: search(fuel, text, pattern)
        if len(arguments) == 1:
            return _call_with_one(implementation, arguments[0], position)

        def call(activation: Activation) -> Any:
            values = [argument(activation) for argument in arguments]
            try:
                result = implementation(activation.fuel, *values)
            except EvaluationError as error:
                raise error.at(position) from None
            return activation.build(result) if type(result) is list else result

        return call

    def _macro(self, node: Macro) -> Evaluator:
        source = self.compile(node.source)
        outer_slots, outer_cost = self._slots, self.cost
        # Each macro has a slot of its own: nested ones run at the same time.
        slot = self.variables
        self.variables += 1
        self._slots = {**outer_slots, node.variable: slot}
        self.cost = 1
        condition = None if node.condition is None else self.compile(node.condition)
        transform = None if node.transform is None else self.compile(node.transform)
        loop = macros.Loop(name=node.macro, source=source, slot=slot, cost=self.cost, position=node.position)
        self._slots, self.cost = outer_slots, outer_cost
        evaluator = _macro_evaluator(node, loop, condition, transform)

        def evaluate(activation: Activation) -> Any:
            try:
                return evaluator(activation)
            except LimitError as error:
                raise error.at(node.position) from None

        return evaluate


def _macro_evaluator(
    node: Macro, loop: macros.Loop, condition: Evaluator | None, transform: Evaluator | None
) -> Evaluator:
    if transform is not None:
        return macros.map_items(loop, condition, transform)
    if condition is None:
        raise EvaluationError("expression_syntax", f"'{node.macro}' without a condition", node.position)
    match node.macro:
        case "all" | "exists":
            return macros.quantifier(loop, condition, decides=node.macro == "exists")
        case "exists_one":
            return macros.exists_one(loop, condition)
        case _:
            return macros.filter_items(loop, condition)


def _constant(value: Any) -> Evaluator:
    return lambda _activation: value


def _careful_map(entries: Sequence[tuple[Evaluator, Evaluator, int]]) -> Evaluator:
    """A map whose keys are computed: each has to be a string, and there only once."""
    entries = tuple(entries)

    def build(activation: Activation) -> Any:
        built: dict[str, Any] = {}
        for key_of, value_of, position in entries:
            key = key_of(activation)
            if type(key) is not str:
                raise EvaluationError("type_error", f"keys of a map are strings, not {kind_of(key)}", position)
            if key in built:
                raise EvaluationError("invalid_argument", "the map has this key twice", position)
            built[key] = value_of(activation)
        return activation.build(built)

    return build


def _call_with_one(implementation: Callable[..., Any], argument: Evaluator, position: int) -> Evaluator:
    def call(activation: Activation) -> Any:
        value = argument(activation)
        try:
            return implementation(activation.fuel, value)
        except EvaluationError as error:
            raise error.at(position) from None

    return call


def _constant_pattern(node: Call) -> Any:
    """The compiled pattern of a `matches` that is always the same; raises `EvaluationError` where it is none."""
    pattern = node.arguments[-1]
    if node.function != "matches" or not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        return None
    try:
        return compile_pattern(pattern.value)
    except EvaluationError as error:
        raise error.at(pattern.position) from None


def _reference(root: str, steps: list[Step]) -> tuple[str, ...]:
    path = [root]
    for step, _ in steps:
        if not isinstance(step, str) or len(path) == _REFERENCE_LENGTH:
            break
        path.append(step)
    return tuple(path)
