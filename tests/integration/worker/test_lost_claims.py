"""A crash or a failover of the database takes a claim back that was on no disk yet: no run has two owners for long."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.core.events import event_type
from engine.store.journal import Batch, Committed, OwnedByOther, commit_batch
from engine.worker import flusher as flusher_module
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call

# Nobody is taken for dead on a busy machine.
UNHURRIED = {"worker_ttl_seconds": 120.0}
WHOLE = ["run.queued", "run.started", "step.succeeded", "step.succeeded", "run.succeeded"]


async def lose_claims(pool: asyncpg.Pool, batch: Batch) -> None:
    """What a failover does in which a claim and the commit after it are lost."""
    runs = [change.run_id for change in batch.changes]
    await pool.execute("UPDATE run SET owner = NULL WHERE id = ANY ($1)", runs)
    raise ConnectionResetError("the primary is gone")


async def wait_for_owner(workshop: Workshop, run_id: UUID, worker_id: int) -> None:
    async with asyncio.timeout(30):
        while (await workshop.row(run_id))["owner"] != worker_id:
            await asyncio.sleep(0.01)


async def check_end(workshop: Workshop, run_id: UUID) -> None:
    """It succeeded, by one gapless history, and nobody holds it any more."""
    row = await workshop.wait(run_id, "succeeded", seconds=30)
    assert row["owner"] is None
    assert [kind for kind in await workshop.types(run_id) if kind != "step.started"] == WHOLE


async def test_a_claim_that_was_lost_is_taken_again_with_the_first_commit(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = 0

    async def lossy(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal commits
        commits += 1
        if commits == 1:
            # It claims nothing meanwhile: with its commit alone it gets the run back.
            engine.is_draining = True
            await lose_claims(workshop.pool, batch)
        committed = await commit_batch(connection, worker_id, batch, **how)
        engine.is_draining = False
        return committed

    monkeypatch.setattr(flusher_module, "commit_batch", lossy)
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    engine, _ = await workshop.engine(**UNHURRIED)
    (run_id,) = await workshop.start(workflow)
    await check_end(workshop, run_id)
    assert len(target.requests) == 2


@pytest.mark.parametrize("has_written", [False, True], ids=["before it writes", "after it has written"])
async def test_who_has_lost_a_run_to_another_worker_writes_nothing_of_it(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch, has_written: bool
) -> None:
    lost, written, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pass_on(worker_id: int) -> None:
        """The claim of this worker is lost, and another one claims the run; this one claims nothing more."""
        first.is_draining, second.is_draining = True, False
        async with asyncio.timeout(30):
            while (await workshop.row(run_id))["owner"] != second._lease.worker_id:
                await workshop.pool.execute("UPDATE run SET owner = NULL WHERE owner = $1", worker_id)
                await asyncio.sleep(0.01)
        if has_written:
            await written.wait()
        lost.set()
        raise ConnectionResetError("the primary is gone")

    async def commit(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        if worker_id == second._lease.worker_id:
            if not has_written or written.is_set():
                await refused.wait()
            committed = await commit_batch(connection, worker_id, batch, **how)
            written.set()
            return committed
        if not lost.is_set():
            await pass_on(worker_id)
        with pytest.raises(OwnedByOther) as refusal:
            await commit_batch(connection, worker_id, batch, **how)
        refused.set()
        raise refusal.value

    monkeypatch.setattr(flusher_module, "commit_batch", commit)
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    first, life = await workshop.engine(**UNHURRIED)
    second, _ = await workshop.engine(**UNHURRIED)
    second.is_draining = True
    (run_id,) = await workshop.start(workflow)
    await check_end(workshop, run_id)
    assert refused.is_set()
    assert not life.done(), "it goes on with all else"
    written_by = await workshop.pool.fetch("SELECT DISTINCT worker_id FROM journal WHERE worker_id IS NOT NULL")
    assert [row["worker_id"] for row in written_by] == [second._lease.worker_id]
    assert {event_type(event) for event in await workshop.journal(run_id)}.isdisjoint({"step.failed", "run.failed"})


async def test_a_run_that_is_claimed_anew_by_its_driver_goes_on_with_it(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = 0

    async def lossy(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal commits
        commits += 1
        if commits == 1:
            await lose_claims(workshop.pool, batch)
        if commits == 2:
            # Its own sweep has found it meanwhile.
            await wait_for_owner(workshop, run_id, worker_id)
        return await commit_batch(connection, worker_id, batch, **how)

    monkeypatch.setattr(flusher_module, "commit_batch", lossy)
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    (run_id,) = await workshop.start(workflow)
    await workshop.engine(**UNHURRIED)
    await check_end(workshop, run_id)
    assert len(target.requests) == 2
