"""Templates: JSON values whose texts may hold `{{ expression }}`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.core.expressions.errors import ErrorCode, EvaluationError, ExpressionError
from engine.core.expressions.expression import Expression, compile_expression
from engine.core.expressions.fuel import MAX_SOURCE_LENGTH, MAX_TEMPLATE_DEPTH, Allowance, Fuel
from engine.core.expressions.lexer import find_template_end
from engine.core.expressions.values import encode_json, format_scalar
from engine.core.places import Place, write_pointer

_OPENING = "{{"
_CLOSING = "}}"

# Renders one part of a template from the scope, the fuel, and whether null is safe to select from.
_Renderer = Callable[[Mapping[str, Any], Fuel, bool], Any]


class Template:
    """A compiled template; `references` are those of all its expressions (see `Expression`)."""

    __slots__ = ("_renderer", "_value", "references")

    def __init__(self, value: Any, allowance: Allowance | None = None) -> None:
        reading = _Reading(allowance)
        self._value = value
        self._renderer = _compile(value, (), reading, 0)
        self.references = frozenset(reading.references)

    @property
    def is_constant(self) -> bool:
        """Whether it holds no expression at all."""
        return self._renderer is None

    @property
    def root_names(self) -> frozenset[str]:
        """The names of the scope that it reads."""
        return frozenset(reference[0] for reference in self.references)

    def expression_at(self, pointer: str) -> str | None:
        """The text of the expression that stands alone at this pointer; None where there is none, or more beside it."""
        value = self._value
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            try:
                value = value[int(key) if isinstance(value, list) else key]
            except (LookupError, TypeError, ValueError):
                return None
        text = value.strip() if isinstance(value, str) else ""
        if not text.startswith(_OPENING) or find_template_end(text, len(_OPENING)) != len(text) - len(_CLOSING):
            return None
        return text[len(_OPENING) : -len(_CLOSING)].strip()

    def render(self, scope: Mapping[str, Any], *, fuel: Fuel | None = None, null_safe: bool = False) -> Any:
        """The value with every expression filled in; its constant parts are the same objects every time.

        All expressions share the fuel. Raises `ExpressionError`, whose `pointer` leads to the text at fault.
        """
        if self._renderer is None:
            return self._value
        return self._renderer(scope, Fuel() if fuel is None else fuel, null_safe)


def compile_template(value: Any, allowance: Allowance | None = None) -> Template:
    """A template from any JSON value; raises `ExpressionError` for the first text at fault, or `AllowanceSpent`."""
    return Template(value, allowance)


class _Reading:
    """What the expressions of one template name, and what is left of what they may have."""

    __slots__ = ("allowance", "references")

    def __init__(self, allowance: Allowance | None) -> None:
        self.allowance = allowance
        self.references: set[tuple[str, ...]] = set()


def _compile(value: Any, place: Place, reading: _Reading, depth: int) -> _Renderer | None:
    """What renders `value`, or None where it is constant."""
    kind = type(value)
    if kind is str:
        return _compile_text(value, place, reading) if _OPENING in value else None
    if kind is not dict and kind is not list:
        return None
    if depth >= MAX_TEMPLATE_DEPTH:
        raise ExpressionError("too_long", f"nested deeper than {MAX_TEMPLATE_DEPTH}", 0, "", write_pointer(place))
    parts: list[tuple[Any, _Renderer]] = []
    for key, item in value.items() if kind is dict else enumerate(value):
        renderer = _compile(item, (place, key), reading, depth + 1)
        if renderer is not None:
            parts.append((key, renderer))
    return _container(value, parts) if parts else None


def _container(value: Any, parts: Sequence[tuple[Any, _Renderer]]) -> _Renderer:
    parts = tuple(parts)

    def render(scope: Mapping[str, Any], fuel: Fuel, null_safe: bool) -> Any:
        rendered = value.copy()
        for key, renderer in parts:
            rendered[key] = renderer(scope, fuel, null_safe)
        return rendered

    return render


def _compile_text(text: str, place: Place, reading: _Reading) -> _Renderer:
    parts: list[str | Expression] = []
    cursor = 0
    while (opening := text.find(_OPENING, cursor)) >= 0:
        if opening > cursor:
            parts.append(text[cursor:opening])
        expression, cursor = _compile_part(text, opening + len(_OPENING), place, reading)
        reading.references.update(expression.references)
        parts.append(expression)
    if cursor < len(text):
        parts.append(text[cursor:])
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return _lone(parts[0], place)
    return _mixed(parts, place)


def _compile_part(text: str, start: int, place: Place, reading: _Reading) -> tuple[Expression, int]:
    """The expression that starts at `start`, and where the text goes on after it."""
    try:
        end = find_template_end(text, start)
    except EvaluationError as error:
        # Where it ends is not known: show it up to the first `}}` after the fault.
        closing = text.find(_CLOSING, error.position or start)
        source = text[start : closing if closing >= 0 else None][:MAX_SOURCE_LENGTH]
        skipped = len(source) - len(source.lstrip())
        position = min(max((error.position or 0) - start - skipped, 0), len(source.strip()))
        raise ExpressionError(error.code, error.message, position, source.strip(), write_pointer(place)) from None
    try:
        return compile_expression(text[start:end].strip(), reading.allowance), end + len(_CLOSING)
    except ExpressionError as error:
        error.pointer = write_pointer(place)
        raise


def _lone(expression: Expression, place: Place) -> _Renderer:
    evaluate = expression.evaluate

    def render(scope: Mapping[str, Any], fuel: Fuel, null_safe: bool) -> Any:
        try:
            return evaluate(scope, fuel=fuel, null_safe=null_safe)
        except ExpressionError as error:
            error.pointer = write_pointer(place)
            raise

    return render


def _mixed(parts: Sequence[str | Expression], place: Place) -> _Renderer:
    parts = tuple(parts)

    def render(scope: Mapping[str, Any], fuel: Fuel, null_safe: bool) -> str:
        texts: list[str] = []
        length = 0
        for part in parts:
            if isinstance(part, str):
                text = part
            else:
                text = _evaluate_text(part, scope, fuel, null_safe=null_safe, place=place)
            length += len(text)
            texts.append(text)
        try:
            fuel.build_text(length)
        except EvaluationError as error:
            raise _text_error(error.code, error.message, parts, place) from None
        return "".join(texts)

    return render


def _evaluate_text(part: Expression, scope: Mapping[str, Any], fuel: Fuel, *, null_safe: bool, place: Place) -> str:
    try:
        value = part.evaluate(scope, fuel=fuel, null_safe=null_safe)
        try:
            # What JSON holds of a number beyond 64 bits is passed on: with an id nobody calculates.
            text = None if type(value) is int else format_scalar(value)
            return encode_json(value).decode() if text is None else text
        except EvaluationError as error:
            raise part.error(error) from None
    except ExpressionError as error:
        error.pointer = write_pointer(place)
        raise


def _text_error(code: ErrorCode, message: str, parts: Sequence[str | Expression], place: Place) -> ExpressionError:
    sources = [part.source for part in parts if isinstance(part, Expression)]
    return ExpressionError(code, message, 0, sources[0], write_pointer(place))
