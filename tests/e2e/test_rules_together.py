"""Rules of definitions where they meet: loops in loops, retries, reruns, signals, timeouts, joins, slots, sub-runs."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import ONCE, Step, condition, define, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import wait_for

PARTS = ("queued_ms", "limited_ms", "running_ms", "backing_off_ms", "waiting_ms", "ended_ms")
OVER = {"succeeded", "failed", "skipped", "cancelled"}
Publish = Callable[..., Published]


def act(client: Client, run_id: str, what: str, **body: Any) -> Document:
    answer = client.http.post(f"/v1/runs/{run_id}/{what}", json=body or None)
    assert answer.status_code == 202, answer.text
    document: Document = answer.json()
    return document


def items_of(client: Client, run_id: str, parent: str = "each") -> list[Document]:
    items: list[Document] = client.read(f"/v1/runs/{run_id}/steps", parent=parent, limit=100)["items"]
    return items


def gone_through(client: Client, run_id: str, steps: list[Document]) -> list[Document]:
    """The steps, and those of all items of loops among them."""
    found = []
    for step in steps:
        found.append(step)
        if step["type"] == "foreach" and step["started_at"]:
            for item in items_of(client, run_id, step["path"]):
                found += gone_through(client, run_id, item["steps"])
    return found


def check_end(client: Client, run: Document) -> list[Document]:
    """Everything of the run has ended, its attempts count on, and its time adds up at every level; all its steps."""
    steps = gone_through(client, run["id"], run["steps"])
    for told in (run, *steps):
        time = told["time"]
        if time is not None:
            assert sum(time[part] for part in PARTS) == time["total_ms"], told
            assert min(time.values()) >= 0, told
    for step in steps:
        assert step["status"] in OVER, step
        numbers = [attempt["number"] for attempt in step["attempts"]]
        assert numbers == list(range(1, len(numbers) + 1)), step
    events = client.events(run["id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return steps


def status_by_path(steps: list[Document]) -> dict[str, str]:
    return {step["path"]: step["status"] for step in steps}


@pytest.fixture
def nested(target: Target) -> Step:
    """A loop over two items, each of which loops over two: `0/1` fails while `0/0` is held, and all of `1` is held."""
    call = http("call", target.base + "/{{ item.outer }}/{{ item.inner }}", retry=ONCE)
    inner = foreach("inner", "[0, 1].map(n, {'outer': item, 'inner': n})", call)
    after = http("after", target.base + "/after/{{ item }}", after=["inner"])
    return foreach("each", "[0, 1]", inner, after, on_item_error="continue")


def test_of_loops_in_a_loop_one_fails_and_the_run_is_cancelled_and_goes_on(
    client: Client, publish_workflow: Publish, target: Target, nested: Step
) -> None:
    for path in ("/0/0", "/1/0", "/1/1"):
        target.hold(path)
    target.plan("/0/1", Reply(status=404))
    run_id = client.start(publish_workflow(define(nested, http("last", target.base + "/last", after=["each"]))).id)
    for path in ("/0/0", "/1/0", "/1/1"):
        target.wait(path)
    wait_for(lambda: [item["status"] for item in items_of(client, run_id)][:1] == ["failed"], what="a broken item")
    act(client, run_id, "cancel")
    run = client.wait_for_status(run_id, "cancelled")
    statuses = status_by_path(check_end(client, run))
    assert statuses == {
        "each": "cancelled",
        "each[0].inner": "failed",
        "each[0].inner[0].call": "cancelled",
        "each[0].inner[1].call": "failed",
        "each[0].after": "cancelled",
        "each[1].inner": "cancelled",
        "each[1].inner[0].call": "cancelled",
        "each[1].inner[1].call": "cancelled",
        "each[1].after": "cancelled",
        "last": "cancelled",
    }
    target.release_all()
    for path in ("/1/0", "/1/1"):
        target.plan(path, Reply(value={"ok": path}))
    act(client, run_id, "retry")
    run = client.wait_for_status(run_id, "succeeded")
    check_end(client, run)
    first, second = step_of(run, "each")["output"]
    assert list(first) == ["error"], "what the loop went on over stays as it is"
    assert [called["call"]["body"] for called in second["inner"]] == [{"ok": "/1/0"}, {"ok": "/1/1"}]
    assert len(target.received("/0/1")) == 1
    for path in ("/1/0", "/1/1"):
        assert len({call.key for call in target.received(path)}) == 1
        assert [call.headers["x-flowforge-attempt"] for call in target.received(path)] == ["1", "2"]
    assert [len(target.received(path)) for path in ("/after/0", "/after/1", "/last")] == [0, 1, 1]


def test_an_item_that_took_its_signal_needs_none_when_it_is_retried(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/1", Reply(status=404), Reply())
    body = [of_type("wait", "hear", {"signal": "go"}), http("call", target.base + "/{{ item }}", after=["hear"])]
    pause = of_type("wait", "first", {"signal": "begin"})
    run_id = client.start(publish_workflow(define(pause, foreach("each", "[0, 1]", *body, after=["first"]))).id)
    # Both come before the steps that wait for them.
    for payload in ("one", "two", "left over"):
        act(client, run_id, "signal", name="go", payload=payload)
    act(client, run_id, "signal", name="begin")
    run = client.wait_for_status(run_id, "failed")
    heard = [step for step in check_end(client, run) if step["path"].endswith(".hear")]
    assert sorted(step["output"] for step in heard) == ["one", "two"]
    act(client, run_id, "retry")
    run = client.wait_for_status(run_id, "succeeded")
    assert [s["output"] for s in check_end(client, run) if s["path"].endswith(".hear")] == [
        step["output"] for step in heard
    ]
    assert len(target.received("/1")) == 2


def test_a_run_times_out_while_steps_back_off_and_is_retried(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    patient = {"max_attempts": 2, "initial": 3600, "max": 3600, "jitter": False}
    at = target.base + "/{{ input.seconds }}"
    definition = define(
        http("busy", at + "/busy", retry=patient),
        http("rescue", at + "/rescue", after=["busy.error"]),
        foreach("each", "[0, 1]", http("get", at + "/item/{{ item }}", retry=patient)),
        settings={"timeout": "{{ input.seconds }}"},
    )
    workflow = publish_workflow(definition)
    wanted = {
        "busy": "cancelled",
        "rescue": "cancelled",
        "each": "cancelled",
        "each[0].get": "cancelled",
        "each[1].get": "succeeded",
    }
    # The machine may be too busy for all first attempts to be made in time.
    for seconds in (2, 6, 30):
        for path in ("busy", "item/0"):
            target.plan(f"/{seconds}/{path}", Reply(status=503), Reply())
        run = client.finish(workflow.id, {"input": {"seconds": seconds}})
        assert run["status"] == "timed_out"
        statuses = status_by_path(check_end(client, run))
        if statuses == wanted and run["time"]["backing_off_ms"]:
            break
    assert statuses == wanted
    act(client, run["id"], "retry")
    run = client.wait_for_status(run["id"], "succeeded")
    check_end(client, run)
    assert statuses_of(run) == {"busy": "succeeded", "rescue": "skipped", "each": "succeeded"}
    paths = ("busy", "item/0", "item/1", "rescue")
    assert [len(target.received(f"/{seconds}/{path}")) for path in paths] == [2, 2, 1, 0]


def test_a_run_is_repeated_from_steps_of_either_branch(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    definition = define(
        http("fetch", target.base + "/fetch"),
        condition("large", "steps.fetch.output.status == 200", after=["fetch"]),
        http("yes", target.base + "/yes", after=["large.true"]),
        http("no", target.base + "/no", after=["large.false"]),
        http("broken", target.base + "/broken", after=["yes"], retry=ONCE),
        http("rescue", target.base + "/rescue", after=["broken.error"]),
        transform("meet", after=["yes", "no"], way="{{ steps.yes.status }} {{ steps.no.status }}") | {"join": "any"},
    )
    target.plan("/broken", Reply(status=404), Reply())
    workflow = publish_workflow(definition)
    run = client.finish(workflow.id)
    assert run["status"] == "succeeded"

    def counts() -> list[int]:
        return [len(target.received(f"/{name}")) for name in ("fetch", "yes", "no", "broken", "rescue")]

    assert counts() == [1, 1, 0, 1, 1]
    for from_step, made in (("no", [1, 1, 0, 1, 1]), ("yes", [1, 2, 0, 2, 1]), ("broken", [1, 2, 0, 3, 1])):
        again = client.wait_for_end(act(client, run["id"], "rerun", from_step=from_step)["run_id"])
        check_end(client, again)
        assert (again["status"], counts()) == ("succeeded", made), from_step
        assert step_of(again, "meet")["output"] == {"way": "succeeded skipped"}
        assert step_of(again, "no")["status"] == "skipped"
        assert step_of(again, "rescue")["status"] == ("succeeded" if from_step == "no" else "skipped")


def test_of_many_runs_at_once_the_newest_take_the_slots_and_all_others_make_room(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/held")
    settings = {"concurrency": {"key": "k", "limit": 2, "when_full": "cancel_running"}}
    workflow = publish_workflow(define(http("held", target.base + "/held"), settings=settings))
    run_ids = [client.start(workflow.id) for _ in range(30)]
    for run_id in run_ids[:-2]:
        run = client.wait_for_status(run_id, "cancelled")
        assert run["reason"] == "concurrency_replaced"
        check_end(client, run)
    for run_id in run_ids[-2:]:
        client.wait_for_status(run_id, "running")
    hold.released.set()
    target.plan("/held", Reply())
    for run_id in run_ids[-2:]:
        check_end(client, client.wait_for_status(run_id, "succeeded"))


def test_sub_runs_of_items_are_cancelled_with_their_loop_and_a_retry_does_the_rescue_alone(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/child/0")
    target.plan("/child/1", Reply(status=404))
    child = publish_workflow(define(http("call", target.base + "/child/{{ input.n }}", retry=ONCE)))
    sub = of_type("workflow", "sub", {"workflow_id": child.id, "input": {"n": "{{ item }}"}})
    definition = define(
        foreach("each", "[0, 1]", sub),
        http("rescue", target.base + "/rescue", after=["each.error"], retry=ONCE),
        settings={"concurrency": {"key": "parents", "limit": 1}},
    )
    target.plan("/rescue", Reply(status=500))
    run_id = client.start(publish_workflow(definition).id)
    run = client.wait_for_status(run_id, "failed")
    check_end(client, run)
    assert statuses_of(run) == {"each": "failed", "rescue": "failed"}
    children = {one["step"]: one for one in client.run(run_id)["children"]}
    if "each[0].sub" in children:
        ended = client.wait_for_status(children["each[0].sub"]["run_id"], "cancelled")
        assert ended["reason"] == "parent_ended"
        check_end(client, ended)
    target.plan("/rescue", Reply())
    act(client, run_id, "retry")
    # The loop's failure was handled, by a step that failed: that alone is done again.
    run = client.wait_for_status(run_id, "succeeded")
    check_end(client, run)
    assert statuses_of(run) == {"each": "failed", "rescue": "succeeded"}
    assert len(target.received("/child/1")) == 1
