"""Schedules and event triggers in files, for every role, and from elsewhere."""

import asyncio
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from app.auth.permissions import Role
from engine.infra.settings import Settings
from engine.store.schedules import SCHEDULE_CHANNEL
from tests.integration.api.callers import Api, Caller

DEFINITION = {"schema": 1, "steps": [{"id": "a", "type": "transform", "with": {"values": {}}}]}
SCHEDULE = {"type": "schedule", "config": {"cron": "0 0 29 2 *", "timezone": "Europe/Berlin", "missed": "skip"}}
LISTENER = {"type": "event", "config": {"event": "run.failed", "filter": "trigger.depth == 1"}}


async def create(caller: Caller) -> str:
    answer = await caller.client.post("/v1/workflows", json={"name": "Nightly", "definition": DEFINITION})
    assert answer.status_code == 201, answer.text
    workflow_id: str = answer.json()["id"]
    return workflow_id


async def add(caller: Caller, workflow_id: str, trigger: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.client.post(f"/v1/workflows/{workflow_id}/triggers", json=trigger)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_schedules_and_listeners_travel_with_their_workflow(owner: Caller) -> None:
    workflow_id = await create(owner)
    for trigger in (SCHEDULE, LISTENER):
        await add(owner, workflow_id, trigger)
    file = await owner.client.get(f"/v1/workflows/{workflow_id}/export")
    headers = {"content-type": "application/yaml"}
    answer = await owner.client.post("/v1/workflows/import", content=file.content, headers=headers)
    assert answer.status_code == 201, answer.text
    (item,) = answer.json()["items"]
    taken = [(each["outcome"], each["trigger"]["type"], each["trigger"]["config"]) for each in item["triggers"]]
    assert taken == [
        ("created", "schedule", SCHEDULE["config"]),
        ("created", "event", LISTENER["config"]),
    ]
    assert len(item["triggers"][0]["trigger"]["schedule"]["next_fire_times"]) == 5
    assert item["triggers"][1]["trigger"]["schedule"] is None


async def test_a_faulty_trigger_of_a_file_is_told_with_its_place(owner: Caller) -> None:
    bad = {"flowforge": 1, "name": "x", "definition": DEFINITION, "triggers": [LISTENER, {"type": "schedule"}]}
    answer = await owner.client.post("/v1/workflows/import", json=bad)
    assert answer.status_code == 400, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/triggers/1/config"]


@pytest.mark.parametrize("trigger", [SCHEDULE, LISTENER], ids=["schedule", "event"])
async def test_who_may_make_change_and_see_them(api: Api, owner: Caller, trigger: dict[str, Any]) -> None:
    workflow_id = await create(owner)
    made = await add(owner, workflow_id, trigger)
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    stranger = await api.sign_in(Role.OWNER)
    path = f"/v1/workflows/{workflow_id}/triggers"
    change = {"enabled": False}
    assert (await viewer.client.get(path)).json()["items"] == [made]
    assert (await viewer.client.post(path, json=trigger)).status_code == 403
    assert (await viewer.client.patch(f"/v1/triggers/{made['id']}", json=change)).status_code == 403
    assert (await stranger.client.post(path, json=trigger)).status_code == 404
    assert (await stranger.client.patch(f"/v1/triggers/{made['id']}", json=change)).status_code == 404
    assert (await stranger.client.delete(f"/v1/triggers/{made['id']}")).status_code == 404
    preview = {"config": SCHEDULE["config"]}
    assert (await viewer.client.post("/v1/triggers/preview", json=preview)).status_code == 200
    assert (await api.client().post("/v1/triggers/preview", json=preview)).status_code == 401


async def test_every_change_of_a_schedule_wakes_the_scheduler(owner: Caller, settings: Settings) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.add_listener(SCHEDULE_CHANNEL, lambda *call: heard.put_nowait(call[2]))
        made = await add(owner, await create(owner), SCHEDULE)
        for change in (None, {"enabled": False}, {"enabled": True}, {"config": {"every_seconds": 60}}):
            if change is not None:
                answer = await owner.client.patch(f"/v1/triggers/{made['id']}", json=change)
                assert answer.status_code == 200, answer.text
            async with asyncio.timeout(60):
                assert await heard.get() == SCHEDULE_CHANNEL
    finally:
        await connection.close()


async def test_every_change_of_a_listener_moves_the_revision_on(owner: Caller, settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    revisions: list[int] = []

    async def note() -> None:
        revisions.append(await connection.fetchval("SELECT coalesce(max(revision), 0) FROM listener_revision"))

    try:
        await note()
        made = await add(owner, await create(owner), LISTENER)
        await note()
        for change in ({"enabled": False}, {"enabled": True}, {"config": {"event": "run.succeeded"}}):
            answer = await owner.client.patch(f"/v1/triggers/{made['id']}", json=change)
            assert answer.status_code == 200, answer.text
            await note()
        assert (await owner.client.delete(f"/v1/triggers/{made['id']}")).status_code == 204
        await note()
    finally:
        await connection.close()
    assert revisions == sorted(set(revisions)), "each is above the one before"


async def test_a_schedule_keeps_its_place_when_it_is_saved_as_it_is(owner: Caller) -> None:
    made = await add(owner, await create(owner), {"type": "schedule", "config": {"every_seconds": 86_400}})
    written_out = {"every_seconds": 86_400, "timezone": "UTC", "missed": "run_once", "missed_limit": 100}
    answer = await owner.client.patch(f"/v1/triggers/{made['id']}", json={"config": written_out})
    assert answer.status_code == 200, answer.text
    assert answer.json()["schedule"] == made["schedule"]
    first = datetime.fromisoformat(made["schedule"]["next_fire_times"][0])
    assert first.microsecond == 0


@pytest.mark.parametrize(
    ("kind", "config", "field", "why"),
    [
        (
            "schedule",
            {"every_seconds": 60, "throttle": {"limit": 1, "per": 60}},
            "throttle",
            "one run for each due time",
        ),
        ("schedule", {"cron": "* * * * *", "debounce": {"period": 60}}, "debounce", "one run for each due time"),
        ("event", {"event": "run.failed", "rate_limit": {"per_minute": 1}}, "rate_limit", "throttle"),
        ("event", {"event": "run.failed", "dedup_key": "trigger.event.id"}, "dedup_key", "once"),
    ],
    ids=["a throttled schedule", "a debounced schedule", "a limited listener", "a named event"],
)
async def test_what_belongs_to_other_triggers_is_refused_with_the_reason(
    owner: Caller, kind: str, config: dict[str, Any], field: str, why: str
) -> None:
    path = f"/v1/workflows/{await create(owner)}/triggers"
    answer = await owner.client.post(path, json={"type": kind, "config": config})
    assert answer.status_code == 400, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/config/{field}", "unknown_field")
    assert why in fault["message"]
