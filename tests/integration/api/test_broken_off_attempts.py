"""What is left of runs that were broken off: attempts with their number, times and reason, and what is to run again."""

from datetime import datetime
from typing import Any

import pytest

from engine.core.events import ErrorInfo as Error
from engine.core.events import (
    RunCancelled,
    RunEvent,
    RunFailed,
    RunRetried,
    StepCancelled,
    StepStarted,
    StepWaiting,
)
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, failed, items, queued, retrying, started, succeeded
from tests.integration.api.journals import call

CRASHED = RunFailed(at=at(9), error=Error(code="worker_crashed", message="workers died"), reason="worker_crashed")


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


def ongoing(step: str, begin: float, *, attempt: int = 1) -> StepStarted:
    """An attempt that takes long."""
    return StepStarted(at=at(begin + 1), step=step, attempt=attempt, started_at=at(begin), reason="long_running")


def tell(step: Any) -> list[tuple[int, str, str, float | None, float | None]]:
    """What is told of a step's attempts; times in seconds into the run."""
    return [
        (each["number"], each["status"], each["reason"], seconds(each["started_at"]), seconds(each["finished_at"]))
        for each in step["attempts"]
    ]


def seconds(moment: str | None) -> float | None:
    return None if moment is None else (datetime.fromisoformat(moment) - at(0)).total_seconds()


async def test_an_attempt_that_is_broken_off_is_listed_timed_and_explained(histories: Histories) -> None:
    definition = {"steps": [call("a"), call("b", "a"), call("c", "b")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("a", 2, begin=1),
        retrying("b", 4, 5, begin=2),
        StepCancelled(
            at=at(8), step="b", attempt=2, started_at=at(6), queued_ms=500, limited_ms=200, reason="run_cancelled"
        ),
        StepCancelled(at=at(8), step="c", reason="run_cancelled"),
        RunCancelled(at=at(8), by="somebody"),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='cancelled')}")
    _, b, c = run["steps"]
    assert tell(b) == [(1, "failed", "status", 2, 4), (2, "cancelled", "run_cancelled", 6, 8)]
    assert (b["attempts"][1]["queued_ms"], b["attempts"][1]["limited_ms"], b["attempts"][1]["error"]) == (
        500,
        200,
        None,
    )
    assert (seconds(b["started_at"]), seconds(b["finished_at"])) == (2, 8)
    assert b["explanation"] == "It ran because 'a' succeeded. Attempt 2 was broken off: the run was cancelled."
    assert b["time"] == {
        "total_ms": 6000,
        "running_ms": 2000 + 2000,
        "backing_off_ms": 1000,
        "limited_ms": 200,
        "queued_ms": 800,
        "waiting_ms": 0,
        "ended_ms": 0,
    }
    assert (c["attempts"], c["started_at"], c["explanation"]) == ([], None, "It was cancelled: the run was cancelled.")
    assert run["time"]["running_ms"] == 1000 + 2000 + 2000 + 800
    told = (await histories.read(f"/v1/runs/{run['id']}/events", after="4"))["items"][0]
    assert (told["type"], told["data"]["attempt"], told["data"]["started_at"]) == (
        "step.cancelled",
        2,
        "2027-01-01T00:00:06Z",
    )


async def test_a_broken_off_attempt_stays_in_the_list_of_the_next_round(histories: Histories) -> None:
    events: list[RunEvent] = [
        queued(),
        started(),
        StepCancelled(at=at(3), step="a", attempt=1, started_at=at(1), reason="run_cancelled"),
        RunCancelled(at=at(3)),
        RunRetried(at=at(10), attempt=2),
    ]
    definition = {"steps": [call("a")]}
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='queued', attempt=2)}")
    assert (run["steps"][0]["status"], run["steps"][0]["started_at"]) == ("pending", None)
    assert tell(run["steps"][0]) == [(1, "cancelled", "run_cancelled", 1, 3)]
    # Cancelled again, before its turn had come: nothing of this round was broken off.
    again: list[RunEvent] = [
        *events,
        started(11),
        StepCancelled(at=at(12), step="a", reason="run_cancelled"),
        RunCancelled(at=at(12)),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, again, status='cancelled', attempt=2)}")
    assert tell(run["steps"][0]) == [(1, "cancelled", "run_cancelled", 1, 3)]
    assert run["steps"][0]["explanation"] == "It was cancelled: the run was cancelled."


async def test_a_step_that_is_cancelled_while_it_waits_tells_why_it_waited(histories: Histories) -> None:
    definition = {
        "steps": [
            call("a"),
            {"id": "pause", "type": "delay", "with": {"seconds": 60}},
        ]
    }
    events: list[RunEvent] = [
        queued(),
        started(),
        StepWaiting(at=at(1), step="pause", due_at=at(61), reason="delay"),
        retrying("a", 2, 60, begin=1),
        StepCancelled(at=at(5), step="a", reason="run_cancelled"),
        StepCancelled(at=at(5), step="pause", reason="run_cancelled"),
        RunCancelled(at=at(5)),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='cancelled')}")
    a, pause = run["steps"]
    assert tell(a) == [(1, "failed", "status", 1, 2)]
    assert (a["time"]["running_ms"], a["time"]["backing_off_ms"], a["time"]["total_ms"]) == (1000, 3000, 4000)
    assert (pause["time"]["waiting_ms"], pause["attempts"], pause["due_at"]) == (4000, [], None)
    for step in (a, pause):
        assert step["explanation"] == (
            "It started with the run, as it waits for no other step. It was cancelled: the run was cancelled."
        )


async def test_journals_of_earlier_releases_tell_of_long_attempts_that_were_broken_off(histories: Histories) -> None:
    events: list[RunEvent] = [
        queued(),
        started(),
        ongoing("a", 1),
        StepCancelled(at=at(5), step="a", reason="run_cancelled"),
        StepCancelled(at=at(5), step="b", reason="run_cancelled"),
        RunCancelled(at=at(5)),
    ]
    definition = {"steps": [call("a"), call("b")]}
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='cancelled')}")
    a, b = run["steps"]
    assert tell(a) == [(1, "cancelled", "run_cancelled", 1, 5)]
    assert a["time"]["total_ms"] == a["time"]["running_ms"] == 4000
    assert b["attempts"] == []


async def test_a_run_that_could_not_be_driven_on_leaves_no_step_open(histories: Histories) -> None:
    definition = {
        "steps": [
            call("a"),
            call("b"),
            call("c"),
            {"id": "pause", "type": "delay", "with": {"seconds": 60}},
            {"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [call("get")]},
        ]
    }
    events: list[RunEvent] = [
        queued(),
        started(),
        StepWaiting(at=at(1), step="pause", due_at=at(61), reason="delay"),
        items("each", 2),
        ongoing("a", 1),
        ongoing("each[1].get", 1),
        retrying("b", 2, 60, begin=1),
        CRASHED,
    ]
    run_id = await histories.keep(definition, events, status="failed")
    run = await histories.read(f"/v1/runs/{run_id}")
    assert {(step["status"], step["reason"], seconds(step["finished_at"])) for step in run["steps"]} == {
        ("cancelled", "run_failed", 9)
    }
    told = {step["id"]: tell(step) for step in run["steps"]}
    assert told == {
        "a": [(1, "cancelled", "run_failed", 1, 9)],
        "b": [(1, "failed", "status", 1, 2)],
        "c": [],
        "pause": [],
        "each": [],
    }
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    assert [item["status"] for item in page["items"]] == ["cancelled", "cancelled"]
    assert tell(page["items"][1]["steps"][0]) == [(1, "cancelled", "run_failed", 1, 9)]
    # Its numbers go on, and the one that was broken off is kept.
    more: list[RunEvent] = [*events, RunRetried(at=at(20), attempt=2), started(21)]
    more.append(succeeded("a", 23, begin=22, attempt=2))
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, more, attempt=2)}")
    assert tell(run["steps"][0]) == [(1, "cancelled", "run_failed", 1, 9), (2, "succeeded", "completed", 22, 23)]
    assert run["steps"][0]["time"]["ended_ms"] == 22_000 - 9_000


async def test_attempts_of_items_that_are_broken_off_are_listed(histories: Histories) -> None:
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [call("get")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        items("each", 2),
        failed("each[0].get", 3),
        StepCancelled(at=at(3), step="each[1].get", attempt=1, started_at=at(1), queued_ms=100, reason="loop_failed"),
        failed("each", 3, reason="item_failed"),
        RunFailed(at=at(3), error=Error(code="item_failed", message="item 0 failed"), reason="step_failed"),
    ]
    run_id = await histories.keep({"steps": [loop]}, events, status="failed")
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    second = page["items"][1]
    assert (second["status"], seconds(second["started_at"]), seconds(second["finished_at"])) == ("cancelled", 1, 3)
    assert tell(second["steps"][0]) == [(1, "cancelled", "loop_failed", 1, 3)]
    assert second["steps"][0]["time"]["running_ms"] == 2000
    assert (await histories.read(f"/v1/runs/{run_id}"))["time"]["running_ms"] == 2000


async def test_a_retried_run_shows_what_is_to_run_again_as_pending(histories: Histories) -> None:
    definition = {"steps": [call("good"), call("bad"), call("next", "bad")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("good", begin=1),
        failed("bad"),
        StepCancelled(at=at(2), step="next", reason="run_failed"),
        RunFailed(at=at(2), error=Error(code="broken", message="m", step="bad"), reason="step_failed"),
        RunRetried(at=at(9), attempt=2),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='queued', attempt=2)}")
    assert {step["id"]: step["status"] for step in run["steps"]} == {
        "good": "succeeded",
        "bad": "pending",
        "next": "pending",
    }
    assert (run["status"], run["attempt"], run["error"], run["finished_at"]) == ("queued", 2, None, None)
