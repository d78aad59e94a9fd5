"""Signals: kept until a wait takes them, first in, first out, each of them once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.client import Client, Published, assert_problem, statuses_of, step_of
from tests.e2e.steps import define, delay, foreach, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import wait_for

Publish = Callable[..., Published]


def wait(step_id: str, name: str, *, after: list[str] | None = None, **configuration: Any) -> dict[str, Any]:
    return of_type("wait", step_id, {"signal": name, **configuration}, after=after)


def send(client: Client, run_id: str, name: str, payload: Any = None) -> None:
    answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": name, "payload": payload})
    assert (answer.status_code, answer.json()) == (202, {"run_id": run_id}), answer.text


def test_a_waiting_step_gives_the_payload_of_its_signal(client: Client, publish_workflow: Publish) -> None:
    definition = define(wait("paid", "payment"), output={"amount": "{{ steps.paid.output.amount }}"})
    run_id = client.start(publish_workflow(definition).id)
    waiting = step_of(client.wait_for_status(run_id, "waiting"), "paid")["waiting"]
    assert (waiting["reason"], waiting["signal"], waiting["due_at"]) == ("signal", "payment", None)
    send(client, run_id, "refund", {"amount": 1})
    send(client, run_id, "payment", {"amount": 5})
    run = client.wait_for_status(run_id, "succeeded")
    assert run["output"] == {"amount": 5}
    paid = step_of(run, "paid")
    assert (paid["reason"], paid["output"]) == ("signalled", {"amount": 5})
    told = [event["data"] for event in client.events(run_id) if event["type"] == "run.signalled"]
    assert [(each["name"], each["by"]) for each in told] == [
        (name, client.me()["user"]["id"]) for name in ("refund", "payment")
    ]


def test_signals_that_come_before_their_waits_are_kept_in_order_by_name(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    held = target.hold("/first")
    definition = define(
        http("first", target.base + "/first"),
        wait("a1", "a", after=["first"]),
        wait("b1", "b", after=["a1"]),
        wait("a2", "a", after=["b1"]),
        wait("a3", "a", after=["a2"]),
        output=["{{ steps.a1.output }}", "{{ steps.b1.output }}", "{{ steps.a2.output }}", "{{ steps.a3.output }}"],
    )
    run_id = client.start(publish_workflow(definition).id)
    target.wait("/first")
    for name, payload in (("a", 1), ("a", 2), ("b", "b"), ("a", 3), ("a", 4)):
        send(client, run_id, name, payload)
    held.released.set()
    assert client.wait_for_status(run_id, "succeeded")["output"] == [1, "b", 2, 3]


def test_of_several_waits_the_oldest_takes_a_signal(client: Client, publish_workflow: Publish) -> None:
    definition = define(
        wait("first", "go"),
        delay("moment", 0.2),
        wait("second", "go", after=["moment"]),
        output=["{{ steps.first.output }}", "{{ steps.second.output }}"],
    )
    run_id = client.start(publish_workflow(definition).id)
    wait_for(lambda: statuses_of(client.run(run_id))["second"] == "waiting", what="second wait")
    send(client, run_id, "go", 1)
    wait_for(lambda: statuses_of(client.run(run_id))["first"] == "succeeded", what="end of the first wait")
    assert statuses_of(client.run(run_id)) == {"first": "succeeded", "moment": "succeeded", "second": "waiting"}
    send(client, run_id, "go", 2)
    assert client.wait_for_status(run_id, "succeeded")["output"] == [1, 2]


def test_each_of_many_signals_at_once_is_taken_once(client: Client, publish_workflow: Publish) -> None:
    count = 40
    body = wait("got", "item")
    definition = define(
        foreach("each", "input.items", body, output="{{ steps.got.output }}"), output="{{ steps.each.output }}"
    )
    run_id = client.start(publish_workflow(definition).id, {"input": {"items": list(range(count))}})
    client.wait_for_status(run_id, "waiting")
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda number: send(client, run_id, "item", number), range(count)))
    run = client.wait_for_status(run_id, "succeeded")
    assert sorted(run["output"]) == list(range(count))


def test_a_large_payload_is_read_by_later_steps(client: Client, publish_workflow: Publish) -> None:
    definition = define(wait("got", "go"), output="{{ size(steps.got.output.text) }}")
    run_id = client.start(publish_workflow(definition).id)
    send(client, run_id, "go", {"text": "x" * 900_000})
    run = client.wait_for_status(run_id, "succeeded")
    assert run["output"] == 900_000
    assert step_of(run, "got")["output"]["size"] > 900_000
    answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go", "payload": "x" * 2_000_000})
    assert_problem(answer, 413, "payload_too_large")


def test_what_comes_too_late_is_refused(client: Client, publish_workflow: Publish) -> None:
    late = of_type("transform", "late", {"values": {"late": True}}, after=["got.timeout"])
    run_id = client.start(publish_workflow(define(wait("got", "go", timeout=0.3), late)).id)
    run = client.wait_for_status(run_id, "succeeded")
    assert (step_of(run, "got")["port"], step_of(run, "late")["output"]) == ("timeout", {"late": True})
    answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"})
    assert_problem(answer, 409, "run_finished")


def test_a_wait_that_nobody_ends_fails_where_nobody_listens(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(define(wait("got", "go", timeout=0.2))).id)
    assert (run["status"], run["error"]["code"]) == ("failed", "wait_timeout")


def test_a_signal_that_nobody_took_is_there_after_a_retry(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/first", Reply(status=404))
    definition = define(
        wait("ready", "ready"),
        http("first", target.base + "/first", after=["ready"]),
        wait("got", "go", after=["first"]),
        output="{{ steps.got.output }}",
    )
    run_id = client.start(publish_workflow(definition).id)
    send(client, run_id, "go", "kept")
    send(client, run_id, "ready")
    client.wait_for_status(run_id, "failed")
    target.plan("/first", Reply())
    assert client.http.post(f"/v1/runs/{run_id}/retry").status_code == 202
    assert client.wait_for_status(run_id, "succeeded")["output"] == "kept"
