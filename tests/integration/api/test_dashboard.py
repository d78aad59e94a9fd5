"""The figures of a workspace's runs: from the runs themselves, and of that workspace alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.stats import figures
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store import dashboard
from engine.store.leases import beat, register_worker
from tests.integration.api.callers import Api, Caller

_RUN = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, status, trigger_type, is_test, created_at,
                 started_at, finished_at, error_code, error_message)
VALUES ($1, $2, $3, $4, 1, $5, 'api', $6, $7, $7, $8, $9, $10)
"""


class Past:
    """Writes runs that are over, or go on, of a workspace."""

    def __init__(self, connection: asyncpg.Connection, owner: Caller) -> None:
        self.connection = connection
        self._owner = owner

    async def add_workflow(self, name: str) -> UUID:
        """The id of a new workflow."""
        answer = await self._owner.client.post("/v1/workflows", json={"name": name, "definition": {}})
        return UUID(answer.raise_for_status().json()["id"])

    async def add(
        self, workflow_id: UUID, status: str, *, taken: float | None = None, ago: float = 60.0, is_test: bool = False
    ) -> str:
        """A run that was accepted so many seconds `ago`, and took so many."""
        created_at = datetime.now(UTC) - timedelta(seconds=ago)
        run_id = UUID(int=new_id().int - (int(ago * 1000) << 80))
        finished_at = None if taken is None else created_at + timedelta(seconds=taken)
        error = ("http_status", "the target answered 503") if status in ("failed", "timed_out") else (None, None)
        values = (run_id, self._owner.workspace_id, workflow_id, new_id(), status, is_test, created_at, finished_at)
        await self.connection.execute(_RUN, *values, *error)
        return str(run_id)


@pytest.fixture
async def past(settings: Settings, owner: Caller) -> AsyncIterator[Past]:
    """The past of the owner's workspace."""
    connection = await asyncpg.connect(settings.database_url)
    yield Past(connection, owner)
    await connection.close()


async def read(caller: Caller, window: str = "24h") -> dict[str, Any]:
    answer = await caller.client.get("/v1/stats", params={"window": window})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_workspace_without_runs_has_figures_too(owner: Caller) -> None:
    stats = await read(owner)
    runs = stats["runs"]
    assert set(runs["by_status"].values()) == {0}
    assert (runs["success_rate"], runs["duration_ms"], runs["points"]) == (None, {"p50": None, "p95": None}, [])
    assert (stats["failing_workflows"], stats["queue_depth"], stats["steps_in_flight"]) == ([], 0, 0)
    assert stats["events_per_minute"] == 0


async def test_runs_are_counted_by_status_with_what_they_took_and_who_fails(
    owner: Caller, api: Api, past: Past
) -> None:
    good, bad, worse = [await past.add_workflow(name) for name in ("Good", "Bad", "Worse")]
    for taken in range(1, 19):
        await past.add(good, "succeeded", taken=float(taken))
    await past.add(bad, "failed", taken=19.0, ago=90)
    for ago in (120.0, 100.0):
        last = await past.add(worse, "timed_out", taken=20.0, ago=ago)
    await past.add(good, "cancelled", taken=0.0)
    await past.add(good, "queued")
    await past.add(good, "succeeded", taken=900.0, is_test=True)
    await past.add(good, "succeeded", taken=900.0, ago=2 * 86_400)
    stats = await read(owner)
    runs = stats["runs"]
    assert runs["by_status"] == {
        "queued": 1,
        "running": 0,
        "waiting": 0,
        "succeeded": 18,
        "failed": 1,
        "cancelled": 1,
        "timed_out": 2,
    }
    assert runs["success_rate"] == pytest.approx(18 / 21)
    assert runs["duration_ms"] == {"p50": 10_000, "p95": 20_000}
    assert [(each["name"], each["failed"], each["runs"]) for each in stats["failing_workflows"]] == [
        ("Worse", 2, 2),
        ("Bad", 1, 1),
    ]
    assert stats["failing_workflows"][0]["last_run_id"] == last
    assert stats["failing_workflows"][0]["error_code"] == "http_status"
    assert stats["queue_depth"] == 1
    points = runs["points"]
    assert sum(point["succeeded"] for point in points) == 18
    assert sum(point["failed"] for point in points) == 3
    assert sum(point["unfinished"] for point in points) == 1
    assert {point["at"] for point in points} <= {points[0]["at"], points[-1]["at"]}
    assert runs["since"] <= points[0]["at"]
    assert (await read(await api.sign_in()))["runs"]["by_status"]["succeeded"] == 0


async def test_of_many_runs_the_newest_are_told_with_the_time_from_which_on(
    owner: Caller, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "MOST_RUNS", 3)
    workflow = await past.add_workflow("Busy")
    for ago in (7200.0, 3600.0, 30.0, 20.0, 10.0):
        await past.add(workflow, "succeeded", taken=1.0, ago=ago)
    runs = (await read(owner))["runs"]
    assert runs["by_status"]["succeeded"] == 3
    assert datetime.fromisoformat(runs["since"]) > datetime.now(UTC) - timedelta(seconds=3000)


async def test_many_who_look_at_once_ask_the_database_once(
    owner: Caller, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    async def count(*arguments: Any) -> dashboard.RunFigures:
        asked.append(arguments[1])
        return await dashboard.sum_runs(*arguments)

    monkeypatch.setattr(figures, "sum_runs", count)
    monkeypatch.setattr(figures, "FRESH_SECONDS", 3600.0)
    workflow = await past.add_workflow("Once")
    await asyncio.gather(*(read(owner) for _ in range(20)))
    await past.add(workflow, "succeeded", taken=1.0)
    assert (await read(owner))["runs"]["by_status"]["succeeded"] == 0
    assert asked == [owner.workspace_id]
    monkeypatch.setattr(figures, "FRESH_SECONDS", -1.0)
    assert (await read(owner))["runs"]["by_status"]["succeeded"] == 1


async def test_attempts_under_way_are_those_that_living_workers_told_of(owner: Caller, api: Api, past: Past) -> None:
    other = await api.sign_in()
    alive, dead = [await register_worker(past.connection, name="worker", host="here", pid=number) for number in (1, 2)]
    for worker_id in (alive, dead):
        await beat(past.connection, worker_id, {owner.workspace_id: 7, other.workspace_id: 2})
    await past.connection.execute("UPDATE worker SET alive = false WHERE id = $1", dead)
    assert (await read(owner))["steps_in_flight"] == 7
    assert (await read(other))["steps_in_flight"] == 2
    await beat(past.connection, alive, {})
    assert (await read(owner))["steps_in_flight"] == 0


async def test_runs_that_go_on_are_those_that_living_workers_hold(
    owner: Caller, api: Api, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "MOST_RUNNING", 2)
    alive, dead = [await register_worker(past.connection, name="worker", host="here", pid=number) for number in (1, 2)]
    workflow = await past.add_workflow("Long")
    oldest, middle, newest, orphan, ended, test = [
        await past.add(workflow, status, ago=ago, is_test=is_test, taken=taken)
        for status, ago, is_test, taken in (
            ("running", 300.0, False, None),
            ("waiting", 200.0, False, None),
            ("queued", 100.0, False, None),
            ("running", 90.0, False, None),
            ("succeeded", 80.0, False, 1.0),
            ("running", 70.0, True, None),
        )
    ]
    for run_id, owner_id in (
        (oldest, alive),
        (middle, alive),
        (newest, alive),
        (orphan, dead),
        (ended, alive),
        (test, alive),
    ):
        await past.connection.execute("UPDATE run SET owner = $1 WHERE id = $2", owner_id, UUID(run_id))
    await past.connection.execute("UPDATE worker SET alive = false WHERE id = $1", dead)
    running = (await read(owner))["running"]
    assert [(each["id"], each["status"], each["workflow_name"]) for each in running] == [
        (newest, "queued", "Long"),
        (middle, "waiting", "Long"),
    ]
    assert (await read(await api.sign_in()))["running"] == []
