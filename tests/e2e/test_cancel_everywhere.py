"""A run is cancelled whatever it does at the moment: within five seconds, and for good."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, step_of
from tests.e2e.steps import Step, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import on_this_machine, wait_for

Publish = Callable[..., Published]
# A promise, on a machine that has nothing else to do.
CANCEL_SECONDS = 5.0
LONG_BACKOFF = {"max_attempts": 5, "initial": 60, "jitter": False}


def cancel(client: Client, run_id: str) -> Document:
    """Cancel a run and give it at its end, which must come in time."""
    began = time.monotonic()
    answer = client.http.post(f"/v1/runs/{run_id}/cancel")
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(run_id, seconds=on_this_machine(CANCEL_SECONDS))
    assert time.monotonic() - began < on_this_machine(CANCEL_SECONDS)
    return run


def wait_for_step(client: Client, run_id: str, step_id: str, status: str) -> None:
    wait_for(lambda: step_of(client.run(run_id), step_id)["status"] == status, what=f"{step_id} that is {status}")


def steps_that(what: str, target: Target) -> list[Step]:
    """Steps of which the one called `busy` is at this for long."""
    step: Step = {
        "is blocked in a request": lambda: http("busy", target.base + "/held"),
        "waits for its time": lambda: delay("busy", 3600),
        "waits for its time in memory": lambda: delay("busy", 20),
        "backs off": lambda: http("busy", target.base + "/broken", retry=LONG_BACKOFF),
        "waits for a signal": lambda: of_type("wait", "busy", {"signal": "go"}),
        "waits for a decision": lambda: of_type("approval", "busy", {"message": "Go on?"}),
        "goes through items": lambda: foreach("busy", "[1, 2]", http("call", target.base + "/held")),
    }[what]()
    return [step, http("after", target.base + "/after", after=["busy", "busy.error"], join="any")]


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("is blocked in a request", "running"),
        ("waits for its time", "waiting"),
        ("waits for its time in memory", "waiting"),
        ("backs off", "retrying"),
        ("waits for a signal", "waiting"),
        ("waits for a decision", "waiting"),
        ("goes through items", "running"),
    ],
)
def test_a_run_is_cancelled_while_a_step(
    client: Client, publish_workflow: Publish, target: Target, what: str, status: str
) -> None:
    hold = target.hold("/held")
    target.plan("/broken", Reply(status=503))
    run_id = client.start(publish_workflow(define(*steps_that(what, target))).id)
    wait_for_step(client, run_id, "busy", status)
    run = cancel(client, run_id)
    assert (run["status"], run["reason"], run["error"], run["output"]) == ("cancelled", "requested", None, None)
    assert [(step["status"], step["reason"]) for step in run["steps"]] == [("cancelled", "run_cancelled")] * 2
    assert all(step["finished_at"] is not None for step in run["steps"])
    events = client.events(run_id)
    assert (events[-1]["type"], events[-1]["data"]["by"]) == ("run.cancelled", client.me()["user"]["id"])
    # Whatever comes now changes nothing any more.
    hold.released.set()
    assert_problem(client.http.post(f"/v1/runs/{run_id}/cancel"), 409, "run_finished")
    assert_problem(client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}), 409, "run_finished")
    for approval in client.read("/v1/approvals", run_id=run_id)["items"]:
        assert approval["status"] == "cancelled"
        decided = client.http.post(f"/v1/approvals/{approval['id']}", json={"decision": "approved"})
        assert decided.status_code == 409
    assert client.finish(publish_workflow(define(delay("a_moment", 0.1))).id)["status"] == "succeeded"
    assert client.run(run_id) == run
    assert client.events(run_id) == events
    assert target.received("/after") == []


def test_a_run_of_hundreds_of_blocked_requests_is_cancelled(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    calls = [http(f"call{n}", target.base + "/held") for n in range(300)]
    run_id = client.start(publish_workflow(define(*calls)).id)
    target.wait("/held", 300)
    run = cancel(client, run_id)
    assert run["status"] == "cancelled"
    assert {(step["status"], step["reason"]) for step in run["steps"]} == {("cancelled", "run_cancelled")}
    assert len(target.received("/held")) == 300


def test_a_loop_over_hundreds_of_items_is_cancelled_whatever_each_does(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    target.plan("/broken", Reply(status=503))
    kinds = of_type(
        "switch", "kind", {"cases": {"call": "index % 4 == 0", "retry": "index % 4 == 1", "pause": "index % 4 == 2"}}
    )
    nested = [
        kinds,
        http("call", target.base + "/held", after=["kind.call"]),
        http("retry", target.base + "/broken", retry=LONG_BACKOFF, after=["kind.retry"]),
        delay("pause", 600, after=["kind.pause"]),
        of_type("wait", "signal", {"signal": "go"}, after=["kind.default"]),
    ]
    loop = foreach("each", "input.list", *nested, concurrency=400)
    run_id = client.start(publish_workflow(define(loop)).id, {"input": {"list": list(range(500))}})
    target.wait("/held", 100)
    target.wait("/broken", 100)
    run = cancel(client, run_id)
    each = step_of(run, "each")
    assert (run["status"], each["status"], each["reason"]) == ("cancelled", "cancelled", "run_cancelled")
    calls = len(target.received())
    items = client.read(f"/v1/runs/{run_id}/steps", parent="each", limit=100)["items"]
    assert {item["status"] for item in items} == {"cancelled"}
    open_steps = {
        step["status"] for item in items for step in item["steps"] if step["status"] not in ("skipped", "succeeded")
    }
    assert open_steps == {"cancelled"}
    assert client.finish(publish_workflow(define(delay("a_moment", 0.3))).id)["status"] == "succeeded"
    assert len(target.received()) == calls == 200


def test_a_run_with_a_hundred_runs_of_its_own_is_cancelled_with_all_of_them(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    child = publish_workflow(define(http("held", target.base + "/held")))
    call = of_type("workflow", "sub", {"workflow_id": child.id})
    workflow = publish_workflow(define(foreach("each", "input.list", call)))
    run_id = client.start(workflow.id, {"input": {"list": list(range(100))}})
    target.wait("/held", 100)
    began = time.monotonic()
    assert cancel(client, run_id)["status"] == "cancelled"

    def statuses() -> set[str]:
        return {row["status"] for row in client.read("/v1/runs", workflow_id=child.id, limit=100)["items"]}

    wait_for(lambda: statuses() == {"cancelled"}, seconds=on_this_machine(CANCEL_SECONDS), what="cancelled children")
    assert time.monotonic() - began < on_this_machine(CANCEL_SECONDS)
    reasons = {
        client.run(row["id"])["reason"] for row in client.read("/v1/runs", workflow_id=child.id, limit=3)["items"]
    }
    assert reasons == {"parent_ended"}


def test_a_run_is_cancelled_while_it_starts_thousands_of_items(client: Client, publish_workflow: Publish) -> None:
    loop = foreach("each", "input.list", transform("a", n="{{ item }}"), delay("pause", 600, after=["a"]))
    workflow = publish_workflow(define(loop))
    run_id = client.start(workflow.id, {"input": {"list": list(range(8000))}})
    client.wait_for_status(run_id, "running", "waiting")
    run = cancel(client, run_id)
    assert (run["status"], step_of(run, "each")["status"]) == ("cancelled", "cancelled")


def test_runs_that_have_not_started_are_cancelled(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.hold("/held")
    settings = {"concurrency": {"key": "one"}}
    workflow = publish_workflow(define(http("held", target.base + "/held"), settings=settings))
    holder = client.start(workflow.id)
    target.wait("/held")
    held = client.start(workflow.id)
    assert cancel(client, held)["started_at"] is None
    assert cancel(client, holder)["status"] == "cancelled"


def test_a_cancel_at_any_moment_ends_the_run_one_way_and_once(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    pause = delay("b", "{{ input }}", after=["a"])
    steps = [http("a", target.base + "/a"), pause, http("c", target.base + "/c", after=["b"])]
    workflow = publish_workflow(define(*steps))

    def race(count: int, seconds: float) -> str:
        """Cancel a run that pauses for so long as soon as so much has happened in it."""
        run_id = client.start(workflow.id, {"input": seconds})
        wait_for(lambda: len(client.events(run_id)) >= count, what=f"{count} events")
        assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code in (202, 409)
        return run_id

    with ThreadPoolExecutor(4) as threads:
        quick = list(threads.map(race, [*range(1, 9)] * 4, [0.02] * 32))
        # These have not got beyond their pause by then, on whatever machine.
        slow = list(threads.map(race, range(1, 4), [600] * 3))
    endings = {}
    for run_id in quick + slow:
        run = client.wait_for_end(run_id, seconds=on_this_machine(CANCEL_SECONDS))
        endings[run_id] = run["status"]
        events = client.events(run_id)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [event["type"] for event in events if event["type"] in ("run.cancelled", "run.succeeded")] == [
            f"run.{run['status']}"
        ]
        assert events[-1]["type"] == f"run.{run['status']}"
    assert {endings[run_id] for run_id in slow} == {"cancelled"}
