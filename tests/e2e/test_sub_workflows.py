"""Runs that runs start: what they are given, what comes back, and that none outlives who started it."""

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.database import Database
from tests.e2e.steps import ONCE, Step, condition, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import on_this_machine, wait_for

Publish = Callable[..., Published]
# A promise, on a machine that has nothing else to do.
CANCEL_SECONDS = 5.0


def call(step_id: str, workflow_id: str, *, after: list[str] | None = None, **more: Any) -> Step:
    """A `workflow` step; `more` goes into `with`."""
    return of_type("workflow", step_id, {"workflow_id": workflow_id, **more}, after=after)


def wait_for_child(client: Client, run_id: str, number: int = 0) -> str:
    """The id of a run that a run has started."""
    found: str = wait_for(
        lambda: children[number]["run_id"] if len(children := client.run(run_id)["children"]) > number else None,
        what=f"child {number} of {run_id}",
    )
    return found


@pytest.fixture(scope="module")
def echo(client: Client) -> str:
    """The id of a workflow that gives what it was started with."""
    return client.publish(define(transform("a"), output={"got": "{{ input }}", "trigger": "{{ trigger }}"})).id


def test_the_output_of_the_step_is_the_output_of_the_run_that_it_started(
    client: Client, publish_workflow: Publish, echo: str
) -> None:
    caller = publish_workflow(define(call("sub", echo, input={"order": "{{ input.id }}", "n": [1, "{{ input.id }}"]})))
    run = client.finish(caller.id, {"input": {"id": 17}})
    sub = step_of(run, "sub")
    assert (run["status"], sub["reason"]) == ("succeeded", "child_succeeded")
    assert sub["output"]["got"] == {"order": 17, "n": [1, 17]}
    assert sub["output"]["trigger"]["type"] == "workflow"
    child = client.run(run["children"][0]["run_id"])
    assert child["output"] == sub["output"]
    assert (child["trigger"]["type"], child["workflow_id"], child["parent"]) == (
        "workflow",
        echo,
        {"run_id": run["id"], "step": "sub"},
    )
    assert run["children"] == [{"run_id": child["id"], "step": "sub", "status": "succeeded"}]
    assert child["id"] in {row["id"] for row in client.read("/v1/runs", trigger_type="workflow")["items"]}


def test_without_an_input_the_run_gets_an_empty_object(client: Client, publish_workflow: Publish, echo: str) -> None:
    run = client.finish(publish_workflow(define(call("sub", echo))).id, {"input": {"of": "the caller"}})
    assert step_of(run, "sub")["output"]["got"] == {}


def test_a_run_without_an_output_gives_null(client: Client, publish_workflow: Publish) -> None:
    quiet = publish_workflow(define(transform("a", x=1)))
    run = client.finish(publish_workflow(define(call("sub", quiet.id))).id)
    assert (run["status"], step_of(run, "sub")["output"]) == ("succeeded", None)


def test_the_latest_published_version_is_run(client: Client, publish_workflow: Publish) -> None:
    used = publish_workflow(define(transform("a"), output="{{ workflow.version }}"))
    caller = publish_workflow(define(call("sub", used.id)))
    url = f"/v1/workflows/{used.id}"
    changed = define(transform("b"), output="{{ workflow.version * 100 }}")
    etag = client.http.get(url).headers["etag"]
    assert client.http.patch(url, json={"definition": changed}, headers={"If-Match": etag}).status_code == 200
    assert step_of(client.finish(caller.id), "sub")["output"] == 1
    assert client.http.post(url + "/publish").status_code == 201
    assert step_of(client.finish(caller.id), "sub")["output"] == 200


def test_a_failed_run_fails_the_step_with_the_run_and_its_error(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/broken", Reply(status=410))
    broken = publish_workflow(define(http("fetch", target.base + "/broken", retry=ONCE)))
    rescue = transform("rescue", after=["sub.error"], why="{{ steps.sub.error }}")
    run = client.finish(publish_workflow(define(call("sub", broken.id), rescue)).id)
    error = step_of(run, "sub")["error"]
    assert (run["status"], error["code"], step_of(run, "sub")["reason"]) == (
        "succeeded",
        "child_failed",
        "child_failed",
    )
    assert error["details"]["status"] == "failed"
    assert error["details"]["run_id"] == run["children"][0]["run_id"]
    assert (error["details"]["error"]["code"], error["details"]["error"]["status"]) == ("http_status", 410)
    assert step_of(run, "rescue")["output"]["why"]["code"] == "child_failed"
    unhandled = client.finish(publish_workflow(define(call("sub", broken.id))).id)
    assert (unhandled["status"], unhandled["error"]["code"], unhandled["error"]["step"]) == (
        "failed",
        "child_failed",
        "sub",
    )


@pytest.mark.parametrize(("how", "said"), [("cancelled", "was cancelled"), ("timed_out", "timed out")])
def test_a_run_that_does_not_succeed_fails_the_step(
    client: Client, publish_workflow: Publish, how: str, said: str
) -> None:
    settings = {"settings": {"timeout": 0.4}} if how == "timed_out" else {}
    slow = publish_workflow(define(delay("pause", 60), **settings))
    run_id = client.start(publish_workflow(define(call("sub", slow.id))).id)
    if how == "cancelled":
        child_id = wait_for_child(client, run_id)
        assert client.http.post(f"/v1/runs/{child_id}/cancel").status_code == 202
    run = client.wait_for_end(run_id)
    error = step_of(run, "sub")["error"]
    assert (run["status"], error["code"], error["details"]["status"]) == ("failed", "child_failed", how)
    assert said in error["message"]


@pytest.mark.parametrize(
    ("when_full", "reason"), [("drop", "concurrency_dropped"), ("cancel_running", "concurrency_replaced")]
)
def test_a_run_that_a_rule_of_concurrency_ends_fails_the_step_with_that_rule_and_what_to_do(
    client: Client, publish_workflow: Publish, when_full: str, reason: str
) -> None:
    rule = {"key": "one", "limit": 1, "when_full": when_full}
    single = publish_workflow(define(of_type("wait", "hold", {"signal": "go"}), settings={"concurrency": rule}))
    caller = publish_workflow(define(call("sub", single.id)))
    if when_full == "drop":
        client.wait_for_status(client.start(single.id), "waiting")
        run_id = client.start(caller.id)
    else:
        run_id = client.start(caller.id)
        client.wait_for_status(wait_for_child(client, run_id), "waiting")
        client.start(single.id)
    run = client.wait_for_end(run_id)
    error = step_of(run, "sub")["error"]
    assert (run["status"], error["code"]) == ("failed", "child_failed")
    assert (error["details"]["status"], error["details"]["reason"]) == ("cancelled", reason)
    for words in (reason, f"when_full: {when_full}", "`when_full: queue`", "`settings.concurrency.limit`", "`error`"):
        assert words in error["message"]
    assert run["error"]["message"] == error["message"]


def test_while_its_run_goes_on_the_step_waits_and_so_does_the_run(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/held")
    slow = publish_workflow(define(http("held", target.base + "/held"), output="done"))
    run_id = client.start(publish_workflow(define(call("sub", slow.id))).id)
    child_id = wait_for_child(client, run_id)
    target.wait("/held")
    run = client.wait_for_status(run_id, "waiting")
    sub = step_of(run, "sub")
    assert (run["reason"], sub["status"], sub["reason"]) == ("child", "waiting", "child")
    assert sub["waiting"]["child_run_id"] == child_id
    assert child_id in sub["explanation"]
    hold.released.set()
    run = client.wait_for_end(run_id)
    assert (run["status"], step_of(run, "sub")["output"]) == ("succeeded", "done")


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("unknown", "unknown_workflow"),
        ("no id", "unknown_workflow"),
        ("draft", "not_published"),
        ("deleted", "unknown_workflow"),
        ("number", "invalid_config"),
        ("of another workspace", "unknown_workflow"),
    ],
)
def test_a_run_that_cannot_be_started_fails_the_step_with_the_reason(
    client: Client, database: Database, publish_workflow: Publish, which: str, code: str
) -> None:
    workflow_id: Any = str(uuid.uuid4())
    if which == "no id":
        workflow_id = "orders"
    elif which == "draft":
        workflow_id = client.create_workflow(define(transform("a")))["id"]
    elif which == "deleted":
        workflow_id = publish_workflow(define(transform("a"))).id
        assert client.http.delete(f"/v1/workflows/{workflow_id}").status_code == 204
    elif which == "number":
        workflow_id = 7
    elif which == "of another workspace":
        with closing(Client(str(client.http.base_url))) as stranger:
            stranger.sign_in(database.add_member(database.add_workspace(), "owner"))
            workflow_id = stranger.publish(define(transform("a"))).id
    caller = publish_workflow(define(call("sub", "{{ input.id }}"), transform("rescue", after=["sub.error"])))
    run = client.finish(caller.id, {"input": {"id": workflow_id}})
    sub = step_of(run, "sub")
    assert (run["status"], sub["status"], sub["error"]["code"]) == ("succeeded", "failed", code)
    assert run["children"] == []


def test_runs_that_the_items_of_loops_started_are_children_too(
    client: Client, publish_workflow: Publish, echo: str
) -> None:
    inner = foreach("inner", "[1, 2]", call("deep", echo))
    loop = foreach("each", "[1, 2]", call("sub", echo), inner, concurrency=1)
    run = client.finish(publish_workflow(define(call("first", echo), {**loop, "after": ["first"]})).id)
    assert run["status"] == "succeeded", run["error"]
    steps = [child["step"] for child in run["children"]]
    assert steps[0] == "first", "they are told in the order in which they were started"
    within = [[f"each[{n}].sub", f"each[{n}].inner[0].deep", f"each[{n}].inner[1].deep"] for n in range(2)]
    assert [sorted(steps[1:4]), sorted(steps[4:])] == [sorted(paths) for paths in within]
    for child in run["children"]:
        assert child["status"] == "succeeded"
        assert client.run(child["run_id"])["parent"] == {"run_id": run["id"], "step": child["step"]}


def descend(levels: str) -> Document:
    """A workflow that starts itself, `levels` times."""
    return define(
        condition("more", levels),
        call("deeper", "{{ workflow.id }}", input={"n": "{{ input.n - 1 }}"}, after=["more.true"]),
        output="{{ steps.deeper.output == null ? 1 : steps.deeper.output + 1 }}",
    )


def test_runs_start_each_other_eight_deep_and_no_deeper(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(descend("input.n > 0"), name="Descend")
    deep, deeper = (client.start(workflow.id, {"input": {"n": n}}) for n in (8, 9))
    run = client.wait_for_end(deep)
    assert (run["status"], run["output"]) == ("succeeded", 9)
    run = client.wait_for_end(deeper)
    assert run["status"] == "failed"
    error = step_of(run, "deeper")["error"]
    levels = 0
    while error["code"] == "child_failed":
        run = client.run(run["children"][0]["run_id"])
        error = step_of(run, "deeper")["error"]
        levels += 1
    assert (levels, error["code"], "8 deep" in error["message"]) == (8, "too_deep", True)


def test_each_item_of_a_loop_starts_a_run_of_its_own(client: Client, publish_workflow: Publish, echo: str) -> None:
    loop = foreach("each", "input.list", call("sub", echo, input="{{ item }}"), output="{{ steps.sub.output.got }}")
    workflow = publish_workflow(define(loop))
    run = client.finish(workflow.id, {"input": {"list": list(range(20))}})
    assert step_of(run, "each")["output"] == list(range(20))
    items = client.read(f"/v1/runs/{run['id']}/steps", parent="each")["items"]
    assert {step["status"] for item in items for step in item["steps"]} == {"succeeded"}


def test_a_large_output_comes_back_whole(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/large", Reply(value="x" * 300_000))
    used = publish_workflow(define(http("get", target.base + "/large"), output="{{ steps.get.output.body }}"))
    size = transform("measure", after=["sub"], size="{{ size(steps.sub.output) }}")
    run = client.finish(publish_workflow(define(call("sub", used.id), size)).id)
    assert step_of(run, "measure")["output"] == {"size": 300_000}
    assert step_of(run, "sub")["output"].keys() == {"preview", "size", "ref"}


@pytest.mark.parametrize("ending", ["cancelled", "failed", "timed_out"])
def test_runs_are_cancelled_with_the_one_that_started_them_down_to_the_last(
    client: Client, publish_workflow: Publish, target: Target, ending: str
) -> None:
    target.hold("/held")
    hold = target.hold("/trouble")
    lowest = publish_workflow(define(http("held", target.base + "/held")))
    middle = publish_workflow(define(call("sub", lowest.id)))
    steps = [call("sub", middle.id)]
    settings: Document = {}
    if ending == "failed":
        steps += [
            http("trouble", target.base + "/trouble"),
            of_type("fail", "stop", {"message": "x"}, after=["trouble"]),
        ]
    elif ending == "timed_out":
        settings = {"settings": {"timeout": 6.0}}
    run_id = client.start(publish_workflow(define(*steps, **settings)).id)
    middle_id = wait_for_child(client, run_id)
    lowest_id = wait_for_child(client, middle_id)
    target.wait("/held")
    if ending == "cancelled":
        assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    hold.released.set()
    run = client.wait_for_end(run_id, seconds=on_this_machine(CANCEL_SECONDS) + (6 if ending == "timed_out" else 0))
    assert (run["status"], step_of(run, "sub")["status"]) == (ending, "cancelled")
    for child_id in (middle_id, lowest_id):
        child = client.wait_for_end(child_id, seconds=on_this_machine(CANCEL_SECONDS))
        assert (child["status"], child["reason"]) == ("cancelled", "parent_ended")
    assert step_of(client.run(lowest_id), "held")["reason"] == "run_cancelled"


def test_a_run_whose_item_was_broken_off_is_cancelled(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/held")
    slow = publish_workflow(define(http("held", target.base + "/held")))
    hold = target.hold("/go")
    nested = [
        condition("first", "index == 0"),
        call("sub", slow.id, after=["first.true"]),
        http("go", target.base + "/go", after=["first.false"]),
        of_type("fail", "stop", {"message": "enough"}, after=["go"]),
    ]
    loop = foreach("each", "[1, 2]", *nested)
    run_id = client.start(publish_workflow(define(loop, transform("rescue", after=["each.error"]))).id)
    target.wait("/held")
    hold.released.set()
    run = client.wait_for_end(run_id)
    assert (run["status"], step_of(run, "each")["reason"]) == ("succeeded", "item_failed")
    items = client.read(f"/v1/runs/{run_id}/steps", parent="each")["items"]
    assert [step["reason"] for step in items[0]["steps"] if step["id"] == "sub"] == ["loop_failed"]
    started = client.read("/v1/runs", workflow_id=slow.id)["items"]
    assert len(started) == 1
    child = client.wait_for_end(started[0]["id"], seconds=on_this_machine(CANCEL_SECONDS))
    assert (child["status"], child["reason"]) == ("cancelled", "parent_ended"), json.dumps(child)


def test_a_faulty_configuration_is_refused(client: Client) -> None:
    definition = define(
        of_type("workflow", "a", {}),
        of_type("workflow", "b", {"workflow_id": "{{ input.id }}", "version": 2}),
        of_type("workflow", "c", {"workflow_id": "x"}, retry={"max_attempts": 2}, timeout=5),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/steps/0/with", "required"),
        ("/steps/1/with/version", "unknown_field"),
        ("/steps/2/retry", "not_applicable"),
        ("/steps/2/timeout", "not_applicable"),
        ("/steps/2/with/workflow_id", "invalid_format"),
    }
