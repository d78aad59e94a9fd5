"""The paths that an expression reads, as a validation sees them."""

import pytest

from engine.core.expressions import compile_expression, compile_template

ROWS = [
    ("constant", "1 + 2", set()),
    ("name", "trigger", {("trigger",)}),
    ("short path", "vars.x", {("vars", "x")}),
    ("long path", "steps.fetch.output.body.total", {("steps", "fetch", "output")}),
    ("constant index", "steps['fetch'].output", {("steps", "fetch", "output")}),
    ("computed index", "steps[trigger.step].output", {("steps",), ("trigger", "step")}),
    ("item", "trigger.items[0].name", {("trigger", "items")}),
    ("brackets", "(steps.a).output", {("steps", "a", "output")}),
    ("method", "steps.a.output.size()", {("steps", "a", "output")}),
    ("has", "has(steps.a.output)", {("steps", "a", "output")}),
    ("has of a field", "has(trigger.x)", {("trigger", "x")}),
    ("macro variable", "input.items.map(x, x.y + vars.z)", {("input", "items"), ("vars", "z")}),
    ("has of a macro variable", "input.items.all(x, has(x.y))", {("input", "items")}),
    ("variable out of its macro", "a.all(x, x) && x", {("a",), ("x",)}),
    ("shadowed name", "a.all(steps, steps.b)", {("a",)}),
    ("source of a macro", "x.all(x, x)", {("x",)}),
    ("both branches", "a ? b : c.d", {("a",), ("b",), ("c", "d")}),
    ("map literal", "{a.b: [c]}", {("a", "b"), ("c",)}),
]


@pytest.mark.parametrize(("source", "references"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_references_are_the_constant_paths(source: str, references: set[tuple[str, ...]]) -> None:
    assert compile_expression(source).references == references


def test_root_names_are_the_first_names() -> None:
    assert compile_expression("steps.a.output + vars.x + steps.b.output").root_names == {"steps", "vars"}


def test_a_template_reads_what_its_expressions_read() -> None:
    template = compile_template({"a": "{{ steps.a.output }}", "b": ["x {{ vars.y }} {{ input }}"], "{{ no.key }}": 1})
    assert template.references == {("steps", "a", "output"), ("vars", "y"), ("input",)}
    assert template.root_names == {"steps", "vars", "input"}
