"""While the database takes its time, what waits is bounded: the one who floods is sent away, and nobody else."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running

WAITING = 50
FLOOD = 400


@pytest.fixture
async def api(
    settings: Settings, clean_database: str, clean_redis: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """The API with little room for starts that wait."""
    monkeypatch.setattr("app.runs.lanes.MAX_WAITING", WAITING)
    async with running(settings) as opened:
        yield opened


async def publish(caller: Caller) -> str:
    definition = {"schema": 1, "steps": [{"id": "t", "type": "transform", "with": {"values": {}}}]}
    created = await caller.client.post("/v1/workflows", json={"name": "w", "definition": definition})
    path = f"/v1/workflows/{created.raise_for_status().json()['id']}"
    (await caller.client.post(f"{path}/publish")).raise_for_status()
    return f"{path}/runs"


async def wait_until_blocked(connection: asyncpg.Connection) -> None:
    statement = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '%api-ingest' AND wait_event_type = 'Lock')
    """
    async with asyncio.timeout(60):
        while not await connection.fetchval(statement):
            await asyncio.sleep(0.01)


def is_busy(answer: httpx.Response) -> bool:
    if answer.status_code == 202:
        return False
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    return True


@pytest.mark.without_faults("its callers are told to come back, and do not, as those do who live with faults")
async def test_a_flood_is_told_to_come_back_and_the_others_are_accepted(api: Api, settings: Settings) -> None:
    flooder, other = await api.sign_in(), await api.sign_in()
    flooded, quiet = await publish(flooder), await publish(other)
    connection = await asyncpg.connect(settings.database_url)
    observer = await asyncpg.connect(settings.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE run IN EXCLUSIVE MODE")
            first = asyncio.create_task(flooder.client.post(flooded, json={}))
            await wait_until_blocked(observer)
            flood = [asyncio.create_task(flooder.client.post(flooded, json={})) for _ in range(FLOOD)]
            async with asyncio.timeout(30):
                while sum(task.done() for task in flood) < FLOOD - WAITING:
                    await asyncio.sleep(0.01)
            refused = [task for task in flood if task.done()]
            assert all(is_busy(task.result()) for task in refused)
            late = asyncio.create_task(other.client.post(quiet, json={}))
            async with asyncio.timeout(60):
                while api.app.state.runs._starter.starts.queue.first(other.workspace_id.int) is None:
                    await asyncio.sleep(0.01)
        answers = await asyncio.wait_for(asyncio.gather(first, late, *flood), 60)
    finally:
        await connection.close()
        await observer.close()
    assert answers[1].status_code == 202
    accepted = sum(not is_busy(answer) for answer in [answers[0], *answers[2:]])
    assert 1 < accepted <= WAITING
    runs = await other.client.get("/v1/runs")
    assert len(runs.json()["items"]) == 1
