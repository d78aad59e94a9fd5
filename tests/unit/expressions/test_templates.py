"""Templates: what stays as it is, what is filled in, and where the faults are."""

from typing import Any

import pytest

from engine.core.expressions import ExpressionError, Fuel, compile_expression, compile_template

SCOPE: dict[str, Any] = {
    "n": 3,
    "large": 2**64 + 1,
    "small": -(2**63) - 1,
    "d": 1.0,
    "t": "text",
    "yes": True,
    "none": None,
    "list": [1, "a", None],
    "map": {"a": {"b": 1.5}},
}

TEXTS = [
    ("int", "{{ n }}", 3),
    ("without spaces", "{{n}}", 3),
    ("double", "{{ d }}", 1.0),
    ("bool", "{{ yes }}", True),
    ("null", "{{ none }}", None),
    ("list", "{{ list }}", [1, "a", None]),
    ("map", "{{ map }}", {"a": {"b": 1.5}}),
    ("space around", " {{ n }}", " 3"),
    ("mixed int", "n={{ n }}", "n=3"),
    (
        "mixed int beyond 64 bits",
        "/orders/{{ large }}?from={{ small }}",
        "/orders/18446744073709551617?from=-9223372036854775809",
    ),
    ("mixed double", "d={{ d }}", "d=1"),
    ("mixed bool", "{{ yes }}!", "true!"),
    ("mixed null", "{{ none }}!", "null!"),
    ("mixed list", "l={{ list }}", 'l=[1,"a",null]'),
    ("mixed map", "m={{ map }}", 'm={"a":{"b":1.5}}'),
    ("mixed time", "at {{ timestamp(0) }}", "at 1970-01-01T00:00:00Z"),
    ("two", "{{ n }}{{ t }}", "3text"),
    ("closing in a text", '{{ "}}" }}', "}}"),
    ("opening in a text", '{{ "{{" }} n }}', "{{ n }}"),
    ("closing in raw text", "{{ r'}}' + '\\'}}' }}", "}}'}}"),
    ("map literal", "{{ {'a': {'b': n}} }}", {"a": {"b": 3}}),
    ("tight map literal", "{{{'a': {'b': n}}}}", {"a": {"b": 3}}),
    ("single braces", "{ n } }}", "{ n } }}"),
    ("line breaks", "{{\n  n\n  + 1\n}}", 4),
]


@pytest.mark.parametrize(("text", "value"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_a_text_is_filled_in(text: str, value: Any) -> None:
    result = compile_template({"x": [text]}).render(SCOPE)["x"][0]
    assert (type(result), result) == (type(value), value)


def test_constant_parts_are_the_same_objects() -> None:
    constant = {"deep": [{"a": "b"}]}
    template = compile_template({"constant": constant, "n": "{{ n }}"})
    assert template.render(SCOPE)["constant"] is constant
    assert not template.is_constant


def test_a_constant_template_is_handed_back_itself() -> None:
    value = {"a": [1, "b", None, {"c": 2.5}]}
    template = compile_template(value)
    assert template.is_constant
    assert template.render({}) is value


def test_a_lone_expression_hands_on_the_value_itself() -> None:
    assert compile_template({"all": "{{ map }}"}).render(SCOPE)["all"] is SCOPE["map"]


def test_rendering_leaves_the_template_alone() -> None:
    template = compile_template({"a": ["{{ n }}"], "b": {"c": "{{ t }}"}})
    template.render(SCOPE)
    assert template.render({"n": 4, "t": "other"}) == {"a": [4], "b": {"c": "other"}}


def test_keys_and_their_order_are_kept() -> None:
    rendered = compile_template({"{{ n }}": 1, "b": "{{ n }}", "a": 2}).render(SCOPE)
    assert list(rendered.items()) == [("{{ n }}", 1), ("b", 3), ("a", 2)]


FAULTS = [
    ("nested", {"a": [{"b/c~d": "x {{ nope }}"}]}, "unknown_name", "/a/0/b~1c~0d", 0, "nope"),
    ("root", "{{ map.x }}", "no_such_field", "", 4, "map.x"),
    ("second", ["{{ n }}", "{{ 1 }} {{ 1 / 0 }}"], "division_by_zero", "/1", 2, "1 / 0"),
    ("no number", {"v": "x{{ 0.0 / 0.0 }}"}, "type_error", "/v", 0, "0.0 / 0.0"),
]


@pytest.mark.parametrize(
    ("value", "code", "pointer", "position", "expression"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_fault_is_pointed_to(value: Any, code: str, pointer: str, position: int, expression: str) -> None:
    template = compile_template(value)
    with pytest.raises(ExpressionError) as caught:
        template.render(SCOPE)
    error = caught.value
    assert (error.code, error.pointer, error.position, error.expression) == (code, pointer, position, expression)


UNREADABLE = [
    ("operator", {"a": "x {{ n + }}"}, "/a", 3, "n +"),
    ("empty", ["{{ }}"], "/0", 0, ""),
    ("open", {"a": "x {{ n"}, "/a", 0, "n"),
    ("open text", {"a": "x {{ 'n }}"}, "/a", 0, "'n"),
    ("character", "{{  n ; }} {{ n }}", "", 2, "n ;"),
    ("fault after a map", "{{ {'a': {}} + 1a }} }}", "", 13, "{'a': {}} + 1a"),
]


@pytest.mark.parametrize(
    ("value", "pointer", "position", "expression"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_what_cannot_be_read_is_pointed_to(value: Any, pointer: str, position: int, expression: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(value)
    error = caught.value
    assert (error.code, error.pointer) == ("expression_syntax", pointer)
    assert (error.position, error.expression) == (position, expression)


def test_all_expressions_share_the_fuel() -> None:
    template = compile_template(["{{ list.map(x, x) }}"] * 20)
    template.render(SCOPE, fuel=Fuel(1000))
    with pytest.raises(ExpressionError) as caught:
        template.render(SCOPE, fuel=Fuel(100))
    assert caught.value.code == "budget_exceeded"
    assert caught.value.pointer != ""


NULL_SAFE = [
    ("field", "none.a", None),
    ("fields", "none.a.b.c.d", None),
    ("index", "none[0]", None),
    ("field of an item", "none[0].a", None),
    ("nested null", "list[2].x", None),
    ("has", "has(none.a)", False),
    ("variable", "[null].map(x, x.y)", [None]),
]

STILL_WRONG = [
    ("missing field", "map.nope", "no_such_field"),
    ("text", "t.x", "type_error"),
    ("arithmetic", "none.a + 1", "type_error"),
    ("unknown name", "nope.a", "unknown_name"),
]


@pytest.mark.parametrize(("source", "value"), [row[1:] for row in NULL_SAFE], ids=[row[0] for row in NULL_SAFE])
def test_null_safe_selects_null_from_null(source: str, value: Any) -> None:
    assert compile_expression(source).evaluate(SCOPE, null_safe=True) == value
    template = compile_template({"v": "{{ " + source + " }}"})
    assert template.render(SCOPE, null_safe=True) == {"v": value}
    with pytest.raises(ExpressionError):
        template.render(SCOPE)


@pytest.mark.parametrize(("source", "code"), [row[1:] for row in STILL_WRONG], ids=[row[0] for row in STILL_WRONG])
def test_null_safe_forgives_nothing_else(source: str, code: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(SCOPE, null_safe=True)
    assert caught.value.code == code
