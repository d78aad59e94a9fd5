"""What is sent to a run in the moment in which it is put to rest, or ends."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.infra.bell import OutboxBell
from engine.infra.ids import new_id
from engine.store import inbox as inbox_module
from engine.store.control import retry_runs
from engine.store.inbox import drop_late_messages, put_message
from engine.store.leases import put_to_rest
from engine.worker import engine as engine_module
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

WAIT = {"id": "w", "type": "wait", "with": {"signal": "go"}}


async def lay(workshop: Workshop, run_id: UUID, kind: str, payload: bytes = b"{}") -> int:
    """Put a message where it would lie, had it been accepted just before the run's end."""
    query = "INSERT INTO inbox (run_id, kind, payload) VALUES ($1, $2, $3) RETURNING id"
    inbox_id: int = await workshop.pool.fetchval(query, run_id, kind, payload)
    return inbox_id


async def drop_late(connection: asyncpg.Connection) -> list[int]:
    """The messages that are left once the late ones were dropped."""
    await drop_late_messages(connection)
    return [row["id"] for row in await connection.fetch("SELECT id FROM inbox ORDER BY id")]


@pytest.mark.without_faults("it sends a signal amid one statement")
async def test_a_signal_that_comes_as_its_run_is_put_to_rest_is_told_of_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await workshop.publish([WAIT], output="{{ steps.w.output }}")
    # Nobody looks for runs by themselves.
    engine, _ = await workshop.engine(sweep_seconds=600, suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(workflow)
    await engine.sweep()
    await workshop.wait(run_id, "waiting")
    rung: list[bool] = []
    told: list[int] = []
    monkeypatch.setattr(OutboxBell, "ring", lambda _: rung.append(True))
    give_up = put_to_rest
    counting = "SELECT count(*) FROM outbox WHERE kind = 'dispatch' AND run_id = $1"

    async def send_first(*arguments: Any) -> bool:
        monkeypatch.setattr(engine_module, "put_to_rest", give_up)
        signal = {"name": "go", "payload": 2}
        assert await put_message(workshop.pool, run_id, workshop.workspace_id, "signal", signal) == "waiting"
        # Whoever hears of it finds the run owned, and forgets it.
        await workshop.pool.execute("DELETE FROM outbox WHERE run_id = $1", run_id)
        rung.clear()
        is_due = await give_up(*arguments)
        told.append(await workshop.pool.fetchval(counting, run_id))
        return is_due

    monkeypatch.setattr(engine_module, "put_to_rest", send_first)
    # Of no effect: the run is only looked at, and put to rest as it was.
    decision = {"step": "nobody", "decision": "approved"}
    await put_message(workshop.pool, run_id, workshop.workspace_id, "approval", decision)
    await engine.sweep()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (told and rung):
            await asyncio.sleep(0.01)
    assert told == [1]
    row = await workshop.row(run_id)
    assert (row["owner"], row["status"]) == (None, "waiting")
    await engine.sweep()
    await workshop.wait(run_id, "succeeded")
    assert (await workshop.journal(run_id))[-1].output == 2


@pytest.mark.without_faults("it looks at what one statement does")
async def test_a_run_that_is_put_to_rest_with_nothing_to_read_is_not_told_of(workshop: Workshop) -> None:
    workflow = await workshop.publish([WAIT])
    engine, _ = await workshop.engine(sweep_seconds=600, suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(workflow)
    await engine.sweep()
    await workshop.wait(run_id, "waiting")
    decision = {"step": "nobody", "decision": "approved"}
    await put_message(workshop.pool, run_id, workshop.workspace_id, "approval", decision)
    await workshop.pool.execute("DELETE FROM outbox")
    await engine.sweep()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await workshop.row(run_id))["owner"] is not None or await workshop.pool.fetchval(
            "SELECT count(*) FROM inbox"
        ):
            await asyncio.sleep(0.01)
    assert await workshop.pool.fetch("SELECT kind FROM outbox") == []


async def test_a_signal_that_came_as_its_run_failed_is_there_for_its_retry(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target), {**WAIT, "after": ["a"]}], output="{{ steps.w.output }}")
    await workshop.engine()
    target.status = 404
    (run_id,) = await workshop.start(workflow)
    await workshop.wait(run_id, "failed")
    kept = await lay(workshop, run_id, "signal", b'{"name": "go", "payload": 2}')
    await lay(workshop, run_id, "cancel")
    async with workshop.pool.acquire() as connection:
        assert await drop_late(connection) == [kept]
        target.status = 200
        (retried,) = await retry_runs(connection, [run_id], workshop.workspace_id, by="me", traceparent=None)
    assert retried.is_done
    await workshop.wait(run_id, "succeeded")
    assert (await workshop.journal(run_id))[-1].output == 2
    assert await workshop.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_of_late_signals_the_newest_are_kept_and_none_of_a_run_that_succeeded(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "LATE_SIGNALS", 2)
    workflow = await workshop.publish([WAIT])
    succeeded, failed, cancelled, going = await workshop.start(workflow, 4)
    ending = "UPDATE run SET status = $2, finished_at = now() WHERE id = $1"
    for run_id, status in ((succeeded, "succeeded"), (failed, "failed"), (cancelled, "cancelled")):
        await workshop.pool.execute(ending, run_id, status)
    waiting = await lay(workshop, going, "signal")
    late = [await lay(workshop, run_id, "signal") for run_id in (failed, cancelled, failed, succeeded)]
    newest = await lay(workshop, going, "signal")
    async with workshop.pool.acquire() as connection:
        assert await drop_late(connection) == [waiting, *late[1:3], newest]
        assert await drop_late(connection) == [waiting, *late[1:3], newest]


async def test_late_signals_of_one_workspace_push_out_none_of_another(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "LATE_SIGNALS_OF_EACH", 2)
    quiet, flooding = await workshop.start(await workshop.publish([WAIT]), 2)
    await workshop.pool.execute("UPDATE run SET status = 'failed', finished_at = now()")
    async with workshop.pool.acquire() as connection:
        # Of another workspace, of which there need be no more than its id.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE run SET workspace_id = $1 WHERE id = $2", new_id(), flooding)
        await connection.execute("RESET session_replication_role")
        one = await lay(workshop, quiet, "signal")
        many = [await lay(workshop, flooding, "signal") for _ in range(4)]
        assert await drop_late(connection) == [one, *many[2:]]
        monkeypatch.setattr(inbox_module, "LATE_SIGNALS", 2)
        assert await drop_late(connection) == many[2:]
