"""Event triggers over the API: what happens to one workflow's runs starts another's."""

import uuid

import pytest

from tests.e2e.client import Client, Document, assert_problem
from tests.e2e.steps import define, of_type, transform
from tests.product import wait_for

FAILING = define(of_type("fail", "stop", {"message": "no stock for {{ input.order }}"}))
RESCUE = define(transform("note", why="{{ trigger.event.error.message }}", of="{{ trigger.event.run_id }}"))
FINE = define(transform("note", n=1))


def publish(client: Client, definition: Document, name: str = "Orders") -> str:
    """The id of a published workflow without any trigger."""
    workflow_id: str = client.create_workflow(definition, name)["id"]
    answer = client.http.post(f"/v1/workflows/{workflow_id}/publish")
    assert answer.status_code == 201, answer.text
    return workflow_id


def listen(client: Client, starts: str, **config: object) -> str:
    """The id of a trigger that starts a workflow by an event; of a failure, unless another one is named."""
    trigger_id: str = client.add_trigger(starts, {"event": "run.failed", **config}, type="event")["id"]
    return trigger_id


def runs_of(client: Client, workflow_id: str) -> list[Document]:
    """The workflow's runs by events."""
    items: list[Document] = client.read("/v1/runs", workflow_id=workflow_id, trigger_type="event", limit=200)["items"]
    return items


def wait_for_runs(client: Client, workflow_id: str, count: int) -> list[Document]:
    return wait_for(
        lambda: found if len(found := runs_of(client, workflow_id)) >= count else None,
        what=f"{count} runs by events",
    )


def receipts_of(client: Client, trigger_id: str) -> list[Document]:
    items: list[Document] = client.read("/v1/events", trigger_id=trigger_id, limit=200)["items"]
    return items


def wait_for_receipt(client: Client, trigger_id: str, outcome: str) -> Document:
    return wait_for(
        lambda: next((one for one in receipts_of(client, trigger_id) if one["outcome"] == outcome), None),
        what=f"receipt that says {outcome}",
    )


def test_a_failed_run_starts_the_workflow_that_cares_for_it(client: Client) -> None:
    orders, rescue = publish(client, FAILING), publish(client, RESCUE, "Rescue")
    trigger_id = listen(client, rescue, workflow_id=orders)
    failed = client.finish(orders, {"input": {"order": 7}})
    (run,) = wait_for_runs(client, rescue, 1)
    ended = client.wait_for_end(run["id"])
    assert ended["status"] == "succeeded"
    assert ended["steps"][0]["output"] == {"why": "no stock for 7", "of": failed["id"]}
    assert (ended["trigger"]["type"], ended["trigger"]["event"]["type"]) == ("event", "run.failed")
    assert ended["trigger"]["event"]["run"]["workflow_name"] == "Orders"
    (receipt,) = receipts_of(client, trigger_id)
    assert (receipt["outcome"], receipt["run_id"], receipt["reason"]) == ("started", run["id"], None)
    assert receipt["dedup_key"] == ended["trigger"]["event"]["id"]
    assert client.http.delete(f"/v1/triggers/{trigger_id}").status_code == 204


def test_a_filter_chooses_among_the_events(client: Client) -> None:
    orders, rescue = publish(client, FAILING), publish(client, RESCUE)
    listen(client, rescue, workflow_id=orders, filter="trigger.event.error.message.contains('for 8')")
    ended = [client.finish(orders, {"input": {"order": order}}) for order in (7, 8)]
    (run,) = wait_for_runs(client, rescue, 1)
    assert client.run(run["id"])["trigger"]["event"]["run_id"] == ended[1]["id"]
    # Events come in their order, so that the first one was decided on before.
    assert len(runs_of(client, rescue)) == 1


@pytest.mark.parametrize("number", range(3))
def test_a_trigger_hears_everything_from_the_moment_that_it_is_there(client: Client, number: int) -> None:
    orders, rescue = publish(client, FINE), publish(client, FINE)
    # Nothing is waited for between its creation and the next event, nor after a change.
    trigger_id = listen(client, rescue, event="run.succeeded", workflow_id=orders, filter="true")
    client.finish(orders)
    wait_for_runs(client, rescue, 1)
    body = {"config": {"event": "run.queued", "workflow_id": orders}}
    assert client.http.patch(f"/v1/triggers/{trigger_id}", json=body).status_code == 200
    started = client.start(orders)
    runs = wait_for_runs(client, rescue, 2)
    heard = [client.run(run["id"])["trigger"]["event"] for run in runs]
    assert sorted(event["type"] for event in heard) == ["run.queued", "run.succeeded"], number
    assert next(event for event in heard if event["type"] == "run.queued")["run_id"] == started
    assert client.http.patch(f"/v1/triggers/{trigger_id}", json={"enabled": False}).status_code == 200
    client.finish(orders)
    follow = publish(client, FINE)
    # The event of another trigger, made later, tells that the one before has had its turn.
    listen(client, follow, event="run.succeeded", workflow_id=orders)
    client.finish(orders)
    wait_for_runs(client, follow, 1)
    assert len(runs_of(client, rescue)) == 2


def test_a_workflow_that_cares_for_its_own_failures_does_not_go_round_for_ever(client: Client) -> None:
    orders = publish(client, define(of_type("fail", "stop", {"message": "always"})))
    trigger_id = listen(client, orders, workflow_id=orders)
    client.finish(orders)
    (run,) = wait_for_runs(client, orders, 1)
    assert client.wait_for_end(run["id"])["status"] == "failed"
    cut_off = wait_for_receipt(client, trigger_id, "filtered")
    assert (cut_off["reason"], cut_off["run_id"]) == ("event_loop", None)
    assert cut_off["dedup_key"].startswith(run["id"])
    assert len(runs_of(client, orders)) == 1


def test_two_workflows_that_care_for_each_other_come_to_an_end(client: Client) -> None:
    failing = define(of_type("fail", "stop", {"message": "always"}))
    ping, pong = publish(client, failing), publish(client, failing)
    to_pong, to_ping = listen(client, pong, workflow_id=ping), listen(client, ping, workflow_id=pong)
    client.finish(ping)
    assert wait_for_receipt(client, to_pong, "filtered")["reason"] == "event_loop"
    assert (len(runs_of(client, pong)), len(runs_of(client, ping))) == (1, 1)
    assert client.run(runs_of(client, ping)[0]["id"])["trigger"]["depth"] == 2
    assert [receipt["outcome"] for receipt in receipts_of(client, to_ping)] == ["started"]


def test_a_filter_that_fails_leaves_a_receipt(client: Client) -> None:
    orders, rescue = publish(client, FINE), publish(client, FINE)
    trigger_id = listen(client, rescue, event="run.succeeded", workflow_id=orders, filter="trigger.event.nothing > 1")
    client.finish(orders)
    assert wait_for_receipt(client, trigger_id, "filtered")["reason"] == "filter_failed"


def test_a_test_of_a_draft_is_nothing_to_care_for(client: Client) -> None:
    orders, rescue = publish(client, FAILING), publish(client, RESCUE)
    listen(client, rescue, workflow_id=orders)
    answer = client.http.post(f"/v1/workflows/{orders}/test", json={"input": {"order": 1}})
    assert answer.is_success, answer.text
    assert client.wait_for_end(answer.json()["run_id"])["status"] == "failed"
    client.finish(orders, {"input": {"order": 2}})
    (run,) = wait_for_runs(client, rescue, 1)
    assert client.run(run["id"])["trigger"]["event"]["error"]["message"] == "no stock for 2"


@pytest.mark.parametrize(
    ("config", "pointer", "code"),
    [
        ({"event": "run.exploded"}, "/config/event", "choice"),
        ({}, "/config/event", "required"),
        ({"event": "run.failed", "workflow_id": "orders"}, "/config/workflow_id", "format"),
        ({"event": "run.failed", "workflow_id": str(uuid.UUID(int=7))}, "/config/workflow_id", "unknown_workflow"),
        ({"event": "run.failed", "filter": "steps.a.output"}, "/config/filter", "unknown_name"),
        ({"event": "run.failed", "filter": "trigger."}, "/config/filter", "expression_syntax"),
        ({"event": "run.failed", "workflow": "x"}, "/config/workflow", "unknown_field"),
        ({"event": "run.failed", "rate_limit": {"per_minute": 1}}, "/config/rate_limit", "unknown_field"),
        ({"event": "run.failed", "throttle": {"limit": 0, "per": 1}}, "/config/throttle/limit", "range"),
        (
            {"event": "run.failed", "throttle": {"limit": 1, "per": 1}, "batch": {"size": 2, "period": 1}},
            "/config/batch",
            "exclusive",
        ),
        ({"event": "run.failed", "debounce": {"period": 1, "key": "run.id"}}, "/config/debounce/key", "unknown_name"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_event_trigger_that_cannot_be_is_refused_with_its_place(
    client: Client, config: Document, pointer: str, code: str
) -> None:
    workflow_id = publish(client, FINE)
    answer = client.http.post(f"/v1/workflows/{workflow_id}/triggers", json={"type": "event", "config": config})
    problem = assert_problem(answer, 400, "invalid_request")
    assert (pointer, code) in [(fault["pointer"], fault["code"]) for fault in problem["errors"]]


def fail_orders(client: Client, workflow_id: str, *orders: int) -> list[str]:
    """Runs that have failed."""
    return [client.finish(workflow_id, {"input": {"order": order}})["id"] for order in orders]


def test_many_failures_start_one_run_where_the_trigger_batches_them(client: Client) -> None:
    summary = transform("sum", failed="{{ trigger.events.map(one, one.event.run_id) }}")
    orders, rescue = publish(client, FAILING), publish(client, define(summary), "Rescue")
    trigger_id = listen(client, rescue, workflow_id=orders, batch={"size": 3, "period": 3600})
    failed = fail_orders(client, orders, 1, 2, 3)
    (run,) = wait_for_runs(client, rescue, 1)
    assert set(client.wait_for_end(run["id"])["steps"][0]["output"]["failed"]) == set(failed)
    assert {(one["outcome"], one["run_id"]) for one in receipts_of(client, trigger_id)} == {("started", run["id"])}


def test_events_that_wait_follow_what_becomes_of_their_trigger_and_workflow(client: Client) -> None:
    orders, rescue = publish(client, FAILING), publish(client, FINE, "Rescue")
    waiting = {"workflow_id": orders, "debounce": {"period": 3600}}
    lifted, left = listen(client, rescue, **waiting), listen(client, rescue, **waiting)
    fail_orders(client, orders, 1)
    for trigger_id in (lifted, left):
        receipt = wait_for_receipt(client, trigger_id, "pending")
        assert (receipt["run_id"], receipt["due_at"] is None) == (None, False)
    config = {"event": "run.failed", "workflow_id": orders}
    changed = client.http.patch(f"/v1/triggers/{lifted}", json={"config": config})
    assert changed.status_code == 200, changed.text
    assert wait_for_receipt(client, lifted, "started")["run_id"] == wait_for_runs(client, rescue, 1)[0]["id"]
    assert client.http.delete(f"/v1/workflows/{rescue}").status_code == 204
    assert wait_for_receipt(client, left, "filtered")["reason"] == "workflow_deleted"


def test_nobody_listens_to_the_workflows_of_others(client: Client, stranger: Client) -> None:
    foreign, own = publish(client, FAILING), publish(stranger, FINE)
    config = {"event": "run.failed", "workflow_id": foreign}
    answer = stranger.http.post(f"/v1/workflows/{own}/triggers", json={"type": "event", "config": config})
    assert assert_problem(answer, 400, "invalid_request")["errors"][0]["pointer"] == "/config/workflow_id"
    every = listen(stranger, own)
    client.finish(foreign, {"input": {"order": 1}})
    failing = publish(stranger, FAILING)
    failed = stranger.finish(failing, {"input": {"order": 2}})
    (run,) = wait_for_runs(stranger, own, 1)
    assert stranger.run(run["id"])["trigger"]["event"]["run_id"] == failed["id"]
    assert len(receipts_of(stranger, every)) == 1


def test_a_workspace_has_a_bounded_number_of_listeners(stranger: Client) -> None:
    workflow_id = publish(stranger, FINE)
    path, body = f"/v1/workflows/{workflow_id}/triggers", {"type": "event", "config": {"event": "run.cancelled"}}
    answers = [stranger.http.post(path, json=body) for _ in range(51)]
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert len(made) < 51
    problem = assert_problem(answers[-1], 400, "invalid_request")
    assert problem["errors"][0]["code"] == "too_many_triggers"
    assert stranger.http.post(path, json={**body, "enabled": False}).status_code == 201
    for trigger_id in made:
        assert stranger.http.delete(f"/v1/triggers/{trigger_id}").status_code == 204
