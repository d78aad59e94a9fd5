"""The installation at a glance: its processes from two sides, and what waits for them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.auth.permissions import Role
from engine.infra.ids import new_id
from engine.infra.metrics_exchange import publish_metrics
from engine.infra.settings import Settings
from engine.store.leases import beat, register_worker
from tests.integration.api.callers import Api, Caller


@pytest.fixture
async def connection(settings: Settings, owner: Caller) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, once the servers are empty and the API is there."""
    opened = await asyncpg.connect(settings.database_url)
    yield opened
    await opened.close()


async def read(caller: Caller) -> dict[str, Any]:
    answer = await caller.client.get("/v1/operations")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_an_installation_without_workers_shows_its_api(owner: Caller) -> None:
    seen = await read(owner)
    (api,) = seen["processes"]
    assert (api["role"], api["host"], api["pid"]) == ("api", socket.gethostname(), os.getpid())
    assert (api["status"], api["runs"], api["leads"], api["heartbeat_at"]) == ("ok", None, None, None)
    assert api["memory_bytes"] > 1_000_000
    assert datetime.fromisoformat(api["started_at"]) < datetime.fromisoformat(seen["at"])
    assert seen["is_complete"] is True
    nothing = {"count": 0, "oldest_seconds": None}
    assert (seen["queue"], seen["outbox"], seen["due"]) == (nothing, nothing, nothing)


async def test_workers_are_shown_with_what_they_do_and_silent_ones_as_such(
    owner: Caller, connection: asyncpg.Connection
) -> None:
    living, silent, dead = [
        await register_worker(connection, name="worker", host="elsewhere", pid=pid) for pid in (11, 12, 13)
    ]
    await beat(connection, living, {owner.workspace_id: 2, new_id(): 3})
    await connection.execute("UPDATE worker SET heartbeat_at = now() - interval '1 minute' WHERE id = $1", silent)
    await connection.execute("UPDATE worker SET alive = false WHERE id = $1", dead)
    workers = [each for each in (await read(owner))["processes"] if each["role"] == "worker"]
    assert [(each["host"], each["pid"], each["status"], each["steps_in_flight"]) for each in workers] == [
        ("elsewhere", 11, "ok", 5),
        ("elsewhere", 12, "silent", 0),
    ]
    assert all(each["started_at"] and each["heartbeat_at"] and each["memory_bytes"] is None for each in workers)


async def test_a_process_that_both_sides_tell_of_is_shown_once(
    api: Api, owner: Caller, connection: asyncpg.Connection
) -> None:
    await register_worker(connection, name="worker", host=socket.gethostname(), pid=os.getpid())
    redis = api.app.state.redis
    telling = asyncio.create_task(publish_metrics(redis, "worker"))
    try:
        while not await redis.sismember("ff:metrics", f"worker@{socket.gethostname()}:{os.getpid()}"):
            await asyncio.sleep(0)
        workers = [each for each in (await read(owner))["processes"] if each["role"] == "worker"]
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    (worker,) = workers
    assert worker["runs"] == 0
    assert worker["memory_bytes"] > 1_000_000
    assert worker["heartbeat_at"] is not None


async def test_what_waits_is_counted_over_all_workspaces_with_its_age(
    api: Api, owner: Caller, connection: asyncpg.Connection
) -> None:
    definition = {"schema": 1, "steps": [{"id": "note", "type": "transform", "with": {"values": {}}}]}
    for caller in (owner, await api.sign_in()):
        made = await caller.client.post("/v1/workflows", json={"name": "Orders", "definition": definition})
        workflow_id = made.raise_for_status().json()["id"]
        (await caller.client.post(f"/v1/workflows/{workflow_id}/publish", json={})).raise_for_status()
        started = await caller.client.post(f"/v1/workflows/{workflow_id}/runs", json={})
    before = await read(owner)
    # A start whose answer was lost is made again, and then there is one more.
    assert before["queue"]["count"] >= 2
    assert before["queue"]["oldest_seconds"] >= 0
    assert before["outbox"]["count"] >= 2
    run_id = started.raise_for_status().json()["run_id"]
    await connection.execute("UPDATE outbox SET created_at = now() - interval '100 seconds'")
    late = "UPDATE run SET status = 'waiting', wake_at = now() - interval '100 seconds' WHERE id = $1"
    await connection.execute(late, UUID(run_id))
    seen = await read(owner)
    assert (seen["queue"]["count"], seen["due"]["count"]) == (before["queue"]["count"] - 1, 1)
    assert seen["due"]["oldest_seconds"] >= 100
    assert seen["outbox"]["oldest_seconds"] >= 100


async def test_nothing_of_any_workspace_is_told(api: Api, owner: Caller) -> None:
    stranger = await api.sign_in()
    made = await stranger.client.post("/v1/workflows", json={"name": "Very private", "definition": {}})
    text = (await owner.client.get("/v1/operations")).text
    for secret in ("Very private", made.raise_for_status().json()["id"], str(stranger.workspace_id)):
        assert secret not in text


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
async def test_it_takes_the_permission_of_metrics(api: Api, owner: Caller, role: Role) -> None:
    caller = await api.sign_in(role, owner.workspace_id)
    answer = await caller.client.get("/v1/operations")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_permission")
