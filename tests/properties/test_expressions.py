"""Whatever is written or given, expressions end in a JSON value or in an `ExpressionError`."""

import json
import time
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.expressions import ExpressionError, Fuel, compile_expression, compile_template
from tests.product import in_time

# Several times what the slowest takes of the processor: a bound on growth, not a measurement.
SECONDS = 1.0
NAMES = ("a", "b", "trigger", "steps")
FRAGMENTS = [
    *("a", "b", "trigger", "steps", "x", ".a", ".b", '["a"]', "[0]", "[x]", "1", "-1", "0", "2.5", "'s'", '""', "null"),
    *(
        "true",
        "false",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "&&",
        "||",
        "==",
        "!=",
    ),
    *("<", "<=", ">", ">=", " in ", ".", "9223372036854775807", "1e308", "'2024-01-01T00:00:00Z'", "'1h'", "'('"),
    *(".map(x, ", ".filter(x, ", ".all(x, ", ".exists(x, ", ".exists_one(x, ", "has(", "size(", "int(", "double("),
    *(
        "string(",
        "bool(",
        "timestamp(",
        "duration(",
        ".contains(",
        ".startsWith(",
        ".endsWith(",
        ".matches(",
        ".trim()",
    ),
    *(
        ".split(",
        ".join(",
        ".replace(",
        ".substring(",
        ".indexOf(",
        ".charAt(",
        ".lowerAscii()",
        ".getHours(",
        "{{",
        "}}",
    ),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "", "é/~"]), inner, max_size=3)
    ),
    max_leaves=12,
)
scopes = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
full_scopes = st.fixed_dictionaries(
    {"a": st.lists(values, max_size=4), "b": st.fixed_dictionaries({"a": values}), "x": st.integers(-3, 3)},
    optional={"trigger": st.fixed_dictionaries({"b": st.lists(values, min_size=1, max_size=2)})},
)
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


LEAVES = ["a", "b.a", "trigger.b[0]", "1", "-2", "0.5", "'1h'", "x", "true", "null", "[1, a]"]
# `@` stands for an expression.
FORMS = [
    *(f"(@ {operator} @)" for operator in ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in")),
    *(f"(@ {operator} @ {operator} @)" for operator in ("+", "==", "&&", "||")),
    *("(@ ? @ : @)", "(!(@) || -(@) == @)", "[@, @][@]", "{'a': @, 'b': @}.b", "{@: @}", "a.map(x, @, @)"),
    *(f"[@, @].{macro}(x, @)" for macro in ("map", "filter", "all", "exists", "exists_one")),
    *(f"{name}(@)" for name in ("size", "int", "double", "string", "bool", "timestamp", "duration")),
    *(f"string(@).{name}(string(@))" for name in ("contains", "matches", "split", "indexOf")),
    *("'abc'.substring(@, @)", "timestamp(@).getHours(@)"),
]


@st.composite
def well_formed(draw: st.DrawFn, depth: int = 4) -> str:
    """Expressions that can be read, of any types."""
    if depth == 0:
        return draw(st.sampled_from(LEAVES))
    parts = draw(st.sampled_from(FORMS)).split("@")
    operands = [draw(well_formed(depth=draw(st.integers(0, depth - 1)))) for _ in parts[1:]]
    return parts[0] + "".join(operand + part for operand, part in zip(operands, parts[1:], strict=True))


def is_json(value: Any) -> bool:
    return bool(json.loads(json.dumps(value, allow_nan=False)) == value)


def evaluate(source: str, scope: dict[str, Any], *, null_safe: bool = False) -> Any:
    """The value, or None for an `ExpressionError`, whose parts are checked."""
    try:
        return compile_expression(source).evaluate(scope, fuel=Fuel(20_000), null_safe=null_safe)
    except ExpressionError as error:
        assert error.message
        assert error.expression == source
        assert 0 <= error.position <= len(source)
        return None


@given(st.text(st.characters() | st.sampled_from("{}[]()'\"\\.,:?!&|=<>+-*/%01ex"), max_size=40), scopes)
@example("'\ud800'.matches('a')", {})
@example("a.matches('a')", {"a": "\ud800"})
@example("'\ud800' + string([1])", {})
def test_any_text_ends_in_a_value_or_an_expression_error(source: str, scope: dict[str, Any]) -> None:
    evaluate(source, scope)


@given(fragments, scopes, st.booleans())
def test_any_fragments_end_in_a_value_or_an_expression_error(
    source: str, scope: dict[str, Any], null_safe: bool
) -> None:
    evaluate(source, scope, null_safe=null_safe)


@given(well_formed(), full_scopes, st.booleans())
def test_any_expression_ends_in_json_and_leaves_the_scope_alone(
    source: str, scope: dict[str, Any], null_safe: bool
) -> None:
    before = repr(scope)
    assert is_json(evaluate(source, scope, null_safe=null_safe))
    assert repr(scope) == before


@given(well_formed())
def test_bombs_of_any_shape_end_soon(body: str) -> None:
    scope = {"a": list(range(300)), "b": {"a": "ab" * 50_000}, "trigger": {"b": [["x"] * 100]}}
    source = f"a.map(y, a.map(z, [{body}, a].exists(x, x == y)))"
    expression = compile_expression(source)

    def measure() -> float:
        started = time.thread_time()
        try:
            expression.evaluate(scope)
        except ExpressionError as error:
            assert error.message
        return time.thread_time() - started

    in_time(measure, SECONDS)


@given(st.text(max_size=60))
def test_a_text_written_as_a_literal_comes_back(text: str) -> None:
    assert compile_expression(json.dumps(text, ensure_ascii=False)).evaluate({}) == text
    escaped = "".join(f"\\U{ord(character):08x}" for character in text)
    assert compile_expression(f"'{escaped}'").evaluate({}) == text


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_as_a_literal_comes_back(number: float) -> None:
    result = compile_expression(repr(number)).evaluate({})
    assert (type(result), repr(result)) == (type(number), repr(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_reads_back_as_it(number: float) -> None:
    assert compile_expression("double(string(n)) == n").evaluate({"n": number}) is True


@given(values)
def test_a_lone_expression_keeps_its_value(value: Any) -> None:
    rendered = compile_template({"v": ["{{ value }}"]}).render({"value": value})["v"][0]
    assert rendered is value


@given(values)
def test_a_value_in_text_is_its_text(value: Any) -> None:
    try:
        rendered = compile_template("<{{ value }}>").render({"value": value})
    except ExpressionError as error:
        # Integers beyond 64 bits, and halves of a character within lists.
        assert error.code in ("overflow", "type_error")
        return
    if isinstance(value, str):
        assert rendered == f"<{value}>"
    elif isinstance(value, list | dict):
        assert rendered == f"<{msgspec.json.encode(value).decode()}>"
    else:
        assert json.loads(rendered[1:-1]) == value


@given(values)
def test_a_template_without_braces_is_constant(value: Any) -> None:
    if "{{" not in json.dumps(value):
        template = compile_template(value)
        assert template.is_constant
        assert template.render({}) is value


@given(st.lists(fragments, max_size=3), scopes)
@example(["{}}1a"], {})
def test_any_template_ends_in_a_value_or_an_error_with_its_place(texts: list[str], scope: dict[str, Any]) -> None:
    value = {"t": ["{{ " + text + " }}" for text in texts]}
    try:
        rendered = compile_template(value).render(scope, fuel=Fuel(20_000))
    except ExpressionError as error:
        assert error.pointer.startswith("/t/")
        assert 0 <= error.position <= len(error.expression)
    else:
        assert len(rendered["t"]) == len(texts)


@given(values, values)
def test_equality_is_symmetric_and_tells_types_apart(left: Any, right: Any) -> None:
    scope = {"a": left, "b": right}
    assert evaluate("a == a", scope) is not False
    assert evaluate("a == b", scope) == evaluate("b == a", scope)
    if isinstance(left, bool) != isinstance(right, bool):
        assert evaluate("a == b", scope) is False
