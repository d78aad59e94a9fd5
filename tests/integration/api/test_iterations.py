"""The items of a `foreach` as the API pages through them."""

from typing import Any

import pytest

from engine.core.events import ErrorInfo as Error
from engine.core.events import (
    PayloadRef,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunRetried,
    StepCancelled,
    StepSkipped,
    StepWaiting,
)
from engine.infra.ids import new_id
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, failed, items, queued, retrying, started, succeeded
from tests.properties.core_run import CoreRun
from tests.properties.graphs import Plan


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


def http(step_id: str, *after: str) -> dict[str, Any]:
    config = {"method": "GET", "url": "https://shop.example/{{ item }}/{{ index }}"}
    return {"id": step_id, "type": "http", "with": config, "after": list(after)}


def loop(step_id: str, source: str, *steps: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "foreach", "with": {"items": source, **config}, "steps": list(steps)}


async def test_items_come_in_order_with_their_steps(histories: Histories) -> None:
    definition = {"steps": [loop("each", "['a', 'b', 'c', 'd']", http("get"), http("put", "get"), concurrency=2)]}
    events: list[RunEvent] = [
        queued(),
        started(),
        items("each", 4),
        succeeded("each[1].get", 3, begin=1, output={"n": 1}),
        retrying("each[0].get", 3, 9, begin=1),
        succeeded("each[1].put", 4, begin=3),
    ]
    run_id = await histories.keep(definition, events)
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    assert page["next_cursor"] is None
    assert [(item["index"], item["path"], item["status"]) for item in page["items"]] == [
        (0, "each[0]", "running"),
        (1, "each[1]", "succeeded"),
        (2, "each[2]", "running"),
        (3, "each[3]", "pending"),
    ]
    first, second, third, fourth = page["items"]
    assert [(step["path"], step["status"]) for step in first["steps"]] == [
        ("each[0].get", "retrying"),
        ("each[0].put", "pending"),
    ]
    assert [attempt["number"] for attempt in first["steps"][0]["attempts"]] == [1]
    assert second["steps"][0]["output"] == {"n": 1}
    assert second["steps"][0]["input"]["url"] == "https://shop.example/b/1"
    assert second["steps"][0]["time"]["running_ms"] == 2000
    assert (second["started_at"], second["finished_at"]) == ("2027-01-01T00:00:01Z", "2027-01-01T00:00:04Z")
    # Its turn has come, though the journal tells nothing of a short attempt: two items are open at a time.
    assert [step["status"] for step in third["steps"]] == ["running", "pending"]
    assert fourth["steps"][0]["explanation"] == "The item has not started."
    assert third["steps"][0]["explanation"].startswith("It started with the item,")


async def test_pages_go_on_where_the_one_before_ended(histories: Histories) -> None:
    definition = {"steps": [loop("each", "range", http("get"))]}
    events: list[RunEvent] = [queued(), started(), items("each", 23)]
    events += [succeeded(f"each[{index}].get", begin=1, output=index) for index in reversed(range(23))]
    run_id = await histories.keep(definition, events)
    seen, cursor, pages = [], None, 0
    while cursor is not None or not pages:
        query = {"parent": "each", "limit": 10} | ({} if cursor is None else {"cursor": cursor})
        page = await histories.read(f"/v1/runs/{run_id}/steps", **query)
        seen += [(item["index"], item["steps"][0]["output"]) for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert seen == [(index, index) for index in range(23)]
    assert pages == 3


async def test_items_that_failed_are_read_alone(histories: Histories) -> None:
    rescue = {"id": "rescue", "type": "transform", "with": {"values": {}}, "after": ["get.error"]}
    definition = {"steps": [loop("each", "range", http("get"), rescue, http("put"), on_item_error="continue")]}
    events: list[RunEvent] = [queued(), started(), items("each", 30)]
    for index in reversed(range(30)):
        # Every fourth item has a failure that is handled; every third, from 2 on, one that is not.
        place = f"each[{index}]"
        if index % 4 == 0:
            events += [failed(f"{place}.get"), succeeded(f"{place}.rescue")]
        else:
            skip = StepSkipped(at=at(2), step=f"{place}.rescue", reason="dependency_succeeded", because="get.error")
            events += [succeeded(f"{place}.get"), skip]
        events.append((failed if index % 3 == 2 else succeeded)(f"{place}.put"))
    run_id = await histories.keep(definition, events)
    seen, cursor, pages = [], None, 0
    while cursor is not None or not pages:
        query = {"parent": "each", "status": "failed", "limit": 4} | ({} if cursor is None else {"cursor": cursor})
        page = await histories.read(f"/v1/runs/{run_id}/steps", **query)
        seen += [(item["index"], item["status"]) for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert seen == [(index, "failed") for index in range(2, 30, 3)]
    assert pages == 3
    run = await histories.read(f"/v1/runs/{run_id}")
    assert run["steps"][0]["items"]["failed"] == len(seen)


async def test_loops_within_items_have_items_of_their_own(histories: Histories) -> None:
    inner = loop("inner", "[item, item + 1]", http("get"))
    definition = {"steps": [loop("outer", "[10, 20, 30]", http("first"), inner | {"after": ["first"]})]}
    events: list[RunEvent] = [queued(), started(), items("outer", 3)]
    for index in (2, 1):
        events.append(succeeded(f"outer[{index}].first", begin=1))
        events.append(items(f"outer[{index}].inner", 2))
        events.append(succeeded(f"outer[{index}].inner[1].get", begin=1, output=index))
    run_id = await histories.keep(definition, events)
    outer = await histories.read(f"/v1/runs/{run_id}/steps", parent="outer")
    assert [[step["path"] for step in item["steps"]] for item in outer["items"]][2] == [
        "outer[2].first",
        "outer[2].inner",
    ]
    assert outer["items"][2]["steps"][1]["items"] == {"total": 2, "done": 1, "failed": 0}
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="outer[2].inner")
    assert [(item["path"], item["status"]) for item in page["items"]] == [
        ("outer[2].inner[0]", "running"),
        ("outer[2].inner[1]", "succeeded"),
    ]
    get = page["items"][1]["steps"][0]
    assert (get["path"], get["output"]) == ("outer[2].inner[1].get", 2)
    assert get["input"]["url"] == "https://shop.example/31/1"
    # It has not started yet.
    empty = await histories.read(f"/v1/runs/{run_id}/steps", parent="outer[0].inner")
    assert empty == {"items": [], "next_cursor": None}


async def test_waiting_items_say_what_for(histories: Histories, owner: Caller) -> None:
    ask = {"id": "ask", "type": "approval", "with": {"message": "Go?"}}
    definition = {"steps": [loop("each", "[1]", ask)]}
    waiting = StepWaiting(at=at(1), step="each[0].ask", due_at=None, reason="approval", message="Go?")
    run_id = await histories.keep(definition, [queued(), started(), items("each", 1), waiting], status="waiting")
    approval = new_id()
    await histories.execute(
        """
        INSERT INTO approval (id, workspace_id, run_id, step, message, created_at)
        VALUES ($1, $2, $3::text::uuid, 'each[0].ask', 'Go?', now())
        """,
        approval,
        owner.workspace_id,
        run_id,
    )
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    assert page["items"][0]["status"] == "waiting"
    assert page["items"][0]["steps"][0]["waiting"]["approval_id"] == str(approval)


async def test_failed_items_run_again_in_a_new_round(histories: Histories) -> None:
    definition = {"steps": [loop("each", "[1, 2, 3]", http("get"), http("put", "get"), concurrency=2)]}
    error = Error(code="item_failed", message="item 0 failed")
    broken: list[RunEvent] = [
        queued(),
        started(),
        items("each", 3),
        succeeded("each[1].get", begin=1),
        failed("each[0].get"),
        StepCancelled(at=at(2), step="each[0].put", reason="item_failed"),
        StepCancelled(at=at(2), step="each[1].put", reason="loop_failed"),
        failed("each", reason="item_failed"),
        RunFailed(at=at(2), error=error, reason="step_failed"),
    ]
    run_id = await histories.keep(definition, broken, status="failed")
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    assert [item["status"] for item in page["items"]] == ["failed", "cancelled", "cancelled"]
    assert page["items"][0]["error"]["message"] == "it is broken"
    run = await histories.read(f"/v1/runs/{run_id}")
    assert run["steps"][0]["items"] == {"total": 3, "done": 1, "failed": 1}
    again: list[RunEvent] = [*broken, RunRetried(at=at(5), attempt=2), started(6), items("each", 3, 6)]
    again.append(succeeded("each[0].get", 7, begin=6, attempt=2))
    run_id = await histories.keep(definition, again, attempt=2)
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    assert [[step["status"] for step in item["steps"]] for item in page["items"]] == [
        ["succeeded", "running"],
        ["succeeded", "running"],
        ["pending", "pending"],
    ]
    run = await histories.read(f"/v1/runs/{run_id}")
    assert run["steps"][0]["items"] == {"total": 3, "done": 0, "failed": 0}


async def test_items_of_a_large_list_are_not_loaded_for_their_inputs(histories: Histories) -> None:
    definition = {"steps": [http("fetch"), loop("each", "steps.fetch.output", http("get")) | {"after": ["fetch"]}]}
    ref = PayloadRef(ref=str(new_id()), size=100_000, preview="[1, 2")
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("fetch", begin=1, output_ref=ref),
        items("each", 2),
        succeeded("each[1].get", begin=1, output_ref=ref),
        RunCancelled(at=at(3)),
    ]
    run_id = await histories.keep(definition, events, status="cancelled")
    page = await histories.read(f"/v1/runs/{run_id}/steps", parent="each")
    get = page["items"][1]["steps"][0]
    assert get["input"]["url"] == "https://shop.example/{{ item }}/{{ index }}"
    assert get["output"] == {"ref": ref.ref, "size": 100_000, "preview": "[1, 2"}


@pytest.mark.parametrize(
    ("parent", "status"),
    [
        ("gone", 400),
        ("get", 400),
        ("each.get", 400),
        ("each[x].inner", 400),
        ("each[0].get", 400),
        ("each[7].inner", 404),
        ("each[99999999].inner", 400),
        ("", 400),
    ],
)
async def test_what_is_no_loop_is_refused(histories: Histories, owner: Caller, parent: str, status: int) -> None:
    definition = {"steps": [loop("each", "[1]", http("get"), loop("inner", "[2]", http("deep"))), http("get")]}
    run_id = await histories.keep(definition, [queued(), started(), items("each", 1)])
    answer = await owner.client.get(f"/v1/runs/{run_id}/steps", params={"parent": parent})
    assert answer.status_code == status, answer.text


async def test_cursors_of_others_are_refused(histories: Histories, owner: Caller) -> None:
    definition = {"steps": [loop("each", "[1]", http("get"))]}
    run_id = await histories.keep(definition, [queued(), started(), items("each", 1)])
    answer = await owner.client.get(f"/v1/runs/{run_id}/steps", params={"parent": "each", "cursor": "x"})
    assert answer.status_code == 400
    beyond = await owner.client.get(f"/v1/runs/{run_id}/steps", params={"parent": "each", "cursor": "9999999999"})
    assert beyond.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("seed", range(12))
async def test_random_runs_are_told_as_the_core_has_them(histories: Histories, seed: int) -> None:
    body = [http("get"), http("rescue", "get.error"), loop("within", "[1, 2]", http("deep"))]
    config = {"concurrency": 1 + seed % 3, "on_item_error": ("fail", "continue")[seed % 2]}
    document = {"schema": 1, "steps": [http("first"), loop("each", "[1, 2, 3]", *body, **config)]}
    failures: dict[str, list[int | None]] = {"get": [0, None, 0], "rescue": [None], "deep": [0, 1, None], "first": [0]}
    plan = Plan(document=document, failures=failures, conditions={}, cases={}, mocks={}, broken_output=False)
    run = CoreRun(plan, seed)
    run.start()
    for count in (5 + 3 * seed, 60):
        for _ in range(count):
            if not run.is_over:
                run.act()
        run_id = await histories.keep(document, run.journal, status=run.state.status.value, attempt=run.round)
        await _compare(histories, run_id, run)
        run.cancel()
        if run.state.status.value == "succeeded":
            break
        run.retry()
        run.start()


async def _compare(histories: Histories, run_id: str, run: CoreRun) -> None:
    """Every step that the core still has in memory, and every end, as the API tells it."""
    detail = await histories.read(f"/v1/runs/{run_id}")
    told = {step["path"]: step["status"] for step in detail["steps"]}
    parents = [step["path"] for step in detail["steps"] if step["items"]]
    while parents:
        parent = parents.pop()
        page = await histories.read(f"/v1/runs/{run_id}/steps", parent=parent)
        failures = await histories.read(f"/v1/runs/{run_id}/steps", parent=parent, status="failed")
        failed_ones = [item["index"] for item in page["items"] if item["status"] == "failed"]
        assert [item["index"] for item in failures["items"]] == failed_ones, parent
        for item in page["items"]:
            told |= {step["path"]: step["status"] for step in item["steps"]}
            parents += [step["path"] for step in item["steps"] if step["items"]]
    for path, status in run.statuses.items():
        if status in ("succeeded", "failed", "skipped", "cancelled"):
            assert told[path] == status, path
    for frame in run.state.frames.values():
        for node in frame.graph.nodes:
            status = frame.steps[node.index].status.value
            assert told[frame.prefix + node.id] in (status, {"running": "retrying"}.get(status)), node.id
