"""Limits: hostile expressions end soon and say why, useful ones fit."""

import time
from typing import Any

import pytest

from engine.core.expressions import DEFAULT_FUEL, ExpressionError, Fuel, compile_expression, compile_template
from tests.product import in_time

# Several times what the slowest takes of the processor: a bound on growth, not a measurement.
SECONDS = 1.0

SCOPE: dict[str, Any] = {
    "l": list(range(10_000)),
    "t": "ab" * 500_000,
    "m": "ab" * 5_000,
    "s": "ab" * 20,
    "items": [{"n": i, "name": f"item {i}", "at": "2024-01-01T00:00:00Z"} for i in range(10_000)],
}

BOMBS = [
    ("nested maps", "l.map(a, l.map(b, l.map(c, l.map(d, 1))))", "budget_exceeded"),
    ("doubling list", "[1]" + ".map(x, [x, x, x, x, x, x])" * 25, "too_long"),
    ("repeated reference", "l.map(x, t)", "too_long"),
    ("repeated list", "l.map(x, l)", "too_long"),
    ("growing text", "l.map(x, s" + " + s" * 60 + ")", "budget_exceeded"),
    ("large text", "t.replace('b', 'cccc')", "budget_exceeded"),
    ("upper case", "t.upperAscii()", "too_long"),
    ("joined", "l.map(x, m).join()", "too_long"),
    ("many joined", "l.map(x, l.map(y, string(y)).join(','))", "budget_exceeded"),
    ("added lists", "l.map(x, l + l)", "budget_exceeded"),
    ("compared lists", "l.all(x, l == l)", "budget_exceeded"),
    ("searched list", "l.exists(x, [x, x] in l)", "budget_exceeded"),
    ("searched text", "l.exists(x, t.contains('c'))", "budget_exceeded"),
    ("split text", "t.split('').size()", "budget_exceeded"),
    ("slow pattern", "t.matches('(a|b)*a(a|b){200}c')", "budget_exceeded"),
    ("many patterns", "l.exists(x, s.matches('(a|b)*a(a|b){20}' + string(x)))", "budget_exceeded"),
    ("many bad patterns", "l.exists(x, s.matches('(' + string(x)))", "budget_exceeded"),
    ("large pattern", "l.exists(x, s.matches('\\\\pL{300}' + string(x)))", "too_long"),
    ("long pattern", "s.matches(m)", "too_long"),
    ("many unknown zones", "l.exists(x, timestamp(0).getHours('Zone/X' + string(x)) == 1)", "budget_exceeded"),
    ("swallowed errors", "l.exists(x, l.exists(y, nope.z == 1))", "budget_exceeded"),
    ("nested literals", "l.map(x, {'a': {'b': {'c': [x, [x, [x]]]}}})", "budget_exceeded"),
]


@pytest.mark.parametrize(("source", "code"), [row[1:] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_a_bomb_ends_soon(source: str, code: str) -> None:
    expression = compile_expression(source)

    def measure() -> float:
        started = time.thread_time()
        with pytest.raises(ExpressionError) as caught:
            expression.evaluate(SCOPE)
        taken = time.thread_time() - started
        assert caught.value.code == code
        return taken

    in_time(measure, SECONDS)


FITTING = [
    ("map", "l.map(x, x * 2 + 1).size()", 10_000),
    ("map of maps", "items.map(i, {'n': i.n}).size()", 10_000),
    ("filter", "items.filter(i, i.name.startsWith('item 99')).size()", 111),
    ("times", "items.filter(i, timestamp(i.at) > timestamp(0)).size()", 10_000),
    ("pattern", r"items.filter(i, i.name.matches(r'^item \d$')).size()", 10),
    ("membership", "items.filter(i, i.n in [1, 2, 3]).size()", 3),
]


@pytest.mark.parametrize(("source", "value"), [row[1:] for row in FITTING], ids=[row[0] for row in FITTING])
def test_ten_thousand_items_fit_into_the_default_budget(source: str, value: int) -> None:
    assert compile_expression(source).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "source",
    ["l.all(x, x >= 0) || true", "true && l.all(x, x >= 0) && false", "[1].exists(y, l.all(x, x >= 0) || y == 1)"],
    ids=["or", "and", "macro"],
)
def test_a_limit_is_never_swallowed(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(SCOPE, fuel=Fuel(1000))
    assert (caught.value.code, caught.value.position) == ("budget_exceeded", source.index("all("))


def test_fuel_is_used_up_across_evaluations() -> None:
    fuel = Fuel(50)
    expression = compile_expression("[1, 2, 3].map(x, x + 1)")
    expression.evaluate({}, fuel=fuel)
    used = 50 - fuel.remaining
    assert 0 < used < 50
    fuel.remaining = 2 * used - 1
    expression.evaluate({}, fuel=fuel)
    with pytest.raises(ExpressionError):
        expression.evaluate({}, fuel=fuel)


def test_the_same_evaluation_always_costs_the_same() -> None:
    costs = set()
    for _ in range(3):
        fuel = Fuel(DEFAULT_FUEL)
        compile_expression("l.filter(x, string(x).matches('9' + '$')).size()").evaluate(
            {"l": list(range(50))}, fuel=fuel
        )
        costs.add(fuel.remaining)
    assert len(costs) == 1


def test_passing_a_large_value_on_is_free() -> None:
    fuel = Fuel(10)
    assert compile_expression("t").evaluate(SCOPE, fuel=fuel) is SCOPE["t"]
    assert compile_template("{{ items }}").render(SCOPE, fuel=fuel) is SCOPE["items"]


def test_a_large_text_in_a_template_is_too_long() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template({"a": "x {{ t }}"}).render(SCOPE)
    assert (caught.value.code, caught.value.pointer) == ("too_long", "/a")


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_deeply_nested_values_are_compared_without_recursion() -> None:
    scope = {"a": _nested(50_000), "b": _nested(50_000), "c": _nested(49_999)}
    assert compile_expression("a == b").evaluate(scope) is True
    assert compile_expression("a == c || a in [c]").evaluate(scope) is False


def test_deeply_nested_values_are_no_text() -> None:
    for value in ("x{{ a }}", "{{ [a] }}"):
        with pytest.raises(ExpressionError) as caught:
            compile_template(value).render({"a": _nested(50_000)})
        assert caught.value.code == "too_long"


def test_deeply_nested_templates_are_refused() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(_nested(50_000))
    assert caught.value.code == "too_long"


def test_deeply_nested_sources_are_refused() -> None:
    for source in ("[" * 4000, "-(" * 2000, "a[" * 2000, "a?b:" * 1000 + "c", "f(" * 2000):
        with pytest.raises(ExpressionError):
            compile_expression(source).evaluate({})


def test_an_unclosed_template_is_not_searched_to_the_end() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template("{{ " + "a + " * 100_000)
    assert caught.value.code == "too_long"
    assert len(caught.value.expression) <= 4096
