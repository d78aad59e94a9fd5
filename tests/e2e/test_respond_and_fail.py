"""Steps that answer a caller, and steps that are there to fail."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Deliver, Document, Published, statuses_of, step_of
from tests.e2e.steps import condition, define, delay, of_type, transform

Publish = Callable[..., Published]


@pytest.mark.parametrize(
    ("configuration", "output"),
    [
        ({}, {"status": 200, "headers": {}, "body": None}),
        ({"status": 404, "body": "no such order"}, {"status": 404, "headers": {}, "body": "no such order"}),
        (
            {
                "status": "{{ input.status }}",
                "headers": {"X-Order": "{{ input.id }}", "X-New": "{{ input.id > 3 }}", "X-Left-Out": "{{ null }}"},
                "body": {"id": "{{ input.id }}"},
            },
            {"status": 201, "headers": {"X-Order": "17", "X-New": "true"}, "body": {"id": 17}},
        ),
    ],
    ids=["nothing", "text", "expressions"],
)
def test_an_answer_that_nobody_waits_for_succeeds_and_is_the_output(
    client: Client, publish_workflow: Publish, configuration: Document, output: Document
) -> None:
    definition = define(
        of_type("respond", "answer", configuration), transform("after", after=["answer"]), output="{{ steps.answer }}"
    )
    run = client.finish(publish_workflow(definition).id, {"input": {"id": 17, "status": 201}})
    answer = step_of(run, "answer")
    assert (run["status"], answer["status"], answer["reason"]) == ("succeeded", "succeeded", "completed")
    assert answer["output"] == output
    assert step_of(run, "after")["status"] == "succeeded"


def test_a_hook_that_does_not_wait_for_an_answer_has_accepted_long_before(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    definition = define(delay("pause", 0.3), of_type("respond", "answer", {"status": 201}, after=["pause"]))
    answer = deliver(publish_workflow(definition).hook, "{}")
    assert answer.status_code == 202
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["status"], step_of(run, "answer")["output"]["status"]) == ("succeeded", 201)


@pytest.mark.parametrize("status", [100, 199, 600, 201.5, "201", None, True])
def test_an_answer_with_an_impossible_status_fails(client: Client, publish_workflow: Publish, status: Any) -> None:
    definition = define(
        of_type("respond", "answer", {"status": "{{ input.status }}"}), transform("rescue", after=["answer.error"])
    )
    run = client.finish(publish_workflow(definition).id, {"input": {"status": status}})
    answer = step_of(run, "answer")
    assert (run["status"], answer["status"], answer["error"]["code"]) == ("succeeded", "failed", "invalid_config")
    assert "200 to 599" in answer["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        "{{ input }}",
        {"X-A": "{{ input }}"},
        {"X-A": "{{ input[0] }}"},
        {"X-A": "{{ 'a\\r\\nSet-Cookie: b' }}"},
        "{{ {'X A': 'b'} }}",
    ],
    ids=["all", "a list", "an object", "a second header", "no name"],
)
def test_an_answer_with_headers_that_are_none_fails(
    client: Client, publish_workflow: Publish, headers: Document | str
) -> None:
    definition = define(of_type("respond", "answer", {"headers": headers}))
    run = client.finish(publish_workflow(definition).id, {"input": [{"b": 1}]})
    assert (run["status"], step_of(run, "answer")["error"]["code"]) == ("failed", "invalid_config")


def test_a_faulty_answer_is_refused(client: Client) -> None:
    definition = define(
        of_type("respond", "a", {"status": 199}),
        of_type("respond", "b", {"status": "ok"}),
        of_type("respond", "c", {"headers": {"X-A": 1}}),
        of_type("respond", "d", {"code": 200}),
        of_type("fail", "e", {}),
        of_type("fail", "f", {"message": ""}),
        of_type("fail", "g", {"message": "x"}, retry={"max_attempts": 3}),
        of_type("respond", "h", {"headers": {"X-A": "a\r\nSet-Cookie: b", "X B": "{{ input }}"}}),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/steps/0/with/status", "out_of_range"),
        ("/steps/1/with/status", "invalid_type"),
        ("/steps/2/with/headers/X-A", "invalid_type"),
        ("/steps/3/with/code", "unknown_field"),
        ("/steps/4/with", "required"),
        ("/steps/5/with/message", "too_short"),
        ("/steps/6/retry", "not_applicable"),
        ("/steps/7/with/headers/X-A", "invalid_header"),
        ("/steps/7/with/headers/X B", "invalid_header"),
    }


def test_fail_ends_the_run_with_its_message(client: Client, publish_workflow: Publish) -> None:
    definition = define(
        condition("known", "input.sku == 'a1'"),
        of_type("fail", "stop", {"message": "no stock of {{ input.sku }}"}, after=["known.false"]),
        delay("other", 60),
        transform("later", after=["stop"]),
    )
    run = client.finish(publish_workflow(definition).id, {"input": {"sku": "b2"}})
    stop = step_of(run, "stop")
    assert (run["status"], run["reason"]) == ("failed", "step_failed")
    assert run["error"] == {"code": "fail_step", "message": "no stock of b2", "step": "stop"}
    assert (stop["reason"], stop["error"]["message"]) == ("fail_step", "no stock of b2")
    assert {(step["status"], step["reason"]) for step in run["steps"][2:]} == {("cancelled", "run_failed")}


def test_a_message_is_cut_where_it_is_no_message_any_more(client: Client, publish_workflow: Publish) -> None:
    definition = define(of_type("fail", "stop", {"message": "{{ input.text }}"}))
    run = client.finish(publish_workflow(definition).id, {"input": {"text": "x" * 20_000}})
    assert run["error"]["message"] == "x" * 9_999 + "…"


def test_a_failure_on_purpose_is_handled_like_any_other(client: Client, publish_workflow: Publish) -> None:
    definition = define(
        of_type("fail", "stop", {"message": "{{ input }}"}),
        transform("rescue", after=["stop.error"], why="{{ steps.stop.error.message }}"),
        transform("never", after=["stop"]),
    )
    run = client.finish(publish_workflow(definition).id, {"input": {"why": [1]}})
    assert statuses_of(run) == {"stop": "failed", "rescue": "succeeded", "never": "skipped"}
    assert (run["status"], step_of(run, "rescue")["output"]) == ("succeeded", {"why": '{"why":[1]}'})
    assert step_of(run, "never")["reason"] == "dependency_failed"
