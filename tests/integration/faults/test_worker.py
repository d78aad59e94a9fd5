"""What a worker does beside its journal fails, one statement at a time: no run pays for it."""

import asyncio
from typing import Any

import pytest

from engine.infra.database import DATABASE_ERRORS
from engine.infra.faults import STATEMENT_FAULTS
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.infra.redis import create_redis
from engine.store.inbox import put_message
from engine.worker.engine import Engine
from tests.integration.faults.script import Script
from tests.integration.worker.conftest import Target, Workshop

PATIENCE_SECONDS = 60
REST = "UPDATE run SET owner = NULL, status ="
HAND_BACK = "UPDATE run SET owner = NULL WHERE"
READ_JOURNAL = "FROM journal WHERE run_id = $1 AND seq >"
REGISTER = "INSERT INTO worker"
BEAT = "UPDATE worker SET heartbeat_at"

every_fault = pytest.mark.parametrize("fault", STATEMENT_FAULTS)


def call(target: Target, path: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": path, "type": "http", "with": {"method": "POST", "url": f"{target.url}/{path}"}, **more}


async def until_failed(script: Script) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await script.failed.wait()


@every_fault
async def test_a_run_whose_rest_cannot_be_written_has_its_turn_all_the_same(
    scripted: Script, workshop: Workshop, target: Target, fault: str
) -> None:
    target.gate.clear()
    concurrency = {"key": "one", "limit": 1, "when_full": "queue"}
    workflow = await workshop.publish([call(target)], settings={"concurrency": concurrency})
    await workshop.engine()
    (first,) = await workshop.start(workflow)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await target.arrived.wait()
    # Held for the second time, it has nothing new to journal, and is only put to rest.
    (second,) = await workshop.start(workflow)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "run.held" not in await workshop.types(second) or (await workshop.row(second))["owner"] is not None:
            await asyncio.sleep(0.01)
    scripted.fail_next(fault, REST)
    await workshop.pool.execute("UPDATE run SET wake_at = now() WHERE id = $1", second)
    await until_failed(scripted)
    target.gate.set()
    for run_id in (first, second):
        await workshop.wait(run_id, "succeeded", seconds=PATIENCE_SECONDS)
    assert len(target.requests) == 2


@every_fault
async def test_runs_are_handed_over_at_a_stop_though_the_first_try_fails(
    scripted: Script, workshop: Workshop, target: Target, fault: str
) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call(target)])
    engine, _ = await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await target.arrived.wait()
    scripted.fail_next(fault, HAND_BACK)
    await engine.drain(0)
    assert scripted.failed.is_set()
    row = await workshop.row(run_id)
    assert (row["status"], row["owner"], row["crashes"]) == ("running", None, 0)
    assert await workshop.pool.fetchval("SELECT count(*) FROM worker WHERE alive") == 0


@every_fault
@pytest.mark.parametrize("statement", [REGISTER, BEAT], ids=["registering", "beating"])
async def test_an_incarnation_that_does_not_come_about_leaves_no_session_behind(
    scripted: Script, workshop: Workshop, fault: str, statement: str
) -> None:
    scripted.fail_next(fault, statement)
    async with HttpClient(workshop.settings) as http, create_redis(workshop.settings, name="test") as redis:
        with pytest.raises(DATABASE_ERRORS):
            await Engine(workshop.settings, redis, http).run(asyncio.Event())
    assert scripted.failed.is_set()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flowforge-worker-lease'"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await workshop.pool.fetchval(sessions):
            await asyncio.sleep(0.02)


@every_fault
async def test_a_run_whose_journal_cannot_be_read_anew_is_given_back_and_goes_on(
    scripted: Script, workshop: Workshop, target: Target, fault: str
) -> None:
    await workshop.pool.execute(
        "ALTER TABLE journal ADD CONSTRAINT no_poison CHECK (strpos(encode(payload, 'escape'), 'PO1SON') = 0)"
    )
    try:
        step = {"id": "a", "type": "http", "with": {"method": "GET", "url": f"{target.url}/PO1SON"}}
        workflow = await workshop.publish([step])
        await workshop.engine()
        scripted.fail_next(fault, READ_JOURNAL)
        (run_id,) = await workshop.start(workflow)
        row = await workshop.wait(run_id, "failed", seconds=PATIENCE_SECONDS)
        assert scripted.failed.is_set()
        assert row["error_code"] == "unstorable_result"
    finally:
        await workshop.pool.execute("ALTER TABLE journal DROP CONSTRAINT no_poison")


@every_fault
async def test_a_message_without_effect_that_cannot_be_dropped_at_once_is_dropped_later(
    scripted: Script, workshop: Workshop, target: Target, fault: str
) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call(target)])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await target.arrived.wait()
    scripted.fail_next(fault, "DELETE FROM inbox WHERE id")
    # Of a run that this one never started.
    stray = {"step": "a", "run_id": str(new_id()), "status": "succeeded", "output": None}
    await put_message(workshop.pool, run_id, workshop.workspace_id, "child", stray)
    await until_failed(scripted)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await workshop.pool.fetchval("SELECT count(*) FROM inbox"):
            await asyncio.sleep(0.02)
    target.gate.set()
    await workshop.wait(run_id, "succeeded", seconds=PATIENCE_SECONDS)
    assert len(target.requests) == 1
