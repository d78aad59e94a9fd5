"""How many runs of one key go on at a time: who waits, who is dropped or replaced, and when a slot is free again."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
import redis

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.database import Database
from tests.e2e.steps import ONCE, Step, define, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import Product, on_this_machine, wait_for

Publish = Callable[..., Published]
# A promise, on a machine that has nothing else to do.
CANCEL_SECONDS = 5.0


def limited(*steps: Step, key: str = "{{ input.key }}", timeout: float | None = None, **rule: Any) -> Document:
    """A definition of which only some runs of a key go on at a time."""
    settings = {"concurrency": {"key": key, **rule}} | ({} if timeout is None else {"timeout": timeout})
    return define(*steps, settings=settings)


def work(target: Target, **rule: Any) -> Document:
    """One call to `/work/N`, where `N` is given to the run."""
    return limited(http("work", target.base + "/work/{{ input.n }}", retry=ONCE), **rule)


def start(client: Client, workflow: Published, n: float, key: Any = "a") -> str:
    return client.start(workflow.id, {"input": {"key": key, "n": n}})


def wait_until_held(client: Client, run_id: str, *holders: str) -> Document:
    """The run once it waits for a slot that these runs hold."""
    return wait_for(
        lambda: (
            run
            if (run := client.run(run_id))["reason"] == "concurrency" and run["concurrency"]["holders"] == list(holders)
            else None
        ),
        what=f"run that waits for {holders}",
    )


def test_runs_of_one_key_go_one_after_the_other_in_the_order_of_their_acceptance(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/work/0", Reply(delay=0.3))
    workflow = publish_workflow(work(target))
    run_ids = [start(client, workflow, n) for n in range(6)]
    assert {client.wait_for_end(run_id)["status"] for run_id in run_ids} == {"succeeded"}
    assert [request.path.rpartition("/")[2] for request in target.received()] == ["0", "1", "2", "3", "4", "5"]
    runs = [client.run(run_id) for run_id in run_ids]
    for earlier, later in pairwise(runs):
        assert earlier["finished_at"] <= later["started_at"]


def test_other_keys_and_other_workflows_are_not_held_up(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/work/0")
    workflow, other = publish_workflow(work(target)), publish_workflow(work(target))
    holder = start(client, workflow, 0, "a")
    target.wait("/work/0")
    held = start(client, workflow, 1, "a")
    assert client.wait_for_end(start(client, workflow, 2, "b"))["status"] == "succeeded"
    assert client.wait_for_end(start(client, other, 3, "a"))["status"] == "succeeded"
    assert client.run(held)["status"] == "queued"
    hold.released.set()
    assert client.wait_for_end(holder)["status"] == client.wait_for_end(held)["status"] == "succeeded"


def test_no_more_runs_go_on_at_once_than_the_limit(client: Client, publish_workflow: Publish, target: Target) -> None:
    holds = [target.hold(f"/work/{n}") for n in range(9)]
    workflow = publish_workflow(work(target, limit=3))
    run_ids = [start(client, workflow, n) for n in range(9)]
    wait_for(lambda: len(target.received()) == 3, what="three runs at work")
    for run_id in run_ids[3:]:
        wait_until_held(client, run_id, *run_ids[:3])
    assert len(target.received()) == 3
    for hold in holds:
        hold.released.set()
    runs = [client.wait_for_end(run_id) for run_id in run_ids]
    spans = [(run["started_at"], run["finished_at"]) for run in runs]
    at_once = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert max(at_once) == 3
    assert {run["status"] for run in runs} == {"succeeded"}


@pytest.mark.parametrize(("limit", "status"), [(2, "succeeded"), (0, "failed"), (1.5, "failed"), ("2", "failed")])
def test_the_limit_may_be_an_expression(client: Client, publish_workflow: Publish, limit: Any, status: str) -> None:
    workflow = publish_workflow(limited(transform("a"), limit="{{ input.n }}"))
    run = client.wait_for_end(start(client, workflow, limit))
    assert run["status"] == status
    if status == "succeeded":
        assert run["concurrency"]["limit"] == limit
    else:
        assert (run["reason"], run["error"]["code"]) == ("invalid_settings", "invalid_settings")
        assert "settings.concurrency.limit" in run["error"]["message"]


def test_a_run_that_waits_for_a_slot_says_who_holds_it(
    client: Client, publish_workflow: Publish, target: Target, database: Database
) -> None:
    hold = target.hold("/work/0")
    workflow = publish_workflow(work(target))
    holder = start(client, workflow, 0)
    target.wait("/work/0")
    held = start(client, workflow, 1)
    run = wait_until_held(client, held, holder)
    assert (run["status"], run["started_at"], step_of(run, "work")["status"]) == ("queued", None, "pending")
    assert run["concurrency"] == {"key": "a", "limit": 1, "slot_at": None, "holders": [holder]}
    (event,) = [event for event in client.events(held) if event["type"] == "run.held"]
    assert (event["data"]["key"], event["data"]["limit"], event["data"]["holders"]) == ("a", 1, [holder])
    own = client.run(holder)["concurrency"]
    assert (own["key"], own["slot_at"] is not None, own["holders"]) == ("a", True, [])
    rows = database.fetch("SELECT id, slot_at FROM run WHERE workflow_id = $1", uuid.UUID(workflow.id))
    assert {str(row["id"]): row["slot_at"] is not None for row in rows} == {holder: True, held: False}
    hold.released.set()
    run = client.wait_for_end(held)
    assert (run["status"], run["concurrency"]["holders"]) == ("succeeded", [])
    assert run["concurrency"]["slot_at"] <= run["started_at"]
    assert run["time"]["limited_ms"] > 0


def test_a_run_without_a_key_of_its_own_has_none(client: Client, publish_workflow: Publish) -> None:
    assert client.finish(publish_workflow(define(transform("a"))).id)["concurrency"] is None


def test_drop_ends_the_run_that_finds_no_slot_and_only_that(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/work/0")
    workflow = publish_workflow(work(target, when_full="drop"))
    holder = start(client, workflow, 0)
    target.wait("/work/0")
    dropped = client.wait_for_end(start(client, workflow, 1))
    assert (dropped["status"], dropped["reason"], dropped["started_at"]) == ("cancelled", "concurrency_dropped", None)
    assert [event["type"] for event in client.events(dropped["id"])] == [
        "run.queued",
        "step.cancelled",
        "run.cancelled",
    ]
    hold.released.set()
    assert client.wait_for_end(holder)["status"] == "succeeded"
    assert client.wait_for_end(start(client, workflow, 2))["status"] == "succeeded"
    assert target.received("/work/1") == []


def test_cancel_running_ends_the_oldest_and_lets_the_newest_go_on(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    holds = [target.hold(f"/work/{n}") for n in range(3)]
    workflow = publish_workflow(work(target, limit=2, when_full="cancel_running"))
    run_ids = []
    for n in range(3):
        run_ids.append(start(client, workflow, n))
        target.wait(f"/work/{n}")
    replaced = client.wait_for_end(run_ids[0], seconds=on_this_machine(CANCEL_SECONDS))
    assert (replaced["status"], replaced["reason"]) == ("cancelled", "concurrency_replaced")
    assert step_of(replaced, "work")["status"] == "cancelled"
    for hold in holds:
        hold.released.set()
    assert [client.wait_for_end(run_id)["status"] for run_id in run_ids[1:]] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled", "timed_out"])
def test_a_slot_is_free_again_however_its_run_ends(
    client: Client, publish_workflow: Publish, target: Target, ending: str
) -> None:
    hold = target.hold("/work/0")
    if ending == "failed":
        call = http("work", target.base + "/work/{{ input.n }}")
        steps = [call, of_type("fail", "stop", {"message": "x"}, after=["work"])]
    else:
        steps = [http("work", target.base + "/work/{{ input.n }}")]
    workflow = publish_workflow(limited(*steps, timeout=6.0 if ending == "timed_out" else None))
    holder = start(client, workflow, 0)
    target.wait("/work/0")
    held = start(client, workflow, 1)
    wait_until_held(client, held, holder)
    if ending == "cancelled":
        assert client.http.post(f"/v1/runs/{holder}/cancel").status_code == 202
    elif ending != "timed_out":
        hold.released.set()
    assert client.wait_for_end(holder)["status"] == ending
    target.wait("/work/1", seconds=on_this_machine(CANCEL_SECONDS))
    assert client.wait_for_end(held)["status"] == ("failed" if ending == "failed" else "succeeded")


def test_a_run_that_is_cancelled_while_it_waits_takes_no_slot(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/work/0")
    workflow = publish_workflow(work(target))
    first, second, third = (start(client, workflow, n) for n in range(3))
    target.wait("/work/0")
    wait_until_held(client, second, first)
    assert client.http.post(f"/v1/runs/{second}/cancel").status_code == 202
    run = client.wait_for_end(second, seconds=on_this_machine(CANCEL_SECONDS))
    assert (run["status"], run["reason"], run["started_at"]) == ("cancelled", "requested", None)
    hold.released.set()
    assert client.wait_for_end(first)["status"] == client.wait_for_end(third)["status"] == "succeeded"
    assert target.received("/work/1") == []


def test_a_run_keeps_its_slot_while_it_waits(client: Client, publish_workflow: Publish) -> None:
    pause = of_type("delay", "pause", {"seconds": "{{ input.n }}"})
    workflow = publish_workflow(limited(pause))
    holder = start(client, workflow, 3600)
    client.wait_for_status(holder, "waiting")
    held = start(client, workflow, 0)
    wait_until_held(client, held, holder)
    assert client.http.post(f"/v1/runs/{holder}/cancel").status_code == 202
    assert client.wait_for_end(held)["status"] == "succeeded"


def test_the_timeout_of_a_run_does_not_count_the_time_that_it_was_held(
    client: Client, publish_workflow: Publish
) -> None:
    pause = of_type("delay", "pause", {"seconds": "{{ input.n }}"})
    workflow = publish_workflow(limited(pause, timeout=4))
    first, second, third = (start(client, workflow, n) for n in (2.1, 2.1, 0.1))
    for run_id in (first, second, third):
        assert client.wait_for_end(run_id)["status"] == "succeeded"
    times = client.run(third)["time"]
    assert times["limited_ms"] > 4000


@pytest.mark.parametrize("key", ["text", 7, 1.5, True, None, {"a": 1}, [1, 2], "", "ü" * 500], ids=repr)
def test_any_value_is_a_key(client: Client, publish_workflow: Publish, key: Any) -> None:
    workflow = publish_workflow(limited(transform("a")))
    runs = [client.wait_for_end(start(client, workflow, n, key)) for n in range(2)]
    assert {run["status"] for run in runs} == {"succeeded"}
    assert isinstance(runs[0]["concurrency"]["key"], str)


def test_objects_that_are_equal_are_one_key(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(limited(transform("a")))
    keys = [{"a": 1, "b": [{"c": 2, "d": 3}]}, {"b": [{"d": 3, "c": 2}], "a": 1}]
    runs = [client.wait_for_end(start(client, workflow, 0, key)) for key in keys]
    assert runs[0]["concurrency"]["key"] == runs[1]["concurrency"]["key"]


def test_a_key_that_cannot_be_made_fails_the_run_before_it_starts(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(limited(transform("a"), key="{{ input.customer.id }}"))
    run = client.finish(workflow.id, {"input": {}})
    assert (run["status"], run["reason"], run["started_at"]) == ("failed", "invalid_settings", None)
    assert "customer" in run["error"]["message"]


@pytest.mark.parametrize("key", ["x" * 1025, "a\0b"], ids=["too long", "NUL"])
def test_a_key_that_no_key_can_be_fails_its_run_and_holds_up_nobody(
    client: Client, publish_workflow: Publish, key: str
) -> None:
    workflow = publish_workflow(limited(transform("a")))
    unfit, fit = start(client, workflow, 0, key), start(client, workflow, 1)
    run = client.wait_for_end(unfit)
    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", "invalid_settings", "invalid_settings")
    assert "settings.concurrency.key" in run["error"]["message"]
    assert client.wait_for_end(fit)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({"limit": 1}, "/settings/concurrency", "required"),
        ({"key": ""}, "/settings/concurrency/key", "too_short"),
        ({"key": "a", "limit": 0}, "/settings/concurrency/limit", "out_of_range"),
        ({"key": "a", "limit": "2"}, "/settings/concurrency/limit", "invalid_type"),
        ({"key": "a", "when_full": "wait"}, "/settings/concurrency/when_full", "invalid_choice"),
        ({"key": "a", "scope": "all"}, "/settings/concurrency/scope", "unknown_field"),
        ({"key": "{{ steps.a.output }}"}, "/settings/concurrency/key", "not_upstream"),
        ({"key": "{{ 1 + }}"}, "/settings/concurrency/key", "expression_syntax"),
    ],
)
def test_a_faulty_rule_is_refused(client: Client, rule: Document, pointer: str, code: str) -> None:
    definition = define(transform("a"), settings={"concurrency": rule})
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, code)]


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str]) -> Iterator[Product]:
    """A product whose worker and Redis die here."""
    running = Product(tmp_path_factory.mktemp("mortal") / "data", settings=allowed_targets)
    running.start()
    yield running
    assert running.stop() == 0


def test_slots_are_kept_over_the_death_of_the_worker_and_of_all_that_redis_knows(
    mortal: Product, target: Target
) -> None:
    hold = target.hold("/work/0")
    with closing(Client(mortal.url)) as client:
        client.sign_in()
        workflow = client.publish(work(target))
        holder = start(client, workflow, 0)
        target.wait("/work/0")
        held = [start(client, workflow, n) for n in (1, 2)]
        wait_until_held(client, held[1], holder)
        redis.Redis.from_url(mortal.run["redis"]["url"]).flushall()
        mortal.kill("workers")
        target.wait("/work/0", 2)
        assert [client.run(run_id)["status"] for run_id in held] == ["queued", "queued"]
        hold.released.set()
        for run_id in (holder, *held):
            assert client.wait_for_end(run_id)["status"] == "succeeded"
    assert [request.path.rpartition("/")[2] for request in target.received()] == ["0", "0", "1", "2"]
