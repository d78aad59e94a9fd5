"""Tokens into the syntax tree."""

import difflib
from typing import get_args

from engine.core.expressions.ast import (
    Call,
    Chain,
    Conditional,
    Field,
    Has,
    Index,
    Link,
    ListLiteral,
    Literal,
    Logic,
    Macro,
    MacroName,
    MapLiteral,
    Name,
    Node,
    Path,
    Unary,
)
from engine.core.expressions.errors import EvaluationError, LimitError, list_names
from engine.core.expressions.fuel import MAX_DEPTH, MAX_NODES
from engine.core.expressions.functions import FUNCTIONS
from engine.core.expressions.lexer import Token, tokenize
from engine.core.expressions.values import INT_MAX, INT_MIN

MACROS: tuple[MacroName, ...] = get_args(MacroName)

_CONSTANTS = {"true": True, "false": False, "null": None}
_KEYWORDS = {*_CONSTANTS, "in"}
# CEL keeps these words for later; a name of the scope may not be one, a field may.
# What other languages call it.
_OPERATORS_ELSEWHERE = {"and": "&&", "or": "||"}
_ELSEWHERE = {
    "len": "size",
    "length": "size",
    "lower": "lowerAscii",
    "toLowerCase": "lowerAscii",
    "upper": "upperAscii",
    "toUpperCase": "upperAscii",
    "includes": "contains",
    "strip": "trim",
    "slice": "substring",
    "str": "string",
    "float": "double",
    "some": "exists",
    "any": "exists",
    "every": "all",
    "test": "matches",
}
_RESERVED = {
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
}
_RELATIONS = {"==", "!=", "<", "<=", ">", ">=", "in"}
_PRECEDENCE: dict[str, int] = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(_RELATIONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_MACRO_ARGUMENTS = {name: (2, 3) if name == "map" else (2, 2) for name in MACROS}


def parse(source: str) -> tuple[Node, int]:
    """The syntax tree of an expression, and how many tokens it has.

    Raises `EvaluationError` with the position of what cannot be read.
    """
    parser = _Parser(source)
    return parser.parse(), parser.tokens


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens = tokenize(source)
        self._index = 0
        self._nodes = 0
        self._depth = 0

    @property
    def tokens(self) -> int:
        """How many tokens there are, the end not counted."""
        return len(self._tokens) - 1

    def parse(self) -> Node:
        if self._peek().kind == "end":
            raise _unreadable("the expression is empty", 0)
        node = self._expression()
        if self._peek().kind != "end":
            raise self._unexpected()
        return node

    # Tokens

    def _peek(self) -> Token:
        return self._tokens[self._index]

    def _next(self) -> Token:
        token = self._tokens[self._index]
        self._index += token.kind != "end"
        return token

    def _at(self, operator: str) -> bool:
        token = self._peek()
        return token.kind == "operator" and token.value == operator

    def _accept(self, operator: str) -> bool:
        if self._at(operator):
            self._index += 1
            return True
        return False

    def _expect(self, operator: str) -> None:
        if not self._accept(operator):
            raise self._unexpected(f"expected '{operator}'")

    def _unexpected(self, wanted: str = "expected an operator or the end") -> EvaluationError:
        token = self._peek()
        if token.kind != "string" and token.value in _OPERATORS_ELSEWHERE:
            wanted = f"write '{_OPERATORS_ELSEWHERE[token.value]}'"
        found = "end" if token.kind == "end" else repr(token.value) if token.kind == "string" else f"'{token.value}'"
        return _unreadable(f"unexpected {found}: {wanted}", token.position)

    def _count(self, position: int) -> int:
        """Count one more node, at `position`."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise LimitError("too_long", f"expression has more than {MAX_NODES} parts", position)
        return position

    # Expressions

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LimitError("too_long", f"expression is nested deeper than {MAX_DEPTH}", self._peek().position)
        node = self._binary(1)
        position = self._peek().position
        if self._accept("?"):
            then = self._expression()
            self._expect(":")
            otherwise = self._expression()
            node = Conditional(condition=node, then=then, otherwise=otherwise, position=self._count(position))
        self._depth -= 1
        return node

    def _operator(self) -> str | None:
        token = self._peek()
        if token.kind == "operator" or (token.kind == "name" and token.value == "in"):
            return str(token.value)
        return None

    def _binary(self, lowest: int) -> Node:
        node = self._unary()
        while (operator := self._operator()) and (precedence := _PRECEDENCE.get(operator, 0)) >= lowest:
            node = self._chain(node, precedence)
        return node

    def _chain(self, first: Node, precedence: int) -> Node:
        """All operators of one precedence that follow `first`."""
        links: list[Link] = []
        while (operator := self._operator()) and _PRECEDENCE.get(operator) == precedence:
            position = self._count(self._next().position)
            links.append(Link(operator=operator, operand=self._binary(precedence + 1), position=position))
        start = links[0].position
        if precedence <= _PRECEDENCE["&&"]:
            operands = (first, *(link.operand for link in links))
            return Logic(operator="&&" if links[0].operator == "&&" else "||", operands=operands, position=start)
        return Chain(first=first, links=tuple(links), position=start)

    def _unary(self) -> Node:
        position = self._peek().position
        for operator in ("!", "-"):
            if count := self._accept_all(operator):
                return self._not(count, position) if operator == "!" else self._negative(count, position)
        return self._member()

    def _accept_all(self, operator: str) -> int:
        count = 0
        while self._accept(operator):
            count += 1
        return count

    def _not(self, count: int, position: int) -> Node:
        negation = Unary(operator="!", operand=self._member(), position=self._count(position))
        # An even number of them still demands a bool.
        return negation if count % 2 else Unary(operator="!", operand=negation, position=self._count(position))

    def _negative(self, count: int, position: int) -> Node:
        token = self._peek()
        if token.kind in ("int", "double") and not isinstance(token.value, str):
            # The smallest int has no positive twin, so the sign belongs to the number.
            self._next()
            value = -token.value if count % 2 else token.value
            return self._selections(Literal(value=self._in_range(value, token), position=self._count(position)))
        operand = self._member()
        negation = Unary(operator="-", operand=operand, position=self._count(position))
        return negation if count % 2 else Unary(operator="-", operand=negation, position=self._count(position))

    def _member(self) -> Node:
        return self._selections(self._primary())

    def _selections(self, node: Node) -> Node:
        """`node` with everything selected from it and called on it."""
        steps: list[Field | Index] = []
        while True:
            position = self._peek().position
            if self._accept("["):
                key = self._expression()
                self._expect("]")
                steps.append(Index(key=key, position=self._count(position)))
            elif self._accept("."):
                name = self._field_name()
                if self._at("("):
                    node = self._method(_path(node, steps), name)
                    steps = []
                else:
                    steps.append(Field(name=str(name.value), position=self._count(name.position)))
            else:
                return _path(node, steps)

    def _field_name(self) -> Token:
        token = self._peek()
        if token.kind != "name":
            raise self._unexpected("expected a field's name")
        if token.value in _KEYWORDS:
            raise self._unexpected(f'write ["{token.value}"] for a field of this name')
        return self._next()

    def _primary(self) -> Node:
        token = self._peek()
        match token.kind:
            case "int" | "double":
                self._next()
                return Literal(value=self._in_range(token.value, token), position=self._count(token.position))
            case "string":
                self._next()
                return Literal(value=token.value, position=self._count(token.position))
            case "name":
                return self._named(token)
            case _:
                return self._bracketed(token)

    def _in_range(self, value: str | float, token: Token) -> str | float:
        if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
            raise _unreadable("the integer does not fit into 64 bits", token.position)
        return value

    def _named(self, token: Token) -> Node:
        name = str(token.value)
        if name == "in" or name in _RESERVED:
            raise self._unexpected("this word is reserved")
        self._next()
        if name in _CONSTANTS:
            return Literal(value=_CONSTANTS[name], position=self._count(token.position))
        if not self._at("("):
            return Name(name=name, position=self._count(token.position))
        if name == "has":
            return self._has(token)
        return self._call(token, None)

    def _bracketed(self, token: Token) -> Node:
        if self._accept("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._accept("["):
            return ListLiteral(items=self._items("]"), position=self._count(token.position))
        if self._accept("{"):
            return MapLiteral(entries=self._entries(), position=self._count(token.position))
        raise self._unexpected("expected a value")

    def _items(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._accept(closing):
            items.append(self._expression())
            if not self._accept(","):
                self._expect(closing)
                break
        return tuple(items)

    def _entries(self) -> tuple[tuple[Node, Node], ...]:
        entries: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
            if not self._accept(","):
                self._expect("}")
                break
        return tuple(entries)

    # Calls

    def _method(self, target: Node, name: Token) -> Node:
        if name.value in _MACRO_ARGUMENTS:
            return self._macro(target, name)
        return self._call(name, target)

    def _call(self, name: Token, target: Node | None) -> Node:
        self._expect("(")
        arguments = self._items(")")
        function = FUNCTIONS.get(str(name.value))
        if function is None or not (function.is_method if target is not None else function.is_global):
            raise _unknown_function(name, is_method=target is not None)
        if target is not None:
            arguments = (target, *arguments)
        if len(arguments) not in function.arities:
            given = len(arguments) - (target is not None)
            raise _unreadable(
                f"'{function.name}' does not take {given} argument{'' if given == 1 else 's'}", name.position
            )
        return Call(function=function.name, arguments=arguments, position=self._count(name.position))

    def _has(self, token: Token) -> Node:
        self._expect("(")
        arguments = self._items(")")
        if len(arguments) == 1 and isinstance(arguments[0], Path):
            path = arguments[0]
            last = path.steps[-1]
            if isinstance(last, Field):
                operand = _path(path.root, list(path.steps[:-1]))
                return Has(operand=operand, field=last.name, position=self._count(last.position))
        raise _unreadable("'has' takes one selected field, as in has(a.b)", token.position)

    def _macro(self, source: Node, name: Token) -> Node:
        macro: MacroName = next(macro for macro in MACROS if macro == name.value)
        self._expect("(")
        arguments = self._items(")")
        fewest, most = _MACRO_ARGUMENTS[macro]
        if not fewest <= len(arguments) <= most:
            raise _unreadable(f"'{macro}' takes a variable and an expression, as in list.{macro}(x, …)", name.position)
        variable = arguments[0]
        if not isinstance(variable, Name):
            raise _unreadable(f"the first argument of '{macro}' is the name of its variable", name.position)
        body = arguments[1:]
        return Macro(
            macro=macro,
            source=source,
            variable=variable.name,
            condition=body[0] if macro != "map" or len(body) == most - 1 else None,
            transform=body[-1] if macro == "map" else None,
            position=self._count(name.position),
        )


def _path(root: Node, steps: list[Field | Index]) -> Node:
    if not steps:
        return root
    if isinstance(root, Path):
        return Path(root=root.root, steps=(*root.steps, *steps), position=root.position)
    return Path(root=root, steps=tuple(steps), position=root.position)


def _unknown_function(name: Token, *, is_method: bool) -> EvaluationError:
    methods = [*MACROS, *(function.name for function in FUNCTIONS.values() if function.is_method)]
    functions = ["has", *(function.name for function in FUNCTIONS.values() if function.is_global)]
    kind, known, others = ("method", methods, functions) if is_method else ("function", functions, methods)
    word = str(name.value)
    if word in others:
        hint = f"it is a function: {word}(…)" if is_method else f"it is a method of a value: value.{word}(…)"
    elif near := [_ELSEWHERE[word]] if word in _ELSEWHERE else difflib.get_close_matches(word[:60], known, n=1):
        hint = f"did you mean '{near[0]}'?"
    else:
        hint = f"{kind}s are {list_names(known)}"
    return EvaluationError("unknown_name", f"no {kind} '{word}'; {hint}", name.position)


def _unreadable(message: str, position: int) -> EvaluationError:
    return EvaluationError("expression_syntax", message, position)
