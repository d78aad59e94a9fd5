"""A graph knows which of the workspace's variables its runs take along."""

from typing import Any

import msgspec
import pytest

from engine.core.graph import Graph
from engine.steps.compilation import compile_definition

BESIDE = {"id": "beside", "type": "transform", "with": {"values": {}}}


def compile_steps(*steps: dict[str, Any], **more: Any) -> Graph:
    return compile_definition(msgspec.json.encode({"schema": 1, "steps": list(steps), **more}))


def step(step_type: str, configuration: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "one", "type": step_type, "with": configuration, **more}


LOOP = {"steps": [{"id": "inner", "type": "transform", "with": {"values": {"a": "{{ vars.a }}"}}}]}


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ((step("transform", {"values": {"a": "{{ input.a }}"}}), {}), set()),
        ((step("transform", {"values": {"a": "{{ vars.a }} and {{ vars.b.c }}"}}), {}), {"a", "b"}),
        ((step("if", {"condition": "vars.a > 1"}), {}), {"a"}),
        ((step("switch", {"cases": {"x": "vars.a", "y": "vars.b"}}), {}), {"a", "b"}),
        ((step("foreach", {"items": "vars.items"}, **LOOP), {}), {"items", "a"}),
        ((step("foreach", {"items": "[1]", "output": "{{ vars.b }}"}, **LOOP), {}), {"a", "b"}),
        ((BESIDE, {"output": {"a": "{{ vars.a }}"}}), {"a"}),
        ((BESIDE, {"settings": {"timeout": "{{ vars.a }}"}}), {"a"}),
        ((BESIDE, {"settings": {"concurrency": {"key": "{{ vars.a }}", "limit": "{{ vars.b }}"}}}), {"a", "b"}),
        ((step("transform", {"values": {"a": "{{ vars['a'] }}"}}), {}), {"a"}),
        ((step("transform", {"values": {"a": "{{ vars[input.name] }}"}}), {}), None),
        ((step("transform", {"values": {"a": "{{ size(vars) }}"}}), {}), None),
        ((step("foreach", {"items": "[1]", "output": "{{ vars }}"}, **LOOP), {}), None),
    ],
)
def test_the_names_are_those_that_any_expression_reads(
    definition: tuple[dict[str, Any], dict[str, Any]], names: set[str] | None
) -> None:
    steps, more = definition
    assert compile_steps(steps, **more).variables == names
