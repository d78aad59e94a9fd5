"""Runs that retention has deleted: they answer 404, and what refers to them goes on."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.infra.ids import new_id
from engine.store.retention import NO_RUN, delete_runs
from tests.integration.api.callers import Caller
from tests.integration.api.histories import BEGIN, Histories
from tests.integration.api.journals import BROKEN, CHAIN


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def forget(database_url: str, run_id: str) -> None:
    """Delete the run as retention does, a year later."""
    connection = await asyncpg.connect(database_url)
    later = BEGIN + timedelta(days=365)
    try:
        partition = await connection.fetchval("SELECT tableoid::regclass::text FROM run WHERE id = $1", UUID(run_id))
        name = partition.removeprefix("run_")
        assert await delete_runs(connection, name, later, after=NO_RUN, limit=10) == [UUID(run_id)]
    finally:
        await connection.close()


@pytest.fixture
async def gone(clean_database: str, histories: Histories) -> str:
    """A run that was kept, and is not any more."""
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    assert (await histories.read(f"/v1/runs/{run_id}"))["status"] == "failed"
    await forget(clean_database, run_id)
    return run_id


@pytest.mark.parametrize(
    "path",
    ["", "/definition", "/events", "/steps?parent=a", "/stream", f"/payloads/{new_id()}", "/payloads/1"],
    ids=repr,
)
async def test_nothing_of_it_can_be_read(owner: Caller, gone: str, path: str) -> None:
    answer = await owner.client.get(f"/v1/runs/{gone}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("call", "body"),
    [("cancel", None), ("retry", None), ("rerun", {}), ("rerun", {"from_step": "b"}), ("signal", {"name": "s"})],
    ids=["cancel", "retry", "rerun", "rerun from a step", "signal"],
)
async def test_nothing_can_be_done_to_it(owner: Caller, gone: str, call: str, body: Any) -> None:
    answer = await owner.client.post(f"/v1/runs/{gone}/{call}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_came_from_it_is_read_and_steered_as_before(owner: Caller, histories: Histories, gone: str) -> None:
    run_id = await histories.keep(
        CHAIN, BROKEN, status="failed", parent_run_id=UUID(gone), parent_step="s", origin_run_id=UUID(gone), depth=1
    )
    run = await histories.read(f"/v1/runs/{run_id}")
    assert (run["parent"], run["origin_run_id"]) == ({"run_id": gone, "step": "s"}, gone)
    listed = [item["id"] for item in (await histories.read("/v1/runs"))["items"]]
    assert listed == [run_id]
    for call in ("rerun", "retry"):
        answer = await owner.client.post(f"/v1/runs/{run_id}/{call}", json={})
        assert answer.status_code == 202, answer.text


async def test_many_at_once_are_told_that_it_is_not_there(owner: Caller, histories: Histories, gone: str) -> None:
    kept = await histories.keep(CHAIN, BROKEN, status="failed")
    body = {"action": "retry", "ids": [gone, kept]}
    answer = await owner.client.post("/v1/runs/bulk", json=body)
    assert answer.status_code < 500, answer.text
    assert (await histories.read(f"/v1/runs/{kept}"))["id"] == kept


async def test_an_approval_that_was_left_behind_is_not_listed(
    clean_database: str, owner: Caller, histories: Histories
) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    approval_id = new_id()
    await histories.execute(
        "INSERT INTO approval (id, workspace_id, run_id, step, message, created_at) "
        "VALUES ($1, $2, $3, 's', '', now())",
        approval_id,
        owner.workspace_id,
        UUID(run_id),
    )
    assert len((await histories.read("/v1/approvals"))["items"]) == 1
    # Its run's partition is dropped first, and the approval a moment later.
    await histories.execute("DELETE FROM run WHERE id = $1", UUID(run_id))
    assert (await histories.read("/v1/approvals"))["items"] == []
    assert (await owner.client.get(f"/v1/approvals/{approval_id}")).status_code == 404
    answer = await owner.client.post(f"/v1/approvals/{approval_id}", json={"decision": "approved"})
    assert answer.status_code == 404


async def test_a_repeated_event_is_still_told_which_run_it_started(owner: Caller, histories: Histories) -> None:
    definition = {"schema": 1, "steps": [{"id": "a", "type": "transform", "with": {"values": {"n": 1}}}]}
    workflow = (await owner.client.post("/v1/workflows", json={"name": "W", "definition": definition})).json()
    assert (await owner.client.post(f"/v1/workflows/{workflow['id']}/publish")).status_code == 201
    trigger = await owner.client.post(
        f"/v1/workflows/{workflow['id']}/triggers", json={"type": "webhook", "config": {}}
    )
    hook = "/v1/hooks/" + trigger.json()["url"].rpartition("/")[2]
    first = await owner.client.post(hook, json={}, headers={"webhook-id": "1"})
    assert first.status_code == 202
    await histories.execute("DELETE FROM run")
    again = await owner.client.post(hook, json={}, headers={"webhook-id": "1"})
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    assert (await owner.client.get(f"/v1/runs/{first.json()['run_id']}")).status_code == 404
    event = await owner.client.get(f"/v1/events/{first.json()['event_id']}")
    assert event.json()["run_id"] == first.json()["run_id"]
