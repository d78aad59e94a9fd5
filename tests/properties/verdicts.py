"""Holds the end of a run to what the reference interpreter says of it."""

from typing import Any

from engine.core.statuses import RunStatus
from tests.properties.core_run import CoreRun
from tests.properties.reference import FAILED_ITEM, judge


def check_end(run: CoreRun) -> None:
    """The run and its steps ended as the rules say, or were broken off where the run was."""
    verdict = judge(run.plan, run.answers)
    ended = run.state.status
    was_dropped = ended is RunStatus.CANCELLED and run.journal[-1].reason == "concurrency_dropped"
    if not was_dropped and ended in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        assert ended.value == verdict.run
    for step, status in run.statuses.items():
        assert status in ("succeeded", "failed", "skipped", "cancelled"), f"{step} is left {status}"
        if verdict.steps.get(step) != "open":
            assert status in (verdict.steps.get(step), "cancelled"), f"{step} is {status}"
    if ended is RunStatus.SUCCEEDED:
        for node in run.plan.graph.nodes:
            assert run.statuses[node.id] == verdict.steps[node.id]
            assert run.state.scope["steps"][node.id]["status"] == verdict.steps[node.id]
            if run.statuses[node.id] == "succeeded":
                assert _same(run.state.scope["steps"][node.id]["output"], verdict.outputs[node.id])


def _same(actual: Any, expected: Any) -> bool:
    """Whether an output is the one expected; what a failed item gives is told by its error."""
    if expected is FAILED_ITEM:
        return isinstance(actual, dict) and list(actual) == ["error"] and "code" in actual["error"]
    if isinstance(expected, list):
        return len(actual) == len(expected) and all(map(_same, actual, expected))
    if isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(_same(actual[key], expected[key]) for key in expected)
    return bool(actual == expected)
