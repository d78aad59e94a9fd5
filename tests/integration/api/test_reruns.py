"""Reruns over the API; no worker runs, so that a new run stays as the call made it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from engine.core.events import (
    PayloadRef,
    RunEvent,
    StepSkipped,
)
from engine.infra.ids import new_id
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, failed, items, queued, started, succeeded
from tests.integration.api.journals import BROKEN, CHAIN, FAILURE, call, fetch, problem


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def test_a_rerun_is_a_new_run_of_the_same_trigger_and_input(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={})
    assert answer.status_code == 202
    run = await histories.read(f"/v1/runs/{answer.json()['run_id']}")
    assert (run["status"], run["attempt"], run["origin_run_id"]) == ("queued", 1, run_id)
    assert (run["trigger"], run["input"], run["version"]) == ({"type": "api"}, {"n": 7}, 1)
    assert {step["status"] for step in run["steps"]} == {"pending"}
    assert (await histories.read(f"/v1/runs/{run_id}"))["status"] == "failed"


async def test_a_rerun_of_a_test_keeps_what_the_test_was_given(owner: Caller, histories: Histories) -> None:
    events = [queued(mocks={"a": {"n": 1}}, preset={"vars": {"v": "é"}}), *BROKEN[1:]]
    run_id = await histories.keep(CHAIN, events, status="failed", is_test=True)
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"version": "latest"})
    rerun_id = answer.json()["run_id"]
    assert (await histories.read(f"/v1/runs/{rerun_id}"))["is_test"]
    (event,) = (await histories.read(f"/v1/runs/{rerun_id}/events"))["items"]
    assert (event["data"]["mocks"], event["data"]["preset"]) == ({"a": {"n": 1}}, {"vars": {"v": "é"}})


@pytest.mark.parametrize("given", [{"n": 8}, None, [], "text", 0], ids=repr)
async def test_a_rerun_takes_other_input(owner: Caller, histories: Histories, given: Any) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"input": given})
    assert (await histories.read(f"/v1/runs/{answer.json()['run_id']}"))["input"] == given


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
async def test_a_run_that_goes_on_is_not_rerun(owner: Caller, histories: Histories, status: str) -> None:
    run_id = await histories.keep(CHAIN, [queued(), started()], status=status)
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={})
    assert problem(answer) == (409, "run_unfinished")


async def test_a_rerun_from_a_step_begins_with_what_came_before_it(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "b"})
    rerun_id = answer.json()["run_id"]
    run = await histories.read(f"/v1/runs/{rerun_id}")
    a, b, c = run["steps"]
    assert (a["status"], a["reason"], a["output"], a["attempts"]) == ("succeeded", "reused", {"n": 1}, [])
    assert "taken over from the run that this one repeats" in a["explanation"]
    assert (b["status"], c["status"], run["last_seq"]) == ("pending", "pending", 2)
    assert run["time"]["total_ms"] == sum(ms for part, ms in run["time"].items() if part != "total_ms")
    assert a["time"]["total_ms"] == 0
    events = (await histories.read(f"/v1/runs/{rerun_id}/events"))["items"]
    assert [(event["seq"], event["type"]) for event in events] == [(1, "run.queued"), (2, "step.succeeded")]
    assert events[0]["data"]["origin"] == {"run_id": run_id, "from_step": "b"}


@pytest.mark.parametrize("step", ["nowhere", "each[0].get", "get", "each.get", "a.error"])
async def test_a_step_that_is_not_there_is_refused_by_name(owner: Caller, histories: Histories, step: str) -> None:
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1]"}, "steps": [call("get")]}
    run_id = await histories.keep({"steps": [call("a"), loop]}, [queued(), started(), FAILURE], status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": step})
    assert problem(answer) == (400, "invalid_request")
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/from_step", "unknown_step")
    assert "'a', 'each'" in error["message"]


async def test_a_foreach_is_taken_over_as_a_whole_without_its_items(owner: Caller, histories: Histories) -> None:
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [call("get")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        items("each", 2),
        succeeded("each[1].get", 2, begin=1, output=2),
        succeeded("each[0].get", 2, begin=1, output=1),
        succeeded("each", 2, output=[{"get": 1}, {"get": 2}], reason="items_done"),
        failed("last", 5),
        FAILURE,
    ]
    run_id = await histories.keep({"steps": [loop, call("last", "each")]}, events, status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "last"})
    rerun_id = answer.json()["run_id"]
    run = await histories.read(f"/v1/runs/{rerun_id}")
    assert run["last_seq"] == 2
    each = run["steps"][0]
    assert (each["status"], each["reason"], each["output"]) == ("succeeded", "reused", [{"get": 1}, {"get": 2}])
    page = await histories.read(f"/v1/runs/{rerun_id}/steps", parent="each")
    assert page == {"items": [], "next_cursor": None}
    # From the loop itself on, everything of it is done anew.
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "each"})
    assert (await histories.read(f"/v1/runs/{answer.json()['run_id']}"))["last_seq"] == 1


async def test_large_outputs_are_copied_so_that_each_run_keeps_its_own(
    owner: Caller, histories: Histories, clean_database: str
) -> None:
    ref = PayloadRef(ref=str(new_id()), size=100_002, preview='"xxx')
    events: list[RunEvent] = [queued(), started(), succeeded("a", 2, begin=1, output_ref=ref), failed("b", 5), FAILURE]
    run_id = await histories.keep(CHAIN, events, status="failed")
    data = b'"' + b"x" * 100_000 + b'"'
    for name in (ref.ref, str(new_id())):
        await histories.execute(
            "INSERT INTO payload (run_id, id, data) VALUES ($1, $2, $3)", UUID(run_id), UUID(name), data
        )
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "b"})
    first = answer.json()["run_id"]
    await histories.execute("UPDATE run SET status = 'failed', finished_at = now() WHERE id = $1", UUID(first))
    second = (await owner.client.post(f"/v1/runs/{first}/rerun", json={"from_step": "b"})).json()["run_id"]
    await histories.execute("DELETE FROM payload WHERE run_id = $1", UUID(run_id))
    for rerun_id in (first, second):
        run = await histories.read(f"/v1/runs/{rerun_id}")
        assert run["steps"][0]["output"] == {"ref": ref.ref, "size": 100_002, "preview": '"xxx'}
        assert (await owner.client.get(f"/v1/runs/{rerun_id}/payloads/{ref.ref}")).content == data
    # What no event of the new run names stays where it is.
    rows = await fetch(clean_database, "SELECT run_id FROM payload")
    assert sorted(str(row["run_id"]) for row in rows) == sorted([first, second])


async def test_handled_failures_and_skipped_steps_are_taken_over_with_their_causes(
    owner: Caller, histories: Histories
) -> None:
    steps = [call("a"), call("rescue", "a.error"), call("rest", "a"), call("last", "rescue")]
    events: list[RunEvent] = [
        queued(),
        started(),
        failed("a"),
        StepSkipped(at=at(2), step="rest", because="a", reason="dependency_failed"),
        succeeded("rescue", 3, begin=2, output="saved"),
        failed("last", 5),
        FAILURE,
    ]
    run_id = await histories.keep({"steps": steps}, events, status="failed")
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "last"})
    run = await histories.read(f"/v1/runs/{answer.json()['run_id']}")
    told = {step["id"]: (step["status"], step["reason"]) for step in run["steps"]}
    assert told == {
        "a": ("failed", "reused"),
        "rescue": ("succeeded", "reused"),
        "rest": ("skipped", "reused"),
        "last": ("pending", None),
    }
    assert run["steps"][0]["error"]["message"] == "it is broken"


async def test_the_latest_version_takes_over_what_it_has_unchanged(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep({"steps": [call("a"), call("b", "a"), call("c", "b")]}, BROKEN, status="failed")
    workflow_id = (await histories.read(f"/v1/runs/{run_id}"))["workflow_id"]
    body = {"version": "latest", "from_step": "c"}
    refused = await owner.client.post(f"/v1/runs/{run_id}/rerun", json=body)
    assert problem(refused) == (409, "not_published")
    await histories.execute("UPDATE workflow SET published_version = 1 WHERE id = $1", UUID(workflow_id))
    # A new name, another `b`, and a step between.
    steps = [call("a", name="First"), call("b", "a", timeout=5), call("between", "a"), call("c", "b", "between")]
    await publish(owner, workflow_id, {"schema": 1, "steps": steps})
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json=body)
    run = await histories.read(f"/v1/runs/{answer.json()['run_id']}")
    assert run["version"] == 2
    assert {step["id"]: step["status"] for step in run["steps"]} == {
        "a": "succeeded",
        "b": "pending",
        "between": "pending",
        "c": "pending",
    }
    # The same version is the default, and a step of the new one alone is unknown there.
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "between"})
    assert problem(answer) == (400, "invalid_request")


async def publish(owner: Caller, workflow_id: str, definition: dict[str, Any]) -> None:
    """Publish this as a workflow's next version."""
    path = f"/v1/workflows/{workflow_id}"
    etag = (await owner.client.get(path)).headers["etag"]
    changed = await owner.client.patch(path, json={"definition": definition}, headers={"if-match": etag})
    assert changed.status_code == 200, changed.text
    assert (await owner.client.post(f"{path}/publish")).status_code == 201


async def test_a_rerun_that_is_sent_again_under_its_key_starts_one_run(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    key = {"idempotency-key": "rerun-1"}
    path, body = f"/v1/runs/{run_id}/rerun", {"from_step": "b"}
    answers = await asyncio.gather(*(owner.client.post(path, json=body, headers=key) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    other = await owner.client.post(path, json={"from_step": "c"}, headers=key)
    assert problem(other) == (409, "idempotency_key_reused")
    assert len((await histories.read("/v1/runs"))["items"]) == 2


async def test_a_run_of_a_deleted_workflow_is_not_rerun(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    workflow_id = (await histories.read(f"/v1/runs/{run_id}"))["workflow_id"]
    deleted = await owner.client.delete(f"/v1/workflows/{workflow_id}", headers={"if-match": "*"})
    assert deleted.status_code == 204, deleted.text
    answer = await owner.client.post(f"/v1/runs/{run_id}/rerun", json={})
    assert problem(answer) == (404, "not_found")
    assert "its workflow was deleted" in answer.json()["detail"]
