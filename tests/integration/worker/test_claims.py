"""A claim takes a run with its whole journal, whatever others do to it at the same moment."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.core.events import StepSucceeded
from engine.store.control import retry_runs
from engine.store.inbox import put_message
from engine.store.journal import Batch, Committed, commit_batch
from engine.store.runs import claim_runs
from engine.worker import flusher as flusher_module
from engine.worker.children import ChildStarter
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call

FAIL = {"id": "no", "type": "fail", "with": {"message": "no"}}


async def register(connection: asyncpg.Connection) -> int:
    """A worker of which nothing but its row exists."""
    statement = "INSERT INTO worker (name, host, pid) VALUES ('other', 'here', 1) RETURNING id"
    worker_id: int = await connection.fetchval(statement)
    return worker_id


async def wait_until_blocked(connection: asyncpg.Connection, pid: int) -> None:
    """Until the statement of another connection waits for a lock: it has its snapshot by then."""
    deadline = asyncio.get_running_loop().time() + 10
    while not await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):
        assert asyncio.get_running_loop().time() < deadline, "the statement waits for nothing"
        await asyncio.sleep(0.005)


async def end(workshop: Workshop, run_id: UUID) -> None:
    """A worker drives the run to its failure, and is gone."""
    _, life = await workshop.engine()
    await workshop.wait(run_id, "failed")
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def test_a_claim_that_began_before_a_retry_leaves_the_run_to_the_next_one(workshop: Workshop) -> None:
    (run_id,) = await workshop.start(await workshop.publish([FAIL]))
    await end(workshop, run_id)
    async with workshop.pool.acquire() as claiming, workshop.pool.acquire() as other:
        worker_id = await register(other)
        beating = other.transaction()
        await beating.start()
        await other.execute("UPDATE worker SET heartbeat_at = now() WHERE id = $1", worker_id)
        claim = asyncio.create_task(claim_runs(claiming, worker_id, [run_id], 10))
        async with workshop.pool.acquire() as connection:
            await wait_until_blocked(connection, claiming.get_server_pid())
            async with connection.transaction():
                (outcome,) = await retry_runs(
                    connection, [run_id], workshop.workspace_id, by="somebody", traceparent=None
                )
        assert outcome.is_done
        await beating.commit()
        # Its journal would have ended before the retry.
        assert await claim == []
        (claimed,) = await claim_runs(claiming, worker_id, [run_id], 10)
    assert b"run.retried" in claimed.journal[-1][1]


async def test_a_retry_that_waited_for_another_one_does_nothing(workshop: Workshop) -> None:
    (run_id,) = await workshop.start(await workshop.publish([FAIL]))
    await end(workshop, run_id)
    place = workshop.workspace_id
    async with workshop.pool.acquire() as first, workshop.pool.acquire() as second:
        earlier, later = first.transaction(), second.transaction()
        await earlier.start()
        await later.start()
        (done,) = await retry_runs(first, [run_id], place, by="a", traceparent=None)
        waiting = asyncio.create_task(retry_runs(second, [run_id], place, by="b", traceparent=None))
        await wait_until_blocked(first, second.get_server_pid())
        await earlier.commit()
        (refused,) = await waiting
        await later.commit()
    assert (done.is_done, refused.is_done, refused.status) == (True, False, "queued")
    assert (await workshop.types(run_id)).count("run.retried") == 1


async def test_a_retry_is_not_dated_before_the_end_that_it_undoes(workshop: Workshop) -> None:
    (run_id,) = await workshop.start(await workshop.publish([FAIL]))
    await end(workshop, run_id)
    # The worker's clock was ahead of the database's.
    await workshop.pool.execute("UPDATE journal SET at = at + interval '1 hour' WHERE kind = 'run.failed'")
    async with workshop.pool.acquire() as connection, connection.transaction():
        await retry_runs(connection, [run_id], workshop.workspace_id, by="a", traceparent=None)
    failed, retried = await workshop.pool.fetch("SELECT kind, at FROM journal ORDER BY seq DESC LIMIT 2")
    assert {failed["kind"], retried["kind"]} == {"run.failed", "run.retried"}
    assert failed["at"] == retried["at"]


async def test_one_claim_takes_all_that_lies_in_the_inbox_of_a_suspended_run(workshop: Workshop) -> None:
    waits = [{"id": f"wait{n}", "type": "wait", "with": {"signal": "go"}} for n in range(20)]
    (run_id,) = await workshop.start(await workshop.publish(waits))
    _, life = await workshop.engine()
    await workshop.wait(run_id, "waiting")
    while (await workshop.row(run_id))["owner"] is not None:
        await asyncio.sleep(0.01)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    for number in range(20):
        await put_message(workshop.pool, run_id, workshop.workspace_id, "signal", {"name": "go", "payload": number})
    # This one looks for runs once, and then not before the test has given up.
    engine, _ = await workshop.engine(sweep_seconds=60)
    await engine.sweep()
    await workshop.wait(run_id, "succeeded")
    taken = [event.output for event in await workshop.journal(run_id) if isinstance(event, StepSucceeded)]
    assert taken == list(range(20))


async def test_a_run_that_is_claimed_anew_before_its_end_is_known_to_be_durable_is_kept(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.status = 404
    (run_id,) = await workshop.start(await workshop.publish([call("a", target)]))
    engine, _ = await workshop.engine()
    is_lost = False

    async def lossy(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal is_lost
        committed = await commit_batch(connection, worker_id, batch, **how)
        if is_lost or not any(change.finished_at for change in batch.changes):
            return committed
        is_lost, target.status = True, 200
        target.gate.clear()
        async with workshop.pool.acquire() as other, other.transaction():
            await retry_runs(other, [run_id], workshop.workspace_id, by="somebody", traceparent=None)
        while run_id not in engine._drivers:
            await asyncio.sleep(0.01)
        raise ConnectionResetError("the answer is lost")

    monkeypatch.setattr(flusher_module, "commit_batch", lossy)
    while len(target.requests) < 2:
        await asyncio.sleep(0.01)
    async with workshop.pool.acquire() as connection:
        await engine._reconcile(connection)
    assert (await workshop.row(run_id))["owner"] is not None, "it was given back while it is driven"
    target.gate.set()
    row = await workshop.wait(run_id, "succeeded")
    assert (is_lost, row["attempt"], len(target.requests)) == (True, 2, 2)
    assert (await workshop.types(run_id)).count("run.started") == 2


async def test_a_child_that_ended_before_its_parent_could_know_of_it_is_heard_of_all_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = await workshop.publish([{"id": "a", "type": "transform", "with": {"values": {"n": 7}}}], output="done")
    step = {"id": "sub", "type": "workflow", "with": {"workflow_id": str(child)}}
    (run_id,) = await workshop.start(await workshop.publish([step], output="{{ steps.sub.output }}"))
    start = ChildStarter.start

    async def start_and_stall(*arguments: Any) -> None:
        await start(*arguments)
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        # The worker dies when the child exists and the parent's journal does not have it yet.
        patched.setattr(ChildStarter, "start", start_and_stall)
        _, life = await workshop.engine()
        ended = "SELECT id FROM run WHERE parent_run_id = $1 AND finished_at IS NOT NULL"
        while not await workshop.pool.fetch(ended, run_id):
            await asyncio.sleep(0.01)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    await workshop.engine()
    await workshop.wait(run_id, "succeeded")
    assert (await workshop.journal(run_id))[-1].output == "done"
    assert len(await workshop.pool.fetch("SELECT FROM run WHERE parent_run_id = $1", run_id)) == 1
