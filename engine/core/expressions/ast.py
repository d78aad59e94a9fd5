"""The syntax tree. Selections and chains of operators are flat, so that its depth is the depth a writer sees."""

from typing import Any
from typing import Literal as OneOf

from msgspec import Struct

MacroName = OneOf["all", "exists", "exists_one", "filter", "map"]


class Literal(Struct, frozen=True, kw_only=True, tag=True):
    """A constant: null, bool, int, double or string."""

    value: Any
    position: int


class Name(Struct, frozen=True, kw_only=True, tag=True):
    """A name of the scope, or a macro's variable."""

    name: str
    position: int


class Field(Struct, frozen=True, kw_only=True, tag=True):
    """A step of a path: `.name`."""

    name: str
    position: int


class Index(Struct, frozen=True, kw_only=True, tag=True):
    """A step of a path: `[key]`."""

    key: "Node"
    position: int


class Path(Struct, frozen=True, kw_only=True, tag=True):
    """Selections from a root, in order."""

    root: "Node"
    steps: tuple[Field | Index, ...]
    position: int


class ListLiteral(Struct, frozen=True, kw_only=True, tag=True):
    """`[a, b]`."""

    items: "tuple[Node, ...]"
    position: int


class MapLiteral(Struct, frozen=True, kw_only=True, tag=True):
    """`{"a": b}`."""

    entries: "tuple[tuple[Node, Node], ...]"
    position: int


class Call(Struct, frozen=True, kw_only=True, tag=True):
    """A function with its arguments, the target of a method first."""

    function: str
    arguments: "tuple[Node, ...]"
    position: int


class Has(Struct, frozen=True, kw_only=True, tag=True):
    """`has(operand.field)`."""

    operand: "Node"
    field: str
    position: int


class Macro(Struct, frozen=True, kw_only=True, tag=True):
    """`source.macro(variable, condition)`, or `map` with its transform."""

    macro: MacroName
    source: "Node"
    variable: str
    condition: "Node | None"
    transform: "Node | None"
    position: int


class Unary(Struct, frozen=True, kw_only=True, tag=True):
    """`!operand` or `-operand`."""

    operator: OneOf["!", "-"]
    operand: "Node"
    position: int


class Link(Struct, frozen=True, kw_only=True, tag=True):
    """An operator of a chain and its right operand."""

    operator: str
    operand: "Node"
    position: int


class Chain(Struct, frozen=True, kw_only=True, tag=True):
    """Operators of one precedence, from left to right: `a + b - c`."""

    first: "Node"
    links: tuple[Link, ...]
    position: int


class Logic(Struct, frozen=True, kw_only=True, tag=True):
    """Operands joined by `&&` or by `||`."""

    operator: OneOf["&&", "||"]
    operands: "tuple[Node, ...]"
    position: int


class Conditional(Struct, frozen=True, kw_only=True, tag=True):
    """`condition ? then : otherwise`."""

    condition: "Node"
    then: "Node"
    otherwise: "Node"
    position: int


Node = Literal | Name | Path | ListLiteral | MapLiteral | Call | Has | Macro | Unary | Chain | Logic | Conditional
