"""Steps that fail because an expression gave what they cannot use: the error leads to the expression."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from engine.core.advance import advance
from engine.core.decisions import Record
from engine.core.definition import Definition
from engine.core.events import ErrorInfo, RunQueued, StepFailed
from engine.core.graph import compile_graph
from engine.core.observations import RunClaimed
from engine.core.replay import replay

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def _fail(step_type: str, config: dict[str, Any], given: Any) -> ErrorInfo:
    """How a step with this `with` fails in a run with the input `given`."""
    step: dict[str, Any] = {"id": "sick", "type": step_type, "with": config}
    if step_type == "foreach":
        step["steps"] = [{"id": "of_item", "type": "transform", "with": {"values": {}}}]
    graph = compile_graph(msgspec.convert({"schema": 1, "steps": [step]}, Definition), {})
    queued = RunQueued(at=NOW, trigger={}, input=given, workflow={}, reason="accepted")
    state = replay(graph, [queued], run_id="r", attempt=1)
    _, decisions = advance(graph, state, RunClaimed(at=NOW))
    (failed,) = (
        decision.event
        for decision in decisions
        if isinstance(decision, Record) and isinstance(decision.event, StepFailed)
    )
    return failed.error


@pytest.mark.parametrize(
    ("step_type", "config", "pointer", "words"),
    [
        ("if", {"condition": "input.x"}, "/condition", "the condition gave a number; it must give true or false"),
        ("switch", {"cases": {"no": "false", "big": "input.x"}}, "/cases/big", "the case 'big' gave a number"),
        ("foreach", {"items": "input.x"}, "/items", "`items` gave a number; it must give a list"),
        (
            "foreach",
            {"items": "[1]", "concurrency": "{{ input.x - 7 }}"},
            "/concurrency",
            "`concurrency` is 0; it must",
        ),
        ("delay", {"seconds": "{{ input.x - 8 }}"}, "/seconds", "`seconds` is -1; it must be a number of seconds"),
        ("delay", {"until": "{{ input.x }}"}, "/until", "`until` is 7; it must be a time with its offset"),
        ("wait", {"signal": "{{ input.x }}"}, "/signal", "`signal` must be a text"),
        ("wait", {"signal": "paid", "timeout": "{{ -input.x }}"}, "/timeout", "`timeout` is -7; it must be"),
        (
            "workflow",
            {"workflow_id": "{{ input.x }}"},
            "/workflow_id",
            "`workflow_id` gave a number; it must be a text",
        ),
        ("respond", {"status": "{{ input.x }}"}, "/status", "`status` is 7; it must be an HTTP status"),
        ("respond", {"headers": {"X-A/B": "{{ [input.x] }}"}}, "/headers/X-A~1B", "is a list; it must be a text"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_expression_and_its_place(
    step_type: str, config: dict[str, Any], pointer: str, words: str
) -> None:
    error = _fail(step_type, config, {"x": 7})
    place: Any = config
    for token in pointer.split("/")[1:]:
        place = place[token.replace("~1", "/")]
    assert (error.code, error.pointer, error.position) == ("invalid_config", pointer, 0)
    assert error.expression == place.removeprefix("{{ ").removesuffix(" }}")
    assert words in error.message


def test_a_text_with_more_than_an_expression_is_told_with_its_place_alone() -> None:
    error = _fail("wait", {"signal": "paid {{ input.x }} {{ input.x }}"}, {"x": "y" * 200})
    assert (error.code, error.pointer, error.expression, error.position) == ("invalid_config", "/signal", None, None)


def test_a_value_out_of_a_larger_expression_is_told_with_its_place_alone() -> None:
    error = _fail("respond", {"headers": "{{ input }}"}, {"x y": "z"})
    assert (error.code, error.pointer, error.expression) == ("invalid_config", "/headers/x y", None)
