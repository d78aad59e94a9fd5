"""Approvals whose decision is given by a test: they go the way that a decision of somebody would."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from engine.core.advance import advance
from engine.core.decisions import Record
from engine.core.definition import Definition
from engine.core.events import RunEvent, RunFailed, RunQueued, StepFailed, StepSkipped, StepSucceeded
from engine.core.graph import compile_graph
from engine.core.observations import RunClaimed
from engine.core.replay import replay

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PORTS = ("approved", "rejected", "timeout")


def _perform(mock: Any, *listeners: str) -> list[RunEvent]:
    """What is journalled of a test of an approval, `ask`, and of a step for each entry that waits for it."""
    steps: list[dict[str, Any]] = [{"id": "ask", "type": "approval", "with": {"message": "Go on?", "timeout": 60}}]
    for entry in listeners:
        step_id = entry.replace(".", "_")
        steps.append({"id": step_id, "type": "transform", "with": {"values": {}}, "after": [entry]})
    graph = compile_graph(msgspec.convert({"schema": 1, "steps": steps}, Definition), {})
    queued = RunQueued(at=NOW, trigger={}, input={}, workflow={}, reason="accepted", mocks={"ask": mock})
    state = replay(graph, [queued], run_id="r", attempt=1)
    _, decisions = advance(graph, state, RunClaimed(at=NOW))
    return [decision.event for decision in decisions if isinstance(decision, Record)]


@pytest.mark.parametrize("decision", PORTS)
def test_a_mocked_decision_takes_its_port_with_the_output_as_given(decision: str) -> None:
    mock = {"decision": decision, "comment": "hm", "by": None}
    events = _perform(mock, *(f"ask.{port}" for port in PORTS))
    (asked,) = (event for event in events if isinstance(event, StepSucceeded) and event.step == "ask")
    assert (asked.port, asked.output, asked.reason) == (decision, mock, "mocked")
    assert {event.step for event in events if isinstance(event, StepSucceeded)} == {"ask", f"ask_{decision}"}
    skipped = {event.step for event in events if isinstance(event, StepSkipped)}
    assert skipped == {f"ask_{port}" for port in PORTS if port != decision}


@pytest.mark.parametrize(
    ("mock", "code", "message"),
    [
        ({"decision": "rejected"}, "approval_rejected", "the approval was rejected"),
        ({"decision": "rejected", "comment": "too dear"}, "approval_rejected", "the approval was rejected: too dear"),
        ({"decision": "timeout"}, "wait_timeout", "nobody decided in time"),
    ],
)
@pytest.mark.parametrize("other", ["ask.approved", "the other refusal"])
def test_a_mocked_refusal_that_nobody_waits_for_fails_the_step_and_the_run(
    mock: dict[str, Any], code: str, message: str, other: str
) -> None:
    if other == "the other refusal":
        other = "ask.timeout" if mock["decision"] == "rejected" else "ask.rejected"
    events = _perform(mock, other)
    (failed,) = (event for event in events if isinstance(event, StepFailed))
    assert (failed.step, failed.reason, failed.error.code, failed.error.message) == ("ask", code, code, message)
    assert failed.error.details == (mock if code == "approval_rejected" else None)
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].error.code, events[-1].error.step) == (code, "ask")


@pytest.mark.parametrize("decision", ["rejected", "timeout"])
def test_a_mocked_refusal_is_handled_on_the_error_port(decision: str) -> None:
    events = _perform({"decision": decision}, "ask.error")
    assert [event.step for event in events if isinstance(event, StepFailed)] == ["ask"]
    assert [event.step for event in events if isinstance(event, StepSucceeded)] == ["ask_error"]
    assert not any(isinstance(event, RunFailed) for event in events)
