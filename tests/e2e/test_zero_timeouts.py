"""A `wait` or an `approval` whose timeout is 0: it takes what is there already, and else goes on at once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Published, statuses_of, step_of
from tests.e2e.steps import define, of_type, transform

Publish = Callable[..., Published]

ZEROS = pytest.mark.parametrize("timeout", [0, "{{ 0 }}", "{{ input.patience }}"], ids=["number", "text", "input"])


@ZEROS
@pytest.mark.parametrize("step_type", ["wait", "approval"])
def test_without_patience_the_timeout_comes_at_once(
    client: Client, publish_workflow: Publish, step_type: str, timeout: Any
) -> None:
    configuration = {"signal": "go"} if step_type == "wait" else {"message": "Go on?"}
    ask = of_type(step_type, "ask", {**configuration, "timeout": timeout})
    workflow = publish_workflow(define(ask, transform("late", after=["ask.timeout"]), transform("on", after=["ask"])))
    run = client.finish(workflow.id, {"input": {"patience": 0}})
    step = step_of(run, "ask")
    assert (run["status"], step["port"], step["reason"]) == ("succeeded", "timeout", "wait_timeout")
    assert statuses_of(run) == {"ask": "succeeded", "late": "succeeded", "on": "skipped"}
    approvals = client.read("/v1/approvals", run_id=run["id"])["items"]
    assert [approval["status"] for approval in approvals] == (["timed_out"] if step_type == "approval" else [])


@ZEROS
def test_a_signal_that_came_before_is_taken_all_the_same(
    client: Client, publish_workflow: Publish, timeout: Any
) -> None:
    first = of_type("wait", "first", {"signal": "start"})
    poll = of_type("wait", "poll", {"signal": "go", "timeout": timeout}, after=["first"])
    workflow = publish_workflow(define(first, poll, transform("late", after=["poll.timeout"])))
    run_id = client.start(workflow.id, {"input": {"patience": 0}})
    for name in ("go", "start"):
        answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": name, "payload": name})
        assert answer.status_code == 202, answer.text
    run = client.wait_for_end(run_id)
    assert (run["status"], step_of(run, "poll")["output"]) == ("succeeded", "go")
    assert statuses_of(run) == {"first": "succeeded", "poll": "succeeded", "late": "skipped"}


@pytest.mark.parametrize("timeout", [-1, -0.001, "-1"], ids=["number", "fraction", "text"])
def test_a_time_below_zero_is_refused(client: Client, timeout: Any) -> None:
    definition = define(of_type("wait", "a", {"signal": "go", "timeout": timeout}))
    (error,) = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert error["pointer"] == "/steps/0/with/timeout"
    assert error["code"] == ("invalid_type" if isinstance(timeout, str) else "out_of_range")


def test_an_expression_that_gives_less_than_zero_fails_its_step(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(of_type("wait", "a", {"signal": "go", "timeout": "{{ 1 - 2 }}"})))
    run = client.finish(workflow.id)
    assert (run["status"], step_of(run, "a")["error"]["code"]) == ("failed", "invalid_config")
