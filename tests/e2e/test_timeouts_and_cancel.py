"""What ends before its time: timeouts of steps and runs, and runs that somebody cancels."""

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, step_of
from tests.e2e.steps import ONCE, condition, define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import in_time, on_this_machine

Publish = Callable[..., Published]
# A promise, on a machine that has nothing else to do.
CANCEL_SECONDS = 5.0


def cancel(client: Client, run_id: str) -> Document:
    """Cancel a run and give it at its end, which must come in time."""
    answer = client.http.post(f"/v1/runs/{run_id}/cancel")
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"run_id": run_id}
    return client.wait_for_end(run_id, seconds=on_this_machine(CANCEL_SECONDS))


def test_the_timeout_of_a_step_is_that_of_one_attempt(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/slow", Reply(delay=10))
    retry = {"max_attempts": 2, "initial": 0, "jitter": False}
    workflow = publish_workflow(define(http("slow", target.base + "/slow", timeout=0.4, retry=retry)))

    def measure_attempt() -> float:
        run = client.finish(workflow.id)
        slow = step_of(run, "slow")
        assert (run["status"], slow["error"]["code"], slow["reason"]) == ("failed", "timeout", "attempts_exhausted")
        assert [attempt["error"]["code"] for attempt in slow["attempts"]] == ["timeout", "timeout"]
        first, second = (datetime.fromisoformat(attempt["started_at"]) for attempt in slow["attempts"])
        taken = (second - first).total_seconds()
        assert taken >= 0.4
        return taken

    in_time(measure_attempt, 1.2)


def test_the_timeout_of_a_run_ends_it_whatever_it_does(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    target.plan("/broken", Reply(status=500))
    workflow = publish_workflow(
        define(
            http("held", target.base + "/held"),
            delay("waits", 60),
            http("retrying", target.base + "/broken", retry={"max_attempts": 3, "initial": 60, "jitter": False}),
            condition("later", "true", after=["held"]),
            condition("done", "true"),
            settings={"timeout": 1},
        )
    )

    def measure() -> float:
        began = time.monotonic()
        run = client.finish(workflow.id)
        taken = time.monotonic() - began
        assert taken >= 1.0
        assert (run["status"], run["reason"], run["error"]["code"]) == ("timed_out", "deadline_passed", "run_timed_out")
        for step_id in ("held", "waits", "retrying", "later"):
            step = step_of(run, step_id)
            assert (step["status"], step["reason"]) == ("cancelled", "run_timed_out")
        assert step_of(run, "done")["status"] == "succeeded"
        assert [event["type"] for event in client.events(run["id"])][-1] == "run.timed_out"
        return taken

    in_time(measure, 3)


def test_the_timeout_of_a_run_may_be_an_expression(client: Client, publish_workflow: Publish) -> None:
    settings = {"timeout": "{{ input.patience }}"}
    workflow = publish_workflow(define(delay("waits", 60), settings=settings))
    assert client.finish(workflow.id, {"input": {"patience": 0.3}})["status"] == "timed_out"
    wrong = client.finish(workflow.id, {"input": {"patience": "much"}})
    assert (wrong["status"], wrong["error"]["code"]) == ("failed", "invalid_settings")


def test_a_run_that_ends_in_time_is_not_timed_out(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/slow", Reply(delay=0.3))
    workflow = publish_workflow(define(http("slow", target.base + "/slow"), settings={"timeout": 20}))
    assert client.finish(workflow.id)["status"] == "succeeded"


def test_a_run_blocked_in_a_request_is_cancelled_at_once_and_for_good(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/held")
    workflow = publish_workflow(
        define(http("held", target.base + "/held"), http("after", target.base + "/after", after=["held"]))
    )
    run_id = client.start(workflow.id)
    target.wait("/held")
    began = time.monotonic()
    run = cancel(client, run_id)
    assert time.monotonic() - began < on_this_machine(CANCEL_SECONDS)
    assert (run["status"], run["reason"], run["error"]) == ("cancelled", "requested", None)
    for step_id in ("held", "after"):
        step = step_of(run, step_id)
        assert (step["status"], step["reason"]) == ("cancelled", "run_cancelled")
    events = client.events(run_id)
    hold.released.set()
    assert client.finish(publish_workflow(define(delay("a_moment", 0.2))).id)["status"] == "succeeded"
    assert client.run(run_id) == run
    assert client.events(run_id) == events
    assert target.received("/after") == []
    assert events[-1]["data"]["by"] == client.me()["user"]["id"]


@pytest.mark.parametrize("seconds", [20, 3600], ids=["in memory", "suspended"])
def test_a_waiting_run_is_cancelled(client: Client, publish_workflow: Publish, seconds: int) -> None:
    run_id = client.start(publish_workflow(define(delay("waits", seconds))).id)
    client.wait_for_status(run_id, "waiting")
    run = cancel(client, run_id)
    assert (run["status"], step_of(run, "waits")["status"]) == ("cancelled", "cancelled")


def test_a_run_that_backs_off_is_cancelled_and_tries_no_more(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/broken", Reply(status=500))
    retry = {"max_attempts": 3, "initial": 4, "factor": 1, "jitter": False}
    run_id = client.start(publish_workflow(define(http("call", target.base + "/broken", retry=retry))).id)
    target.wait("/broken")
    run = cancel(client, run_id)
    assert run["status"] == "cancelled"
    assert client.finish(publish_workflow(define(delay("until_it_was_due", 4.2))).id)["status"] == "succeeded"
    assert len(target.received("/broken")) == 1
    assert [attempt["number"] for attempt in step_of(run, "call")["attempts"]] == [1]


def test_a_finished_run_cannot_be_cancelled(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/broken", Reply(status=404))
    succeeded = client.finish(publish_workflow(define(condition("a", "true"))).id)
    failed = client.finish(publish_workflow(define(http("a", target.base + "/broken", retry=ONCE))).id)
    waiting = client.start(publish_workflow(define(delay("a", 60))).id)
    cancelled = cancel(client, waiting)
    for run in (succeeded, failed, cancelled):
        assert_problem(client.http.post(f"/v1/runs/{run['id']}/cancel"), 409, "run_finished")
        assert client.run(run["id"]) == run


def test_a_run_that_nobody_knows_cannot_be_cancelled(client: Client) -> None:
    answer = client.http.post("/v1/runs/01a205a3-7712-71e8-942e-bce6ee93602f/cancel")
    assert_problem(answer, 404, "not_found")


def test_of_many_cancels_at_once_none_breaks_the_journal(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    run_id = client.start(publish_workflow(define(http("held", target.base + "/held"))).id)
    target.wait("/held")
    answers = [client.http.post(f"/v1/runs/{run_id}/cancel").status_code for _ in range(5)]
    assert set(answers) <= {202, 409}
    assert client.wait_for_end(run_id, seconds=on_this_machine(CANCEL_SECONDS))["status"] == "cancelled"
    events = client.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("run.cancelled") == 1
