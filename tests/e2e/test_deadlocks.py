"""Runs that start each other, and need slots of one concurrency key for it: none waits for its own end."""

from collections.abc import Callable
from typing import Any

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.steps import Step, condition, define, foreach, of_type, transform
from tests.product import wait_for

Publish = Callable[..., Published]

DEADLOCK = "concurrency_deadlock"
CALL: Step = of_type(
    "workflow", "sub", {"workflow_id": "{{ input.other }}", "input": "{{ input.then }}"}, after=["more.true"]
)


def chain(*others: str) -> Document:
    """What a run is given that starts one of the first workflow, which starts one of the second, and so on."""
    given: Document = {}
    for other in reversed(others):
        given = {"other": other, "then": given}
    return given


def calling(*before: Step, more: str = "has(input.other)", call: Step = CALL, **rule: Any) -> Document:
    """A workflow that starts the one that it is told of, and of which only some runs go on at a time."""
    after = [step["id"] for step in before]
    return define(
        *before,
        {**condition("more", more), "after": after},
        call,
        transform("rescue", after=["sub.error"], code="{{ steps.sub.error.code }}"),
        output={"code": "{{ steps.rescue.output.code }}"},
        settings={"concurrency": {"key": "one", **rule}},
    )


def test_a_workflow_that_starts_itself_and_has_one_slot_is_told_at_once(
    client: Client, publish_workflow: Publish
) -> None:
    workflow = publish_workflow(calling())
    run = client.finish(workflow.id, {"input": chain(workflow.id)})
    sub = step_of(run, "sub")
    assert (run["status"], sub["status"], sub["error"]["code"]) == ("succeeded", "failed", DEADLOCK)
    assert run["output"] == {"code": DEADLOCK}
    assert '"one"' in sub["error"]["message"]
    child = client.run(run["children"][0]["run_id"])
    assert (child["status"], child["reason"], child["error"]["code"]) == ("failed", DEADLOCK, DEADLOCK)
    assert child["error"]["details"] == {"holders": [run["id"]]}
    assert child["started_at"] is None
    # Its slot was free again with its end.
    assert client.finish(workflow.id)["status"] == "succeeded"


def test_so_is_one_that_starts_itself_through_others_or_in_a_loop(client: Client, publish_workflow: Publish) -> None:
    between = publish_workflow(calling(limit=9), name="Between")
    workflow = publish_workflow(calling(), name="Itself")
    run = client.finish(workflow.id, {"input": chain(between.id, between.id, workflow.id)})
    assert (run["status"], step_of(run, "sub")["status"]) == ("succeeded", "succeeded")
    assert step_of(run, "sub")["output"] == {"code": None}, "what was started last was told of it, and could handle it"
    call = foreach("sub", "[1, 2]", {**CALL, "id": "each", "after": []}, after=["more.true"])
    looping = publish_workflow(calling(call=call))
    run = client.finish(looping.id, {"input": chain(looping.id)})
    assert step_of(run, "sub")["error"]["details"]["error"]["code"] == DEADLOCK


def test_a_run_of_another_key_or_with_a_slot_to_spare_is_started(client: Client, publish_workflow: Publish) -> None:
    own_keys = publish_workflow(calling(key="{{ has(input.other) }}"))
    two_slots = publish_workflow(calling(limit=2))
    for workflow in (own_keys, two_slots):
        run = client.finish(workflow.id, {"input": chain(workflow.id)})
        assert (run["status"], step_of(run, "sub")["status"]) == ("succeeded", "succeeded")
    run = client.finish(two_slots.id, {"input": chain(two_slots.id, two_slots.id)})
    assert step_of(run, "sub")["output"] == {"code": DEADLOCK}, "the third has none"


def wait_for_go(client: Client, run_id: str) -> None:
    """Wait until the run waits for its signal, with its slot."""
    client.wait_for_status(run_id, "waiting")


def signal(client: Client, run_id: str) -> None:
    answer = client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"})
    assert answer.status_code == 202, answer.text


def wait_for_held_child(client: Client, run_id: str) -> Document:
    """The child of the run, once it waits for a slot."""

    def find() -> Document | None:
        children = client.run(run_id)["children"]
        child = client.run(children[0]["run_id"]) if children else None
        return child if child is not None and child["reason"] == "concurrency" else None

    found: Document = wait_for(find, what=f"child of {run_id} that waits for a slot")
    return found


GO = of_type("wait", "go", {"signal": "go"})
PATIENT = "has(input.other)"


def gated(**rule: Any) -> Document:
    """Runs that wait for a signal first; those that are started by others do not."""
    first = condition("is_first", "trigger.type != 'workflow'")
    wait = {**GO, "after": ["is_first.true"]}
    document = calling(first, wait, more=PATIENT, **rule)
    document["steps"][2] |= {"after": ["is_first.false", "go"], "join": "any"}
    return document


def test_a_slot_that_a_stranger_holds_is_waited_for(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(gated(limit=2))
    stranger = client.start(workflow.id)
    wait_for_go(client, stranger)
    parent = client.start(workflow.id, {"input": chain(workflow.id)})
    wait_for_go(client, parent)
    signal(client, parent)
    child = wait_for_held_child(client, parent)
    assert child["concurrency"]["holders"] == [stranger, parent]
    signal(client, stranger)
    run = client.wait_for_end(parent)
    assert (run["status"], step_of(run, "sub")["status"]) == ("succeeded", "succeeded")


def test_of_runs_that_hold_each_other_up_the_last_to_come_gives_way(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(gated(limit=2))
    first, second = (client.start(workflow.id, {"input": chain(workflow.id)}) for _ in range(2))
    for run_id in (first, second):
        wait_for_go(client, run_id)
    signal(client, first)
    wait_for_held_child(client, first)
    signal(client, second)
    codes = [client.wait_for_end(run_id)["output"]["code"] for run_id in (first, second)]
    assert codes == [None, DEADLOCK]


def test_a_rule_that_lets_nobody_wait_does_what_it_says(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(calling(when_full="drop"))
    run = client.finish(workflow.id, {"input": chain(workflow.id)})
    assert step_of(run, "sub")["error"]["details"]["status"] == "cancelled"
    assert run["output"] == {"code": "child_failed"}


def test_a_run_that_gave_way_waits_once_somebody_retries_it(client: Client, publish_workflow: Publish) -> None:
    document = calling(limit=1)
    document["steps"].append({**GO, "after": ["rescue"]})
    workflow = publish_workflow(document)
    parent = client.start(workflow.id, {"input": chain(workflow.id)})
    wait_for(lambda: step_of(client.run(parent), "go")["status"] == "waiting", what="parent that waits for its signal")
    child = client.run(parent)["children"][0]["run_id"]
    assert client.http.post(f"/v1/runs/{child}/retry").status_code == 202
    wait_for(lambda: client.run(child)["reason"] == "concurrency", what="the retried run waits for a slot")
    signal(client, parent)
    assert client.wait_for_end(parent)["status"] == "succeeded"
    assert client.wait_for_end(child)["status"] == "succeeded"
