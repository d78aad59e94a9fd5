"""Iterations that are broken off, and what a run's journal says of them after a further round."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from engine.core.advance import advance
from engine.core.decisions import Decision, Record, StartAttempt, StopAttempt
from engine.core.definition import ActionTraits, Definition
from engine.core.events import ErrorInfo, RunEvent, RunQueued, RunRetried
from engine.core.graph import Graph, compile_graph
from engine.core.observations import AttemptFailed, AttemptSucceeded, Observation, RunClaimed
from engine.core.replay import replay
from engine.core.state import State
from engine.core.statuses import RunStatus

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ERROR = ErrorInfo(code="status", message="500", status=500)
QUEUED = RunQueued(at=NOW, trigger={}, input={}, workflow={}, reason="accepted")


def _graph(*steps: dict[str, Any]) -> Graph:
    document = {"schema": 1, "steps": list(steps)}
    return compile_graph(msgspec.convert(document, Definition), {"http": ActionTraits(timeout=30)})


def _feed(graph: Graph, state: State, journal: list[RunEvent], *observations: Observation) -> list[Decision]:
    decisions: list[Decision] = []
    for observation in observations:
        decisions += advance(graph, state, observation)[1]
    journal += [decision.event for decision in decisions if isinstance(decision, Record)]
    return decisions


def _succeeded(step: str) -> AttemptSucceeded:
    return AttemptSucceeded(at=NOW, step=step, attempt=1, output=None, started_at=NOW)


def _failed(step: str) -> AttemptFailed:
    return AttemptFailed(at=NOW, step=step, attempt=1, error=ERROR, started_at=NOW)


def test_an_attempt_that_is_broken_off_by_the_turn_that_decides_it_is_never_started() -> None:
    body = [{"id": "fetch", "type": "http"}, {"id": "no", "type": "fail", "with": {"message": "no"}}]
    config = {"items": "[1]", "on_item_error": "continue"}
    graph = _graph({"id": "each", "type": "foreach", "with": config, "steps": body}, {"id": "other", "type": "http"})
    state = replay(graph, [QUEUED], run_id="r", attempt=1)
    decisions = _feed(graph, state, [], RunClaimed(at=NOW))
    assert not state.is_over
    starts = [decision.step for decision in decisions if isinstance(decision, StartAttempt)]
    assert starts == ["other"]
    assert not any(isinstance(decision, StopAttempt) for decision in decisions)


def test_a_loop_that_succeeded_in_a_later_round_leaves_nothing_to_do_when_it_is_read_again() -> None:
    body = [{"id": "first", "type": "http"}, {"id": "second", "type": "http", "after": ["first"]}]
    graph = _graph(
        {"id": "each", "type": "foreach", "with": {"items": "[1]"}, "steps": body},
        {"id": "last", "type": "http", "after": ["each"]},
    )
    journal: list[RunEvent] = [QUEUED]
    state = replay(graph, journal, run_id="r", attempt=1)
    _feed(graph, state, journal, RunClaimed(at=NOW), _succeeded("each[0].first"), _failed("each[0].second"))
    assert state.status is RunStatus.FAILED
    journal.append(RunRetried(at=NOW, attempt=2))
    state = replay(graph, journal, run_id="r", attempt=2)
    again = AttemptSucceeded(at=NOW, step="each[0].second", attempt=2, output=None, started_at=NOW)
    _feed(graph, state, journal, RunClaimed(at=NOW), again)

    restored = replay(graph, journal, run_id="r", attempt=2)
    assert sorted(restored.frames) == sorted(state.frames) == [""]
    decisions = _feed(graph, restored, [], RunClaimed(at=NOW))
    decisions += _feed(graph, restored, [], _succeeded("last"))
    assert [decision.step for decision in decisions if isinstance(decision, StartAttempt)] == ["last"]
