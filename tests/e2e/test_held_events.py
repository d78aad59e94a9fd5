"""Throttle, debounce, batch and limits of hooks, as senders and owners of a running product see them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.e2e.client import Client, Deliver, Document, Published, assert_problem
from tests.e2e.steps import define, transform
from tests.product import wait_for

Publish = Callable[..., Published]

DEFINITION = define(transform("note", n="{{ run.id }}"))
IN_BATCHES = define(
    transform("sum", count="{{ size(trigger.events) }}", first="{{ trigger.events[0].body.n }}"),
    output="{{ steps.sum.output }}",
)


def send(deliver: Deliver, hook: str, *numbers: int, **more: Any) -> list[str]:
    """Deliver events that are held; their ids."""
    answers = [deliver(hook, f'{{"n": {number}}}', **more) for number in numbers]
    assert [answer.status_code for answer in answers] == [202] * len(numbers)
    return [answer.json()["event_id"] for answer in answers]


def wait_for_runs(client: Client, event_ids: list[str]) -> list[str]:
    """The run of each event, once all have one."""

    def find() -> list[str] | None:
        receipts = [client.read(f"/v1/events/{event_id}") for event_id in event_ids]
        assert {receipt["outcome"] for receipt in receipts} <= {"pending", "started"}
        return None if any(receipt["run_id"] is None for receipt in receipts) else [r["run_id"] for r in receipts]

    return wait_for(find, what="runs of all events")


def test_a_throttle_queues_what_is_too_much_and_starts_all_of_it(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    hook = publish_workflow(DEFINITION, config={"throttle": {"limit": 2, "per": 1}}).hook
    runs = wait_for_runs(client, send(deliver, hook, *range(7)))
    assert len(set(runs)) == 7
    started = [client.wait_for_end(run_id) for run_id in runs]
    assert [run["trigger"]["body"]["n"] for run in started] == list(range(7))
    times = sorted(datetime.fromisoformat(run["created_at"]) for run in started)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[2:], strict=False)]
    assert min(gaps) >= 1, "never more than two within a second"


def test_a_debounce_starts_one_run_with_the_last_event(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    hook = publish_workflow(DEFINITION, config={"debounce": {"period": 5, "key": "trigger.headers['x-shop']"}}).hook
    # Well within the period, unless the machine stands still.
    first, other = send(deliver, hook, 1, 2, 3, x_shop="a"), send(deliver, hook, 4, x_shop="b")
    runs, (other_run,) = wait_for_runs(client, first), wait_for_runs(client, other)
    assert client.run(runs[-1])["trigger"]["body"] == {"n": 3}
    assert client.run(other_run)["trigger"]["body"] == {"n": 4}
    assert other_run not in runs
    assert len(set(runs)) < 3


def test_a_batch_starts_one_run_for_many_events(client: Client, publish_workflow: Publish, deliver: Deliver) -> None:
    hook = publish_workflow(IN_BATCHES, config={"batch": {"size": 3, "period": 3600}}).hook
    runs = wait_for_runs(client, send(deliver, hook, 1, 2, 3, 4, 5, 6))
    assert [runs.index(run_id) for run_id in runs] == [0, 0, 0, 3, 3, 3]
    assert client.wait_for_end(runs[0])["output"] == {"count": 3, "first": 1}
    assert client.wait_for_end(runs[3])["output"] == {"count": 3, "first": 4}


def test_a_batch_that_is_not_full_starts_when_its_period_is_over(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(IN_BATCHES, config={"batch": {"size": 1000, "period": 0.5}})
    (event_id,) = send(deliver, published.hook, 1)
    receipt = client.read(f"/v1/events/{event_id}")
    (run_id,) = wait_for_runs(client, [event_id])
    run = client.wait_for_end(run_id)
    assert run["output"]["count"] == 1
    passed = datetime.fromisoformat(run["created_at"]) - datetime.fromisoformat(receipt["received_at"])
    assert passed.total_seconds() >= 0.5


def test_what_is_held_goes_on_after_its_trigger_was_switched_off_and_on(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(DEFINITION, config={"batch": {"size": 2, "period": 3600}})
    trigger = f"/v1/triggers/{published.trigger_id}"
    ids = send(deliver, published.hook, 1)
    assert client.http.patch(trigger, json={"enabled": False}).status_code == 200
    assert_problem(deliver(published.hook, b"{}"), 404, "not_found")
    assert client.read(f"/v1/events/{ids[0]}")["outcome"] == "pending"
    assert client.http.patch(trigger, json={"enabled": True}).status_code == 200
    ids += send(deliver, published.hook, 2)
    assert len(set(wait_for_runs(client, ids))) == 1


def test_without_its_rule_a_trigger_starts_what_it_held(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(DEFINITION, config={"debounce": {"period": 3600}})
    ids = send(deliver, published.hook, 1, 2)
    changed = client.http.patch(f"/v1/triggers/{published.trigger_id}", json={"config": {}})
    assert changed.status_code == 200
    (run_id,) = set(wait_for_runs(client, ids))
    assert client.run(run_id)["trigger"]["body"] == {"n": 2}


def test_what_a_deleted_trigger_held_is_told_as_filtered(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(DEFINITION, config={"debounce": {"period": 3600}})
    (event_id,) = send(deliver, published.hook, 1)
    assert client.http.delete(f"/v1/triggers/{published.trigger_id}").status_code == 204

    def look() -> Document | None:
        receipt = client.read(f"/v1/events/{event_id}")
        return receipt if receipt["outcome"] != "pending" else None

    receipt = wait_for(look, what="receipt of an event whose trigger is gone")
    assert (receipt["outcome"], receipt["reason"], receipt["run_id"]) == ("filtered", "trigger_deleted", None)


def test_a_limited_trigger_says_how_its_limit_stands_and_when_to_come_back(
    publish_workflow: Publish, deliver: Deliver
) -> None:
    hook = publish_workflow(DEFINITION, config={"rate_limit": {"per_minute": 3}}).hook
    answer = deliver(hook, b"{}")
    assert (answer.status_code, answer.headers["ratelimit-policy"]) == (202, '"trigger";q=3;w=60')
    while answer.status_code == 202:
        answer = deliver(hook, b"{}")
    assert_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert answer.headers["ratelimit"].startswith('"trigger";r=0;t=')
