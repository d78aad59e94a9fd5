"""Steps that wait for a signal: it may come early or late, and each is taken once, by the one that waited longest."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import Step, define, delay, foreach, of_type, transform
from tests.product import in_time

Publish = Callable[..., Published]


def wait(step_id: str, name: str, *, after: list[str] | None = None, **more: Any) -> Step:
    """A `wait` step; `more` goes into `with`."""
    return of_type("wait", step_id, {"signal": name, **more}, after=after)


def signal(client: Client, run_id: str, name: str, payload: Any = None) -> None:
    """Send a signal that is accepted."""
    answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": name, "payload": payload})
    assert answer.status_code == 202, answer.text


def test_a_run_waits_for_its_signal_whose_payload_is_the_output(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(
        define(wait("paid", "paid"), transform("after", after=["paid"], n="{{ steps.paid.output.n }}"))
    )
    run_id = client.start(workflow.id)
    run = client.wait_for_status(run_id, "waiting")
    paid = step_of(run, "paid")
    assert (run["reason"], paid["status"], paid["reason"]) == ("signal", "waiting", "signal")
    assert (paid["waiting"]["signal"], paid["waiting"]["due_at"]) == ("paid", None)
    assert "'paid'" in paid["explanation"]
    signal(client, run_id, "other", {"n": 1})
    signal(client, run_id, "paid", {"n": 2})
    run = client.wait_for_end(run_id)
    paid = step_of(run, "paid")
    assert (run["status"], paid["output"], paid["reason"], paid["port"]) == ("succeeded", {"n": 2}, "signalled", None)
    assert step_of(run, "after")["output"] == {"n": 2}


@pytest.mark.parametrize("payload", [None, 0, False, "", "text", [], {"a": [{"b": None}]}, 2.5])
def test_any_json_value_is_a_payload(client: Client, publish_workflow: Publish, payload: Any) -> None:
    run_id = client.start(publish_workflow(define(wait("a", "go"), output="{{ steps.a.output }}")).id)
    signal(client, run_id, "go", payload)
    run = client.wait_for_end(run_id)
    assert (run["status"], run["output"]) == ("succeeded", payload)
    assert type(run["output"]) is type(payload)


def test_signals_that_come_before_their_waits_are_kept_in_their_order(
    client: Client, publish_workflow: Publish
) -> None:
    steps = [
        delay("first", 0.5),
        wait("a", "go", after=["first"]),
        wait("b", "go", after=["a"]),
        wait("c", "other", after=["b"]),
    ]
    run_id = client.start(publish_workflow(define(*steps)).id)
    for name, payload in [("go", 1), ("other", 2), ("go", 3), ("go", 4)]:
        signal(client, run_id, name, payload)
    run = client.wait_for_end(run_id)
    assert run["status"] == "succeeded"
    assert [step_of(run, step_id)["output"] for step_id in "abc"] == [1, 3, 2]


def test_each_signal_is_taken_by_the_step_that_has_waited_the_longest(
    client: Client, publish_workflow: Publish
) -> None:
    steps = [
        wait("first", "go"),
        delay("pause", 0.3),
        wait("second", "go", after=["pause"]),
        wait("third", "go", after=["second"]),
    ]
    run_id = client.start(publish_workflow(define(*steps)).id)
    run = client.wait_for_status(run_id, "waiting")
    while step_of(run, "second")["status"] != "waiting":
        run = client.run(run_id)
    signal(client, run_id, "go", "one")
    signal(client, run_id, "go", "two")
    signal(client, run_id, "go", "three")
    run = client.wait_for_end(run_id)
    assert [step_of(run, step)["output"] for step in ("first", "second", "third")] == ["one", "two", "three"]


def test_the_name_of_the_signal_may_be_an_expression(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(wait("paid", "paid-{{ input.order }}")))
    first, second = (client.start(workflow.id, {"input": {"order": order}}) for order in (7, 8))
    for run_id in (first, second):
        client.wait_for_status(run_id, "waiting")
        signal(client, run_id, "paid-7", "here")
    assert step_of(client.wait_for_end(first), "paid")["output"] == "here"
    assert client.run(second)["status"] == "waiting"
    signal(client, second, "paid-8")
    assert client.wait_for_end(second)["status"] == "succeeded"


def listened(timeout: Any, *ports: str) -> Document:
    """A `wait` with listeners on its success, and on the named ports."""
    listeners = [transform(f"on_{port}", after=[f"a.{port}"]) for port in ports]
    return define(wait("a", "go", timeout=timeout), transform("on_signal", after=["a"]), *listeners)


@pytest.mark.parametrize("timeout", [0.3, "{{ input.patience }}"], ids=["number", "expression"])
def test_a_timeout_that_somebody_listens_for_goes_on_at_its_port(
    client: Client, publish_workflow: Publish, timeout: Any
) -> None:
    run = client.finish(publish_workflow(listened(timeout, "timeout", "error")).id, {"input": {"patience": 0.3}})
    a = step_of(run, "a")
    assert (run["status"], a["status"], a["port"], a["reason"]) == (
        "succeeded",
        "succeeded",
        "timeout",
        "wait_timeout",
    )
    assert a["output"] is None
    assert statuses_of(run) == {
        "a": "succeeded",
        "on_signal": "skipped",
        "on_timeout": "succeeded",
        "on_error": "skipped",
    }
    assert step_of(run, "on_signal")["reason"] == "port_not_taken"


@pytest.mark.parametrize("ports", [(), ("error",)], ids=["unhandled", "handled"])
def test_a_timeout_that_nobody_listens_for_is_a_failure(
    client: Client, publish_workflow: Publish, ports: tuple[str, ...]
) -> None:
    run = client.finish(publish_workflow(listened(0.2, *ports)).id)
    a = step_of(run, "a")
    assert (a["status"], a["reason"], a["error"]["code"]) == ("failed", "wait_timeout", "wait_timeout")
    assert run["status"] == ("succeeded" if ports else "failed")
    if not ports:
        assert (run["error"]["code"], run["error"]["step"]) == ("wait_timeout", "a")
        assert step_of(run, "on_signal")["reason"] == "run_failed"


def test_a_signal_in_time_ends_the_timeout(client: Client, publish_workflow: Publish) -> None:
    definition = listened(4, "timeout")
    definition["steps"].append(delay("longer", 4.3))
    run_id = client.start(publish_workflow(definition).id)
    run = client.wait_for_status(run_id, "waiting")
    assert step_of(run, "a")["due_at"] == step_of(run, "a")["waiting"]["due_at"] is not None
    signal(client, run_id, "go", "in time")
    run = client.wait_for_end(run_id)
    assert (run["status"], step_of(run, "a")["output"]) == ("succeeded", "in time")
    assert statuses_of(run) == {
        "a": "succeeded",
        "on_signal": "succeeded",
        "on_timeout": "skipped",
        "longer": "succeeded",
    }


def test_a_timeout_is_never_early_and_not_much_late(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(listened(0.7, "timeout"))

    def measure() -> float:
        began = time.monotonic()
        assert client.finish(workflow.id)["status"] == "succeeded"
        taken = time.monotonic() - began
        assert taken >= 0.7
        return taken

    in_time(measure, 2)


def test_each_item_of_a_loop_takes_a_signal_of_its_own(client: Client, publish_workflow: Publish) -> None:
    loop = foreach("each", "['x', 'y', 'z']", wait("a", "go"), output="{{ item + steps.a.output }}", concurrency=2)
    run_id = client.start(publish_workflow(define(loop)).id)
    client.wait_for_status(run_id, "waiting")
    for payload in "123":
        signal(client, run_id, "go", payload)
    run = client.wait_for_end(run_id)
    assert step_of(run, "each")["output"] == ["x1", "y2", "z3"]


@pytest.mark.parametrize("name", ["", 7, None, "x" * 201], ids=["empty", "number", "null", "long"])
def test_a_name_that_is_none_fails_the_step(client: Client, publish_workflow: Publish, name: Any) -> None:
    run = client.finish(publish_workflow(define(wait("a", "{{ input.name }}"))).id, {"input": {"name": name}})
    assert (run["status"], step_of(run, "a")["error"]["code"]) == ("failed", "invalid_config")


def test_a_faulty_wait_is_refused(client: Client) -> None:
    definition = define(
        of_type("wait", "a", {}),
        wait("b", ""),
        wait("c", "go", timeout=-1),
        of_type("wait", "d", {"signal": "go"}, timeout=5),
        transform("e", after=["a.signalled"]),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/steps/0/with", "required"),
        ("/steps/1/with/signal", "too_short"),
        ("/steps/2/with/timeout", "out_of_range"),
        ("/steps/3/timeout", "not_applicable"),
        ("/steps/4/after/0", "unknown_port"),
    }
