"""What the list of workflows tells of each: its last runs, what starts it, and when it is due next."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import app.workflows.service as workflow_service
from engine.store.activity import Activity, read_activity
from tests.integration.api.callers import Api, Caller

DEFINITION = {"schema": 1, "steps": [{"id": "a", "type": "transform", "with": {"values": {}}}]}
DAILY = {"type": "schedule", "config": {"cron": "0 6 * * *", "timezone": "UTC"}}
YEARLY = {"type": "schedule", "config": {"cron": "0 0 29 2 *", "timezone": "UTC"}}


async def publish(caller: Caller, name: str, **more: Any) -> str:
    answer = await caller.client.post("/v1/workflows", json={"name": name, "definition": DEFINITION, **more})
    assert answer.status_code == 201, answer.text
    workflow_id: str = answer.json()["id"]
    assert (await caller.client.post(f"/v1/workflows/{workflow_id}/publish")).status_code == 201
    return workflow_id


async def start(caller: Caller, workflow_id: str) -> str:
    answer = await caller.client.post(f"/v1/workflows/{workflow_id}/runs", json={})
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["run_id"]
    return run_id


async def add(caller: Caller, workflow_id: str, trigger: Mapping[str, Any]) -> dict[str, Any]:
    answer = await caller.client.post(f"/v1/workflows/{workflow_id}/triggers", json=trigger)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def find(caller: Caller, name: str) -> dict[str, Any]:
    answer = await caller.client.get("/v1/workflows", params={"q": name})
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["items"]
    found: dict[str, Any] = item
    return found


async def test_a_workflow_shows_its_last_twenty_runs_the_newest_first(owner: Caller) -> None:
    orders, other = await publish(owner, "Orders"), await publish(owner, "Other")
    started = [await start(owner, orders) for _ in range(22)]
    apart = await start(owner, other)
    shown = (await find(owner, "Orders"))["recent_runs"]
    assert [run["id"] for run in shown] == started[:1:-1]
    assert {run["status"] for run in shown} == {"queued"}
    assert all(set(run) == {"id", "status", "created_at"} for run in shown)
    assert [run["id"] for run in (await find(owner, "Other"))["recent_runs"]] == [apart]


async def test_a_workflow_that_never_ran_shows_no_runs_and_no_time(owner: Caller) -> None:
    await publish(owner, "Quiet")
    found = await find(owner, "Quiet")
    assert (found["recent_runs"], found["trigger_types"], found["next_fire_at"]) == ([], [], None)


async def test_tests_of_drafts_are_no_runs_of_the_workflow(owner: Caller) -> None:
    workflow_id = await publish(owner, "Tried out")
    assert (await owner.client.post(f"/v1/workflows/{workflow_id}/test", json={})).status_code == 202
    real = await start(owner, workflow_id)
    assert [run["id"] for run in (await find(owner, "Tried out"))["recent_runs"]] == [real]


async def test_the_status_of_a_run_is_the_one_that_it_has(owner: Caller, clean_database: str) -> None:
    workflow_id = await publish(owner, "Broken")
    run_id = await start(owner, workflow_id)
    connection = await asyncpg.connect(clean_database)
    try:
        await connection.execute("UPDATE run SET status = 'failed', finished_at = now() WHERE id = $1", UUID(run_id))
    finally:
        await connection.close()
    assert [run["status"] for run in (await find(owner, "Broken"))["recent_runs"]] == ["failed"]


async def test_the_first_of_the_schedules_is_told_and_what_starts_the_workflow(owner: Caller) -> None:
    workflow_id = await publish(owner, "Nightly")
    yearly = await add(owner, workflow_id, YEARLY)
    daily = await add(owner, workflow_id, DAILY)
    await add(owner, workflow_id, {"type": "webhook", "config": {}})
    found = await find(owner, "Nightly")
    assert found["trigger_types"] == ["schedule", "webhook"]
    assert found["next_fire_at"] == daily["schedule"]["next_fire_times"][0]
    await owner.client.patch(f"/v1/triggers/{daily['id']}", json={"enabled": False})
    assert (await find(owner, "Nightly"))["next_fire_at"] == yearly["schedule"]["next_fire_times"][0]


async def test_a_workflow_that_is_off_or_not_published_is_never_due(owner: Caller) -> None:
    off = await publish(owner, "Switched off", enabled=False)
    await add(owner, off, DAILY)
    answer = await owner.client.post("/v1/workflows", json={"name": "Only a draft", "definition": DEFINITION})
    await add(owner, answer.json()["id"], DAILY)
    assert (await find(owner, "Switched off"))["next_fire_at"] is None
    assert (await find(owner, "Only a draft"))["next_fire_at"] is None


async def test_nothing_of_another_workspace_is_told(owner: Caller, api: Api) -> None:
    await start(owner, await publish(owner, "Ours"))
    stranger = await api.sign_in()
    await publish(stranger, "Ours")
    assert (await find(stranger, "Ours"))["recent_runs"] == []


@pytest.mark.without_faults("it counts what is asked for")
async def test_a_page_asks_once_for_all_of_its_workflows(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow_ids = [await publish(owner, f"W{number}") for number in range(3)]
    asked: list[list[str]] = []

    async def count(connection: asyncpg.Connection, workspace_id: UUID, ids: Sequence[UUID], *, runs: int) -> Any:
        asked.append([str(each) for each in ids])
        found: dict[UUID, Activity] = await read_activity(connection, workspace_id, ids, runs=runs)
        return found

    monkeypatch.setattr(workflow_service, "read_activity", count)
    page = (await owner.client.get("/v1/workflows", params={"limit": "2"})).json()
    assert len(page["items"]) == 2
    assert asked == [workflow_ids[:0:-1]]
