"""Delays: for a span or until a moment, never early, and not at all for what is due already."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.steps import define, delay, of_type, transform
from tests.product import in_time

Publish = Callable[..., Published]
BERLIN = timezone(timedelta(hours=2))


def milliseconds(step: Document) -> float:
    """How long a step took."""
    took = datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])
    return took.total_seconds() * 1000


@pytest.mark.parametrize("seconds", [0.3, "{{ input.seconds }}"], ids=["number", "expression"])
def test_a_span_is_waited_for_and_gives_null(client: Client, publish_workflow: Publish, seconds: Any) -> None:
    workflow = publish_workflow(define(delay("pause", seconds), transform("after", after=["pause"])))

    def measure() -> float:
        run = client.finish(workflow.id, {"input": {"seconds": 0.3}})
        pause = step_of(run, "pause")
        assert (run["status"], pause["output"], pause["reason"], pause["attempts"]) == (
            "succeeded",
            None,
            "delay_elapsed",
            [],
        )
        assert milliseconds(pause) >= 300
        assert step_of(run, "after")["started_at"] >= pause["finished_at"]
        return milliseconds(pause)

    in_time(measure, 1500)


def test_a_moment_is_waited_for_whatever_its_offset(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(of_type("delay", "pause", {"until": "{{ input }}"})))

    def measure_lateness() -> float:
        moment = (datetime.now(UTC) + timedelta(seconds=3)).astimezone(BERLIN)
        run_id = client.start(workflow.id, {"input": moment.isoformat()})
        run = client.wait_for_status(run_id, "waiting")
        assert datetime.fromisoformat(step_of(run, "pause")["due_at"]) == moment
        assert datetime.fromisoformat(run["wake_at"]) == moment
        finished_at = step_of(client.wait_for_end(run_id), "pause")["finished_at"]
        lateness = (datetime.fromisoformat(finished_at) - moment).total_seconds()
        assert lateness >= 0
        return lateness

    in_time(measure_lateness, 1)


def test_delays_beside_each_other_are_waited_for_together(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(*(delay(f"d{n}", 0.4) for n in range(20))))

    def measure() -> float:
        run = client.finish(workflow.id)
        assert run["status"] == "succeeded"
        total_ms: float = run["time"]["total_ms"]
        assert total_ms >= 400
        return total_ms

    in_time(measure, 1500)


@pytest.mark.parametrize(
    "configuration",
    [{"seconds": 0}, {"until": "2020-01-01T00:00:00Z"}, {"until": "2020-01-01T00:00:00-11:30"}],
    ids=str,
)
def test_what_is_due_already_does_not_wait(client: Client, publish_workflow: Publish, configuration: Document) -> None:
    run = client.finish(publish_workflow(define(of_type("delay", "pause", configuration))).id)
    assert (run["status"], step_of(run, "pause")["reason"]) == ("succeeded", "delay_elapsed")
    assert "run.waiting" not in {event["type"] for event in client.events(run["id"])}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seconds", "soon"),
        ("seconds", -1),
        ("seconds", None),
        ("seconds", True),
        ("seconds", 4e8),
        ("until", "tomorrow"),
        ("until", "2099-01-01T00:00:00"),
        ("until", "2099-01-01T00:00:00Z"),
        ("until", 7),
    ],
    ids=str,
)
def test_a_time_that_is_none_or_too_far_fails_the_step(
    client: Client, publish_workflow: Publish, field: str, value: Any
) -> None:
    workflow = publish_workflow(define(of_type("delay", "pause", {field: "{{ input }}"})))
    run = client.finish(workflow.id, {"input": value})
    assert (run["status"], step_of(run, "pause")["error"]["code"]) == ("failed", "invalid_config")


def test_a_faulty_delay_is_refused(client: Client) -> None:
    definition = define(
        of_type("delay", "a", {}),
        of_type("delay", "b", {"seconds": 1, "until": "2099-01-01T00:00:00Z"}),
        delay("c", -1),
        of_type("delay", "d", {"until": "2099-01-01T00:00:00"}),
        of_type("delay", "e", {"minutes": 1, "seconds": 1}),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/steps/0/with", "exactly_one"),
        ("/steps/1/with", "exactly_one"),
        ("/steps/2/with/seconds", "out_of_range"),
        ("/steps/3/with/until", "invalid_time"),
        ("/steps/4/with/minutes", "unknown_field"),
    }


def test_a_run_has_seven_days_unless_its_settings_say_otherwise(client: Client, publish_workflow: Publish) -> None:
    for settings, seconds in (({}, 7 * 86_400), ({"settings": {"timeout": 90}}, 90)):
        run = client.finish(publish_workflow(define(transform("a"), **settings)).id)
        (started,) = [event for event in client.events(run["id"]) if event["type"] == "run.started"]
        deadline_at = datetime.fromisoformat(started["data"]["deadline_at"])
        assert deadline_at - datetime.fromisoformat(run["started_at"]) == timedelta(seconds=seconds)
