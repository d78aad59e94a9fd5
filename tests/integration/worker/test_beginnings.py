"""Runs that are lost with their worker before anything of them is committed: one of them may be what it died of."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from engine.infra import metrics
from engine.store.inbox import put_message
from engine.store.leases import declare_dead
from engine.store.runs import claim_runs
from engine.worker import probation as probation_module
from tests.integration.worker.conftest import Workshop
from tests.product import PATIENCE_SECONDS

STEP = {"id": "a", "type": "if", "with": {"condition": "true"}}


async def register(connection: asyncpg.Connection) -> int:
    """A worker that was heard last an hour ago."""
    statement = "INSERT INTO worker (name, host, pid, heartbeat_at) VALUES ('w', 'h', 1, now() - interval '1 h')"
    worker_id: int = await connection.fetchval(f"{statement} RETURNING id")
    return worker_id


async def claim(connection: asyncpg.Connection, worker_id: int, runs: Sequence[UUID], *, probation: bool) -> set[UUID]:
    """Which of these a worker gets."""
    return {run.id for run in await claim_runs(connection, worker_id, runs, 100, on_probation=probation)}


async def count(connection: asyncpg.Connection, runs: Sequence[UUID]) -> list[int]:
    """How many deaths are held against each of these."""
    found = {row["id"]: row["crashes"] for row in await connection.fetch("SELECT id, crashes FROM run")}
    return [found[run_id] for run_id in runs]


async def test_whoever_is_lost_as_it_begins_again_is_what_its_worker_died_of(workshop: Workshop) -> None:
    runs = await workshop.start(await workshop.publish([STEP]), 4)
    async with workshop.pool.acquire() as connection:
        for deaths in (1, 2):
            worker_id = await register(connection)
            assert await claim(connection, worker_id, runs[:3], probation=True) == set(runs[:3]), "all at once"
            await declare_dead(connection, worker_id, 1.0)
            assert await count(connection, runs) == [deaths, deaths, deaths, 0], "it was one of these"
        for deaths in (3, 4):
            worker_id = await register(connection)
            assert await claim(connection, worker_id, runs, probation=True) == {runs[0], runs[3]}, "one of those lost"
            assert await claim(connection, worker_id, runs, probation=False) == set(), "and no other beside it"
            await declare_dead(connection, worker_id, 1.0)
            assert await count(connection, runs) == [deaths, 2, 2, 0], "it was that one"


@pytest.mark.parametrize("is_due", [True, False], ids=["its time has come", "a message has come"])
async def test_a_run_that_was_to_go_on_after_a_wait_is_known_by_its_row(workshop: Workshop, is_due: bool) -> None:
    resumed, waiting = await workshop.start(await workshop.publish([STEP]), 2)
    rest = "UPDATE run SET status = 'waiting', wake_at = now() + interval '1 day' * $2 WHERE id = $1"
    await workshop.pool.execute(rest, resumed, -1 if is_due else 1)
    await workshop.pool.execute(rest, waiting, 1)
    if not is_due:
        await put_message(workshop.pool, resumed, workshop.workspace_id, "signal", {"name": "go"})
    async with workshop.pool.acquire() as connection:
        for deaths in (1, 2, 3):
            worker_id = await register(connection)
            assert await claim(connection, worker_id, [resumed], probation=True) == {resumed}
            # This one waits in the worker's memory.
            await connection.execute("UPDATE run SET owner = $1 WHERE id = $2", worker_id, waiting)
            await declare_dead(connection, worker_id, 1.0)
            assert await count(connection, [resumed, waiting]) == [deaths, 0]


async def test_what_a_run_was_waiting_for_in_memory_may_be_what_killed_its_worker(workshop: Workshop) -> None:
    due, addressed, waiting = runs = await workshop.start(await workshop.publish([STEP]), 3)
    async with workshop.pool.acquire() as connection:
        worker_id = await register(connection)
        hold = "UPDATE run SET status = 'waiting', owner = $1, wake_at = now() + interval '1 hour' * $3 WHERE id = $2"
        for run_id, hours in ((due, -1), (addressed, 1), (waiting, 1)):
            await connection.execute(hold, worker_id, run_id, hours)
        await put_message(connection, addressed, workshop.workspace_id, "signal", {"name": "go"})
        await declare_dead(connection, worker_id, 1.0)
        assert await count(connection, runs) == [1, 1, 0]


async def test_runs_that_were_lost_as_they_began_begin_one_by_one_without_delay(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probation_module, "LONGEST_SECONDS", 3600.0)
    runs = await workshop.start(await workshop.publish([STEP]), 30)
    await workshop.pool.execute("UPDATE run SET crashes = 2")
    claimed = metrics.RUNS_CLAIMED._value.get()
    # One sweep at its start, and none before the test has given up.
    engine, _ = await workshop.engine(sweep_seconds=3600.0)
    await engine.activate(runs)
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
    assert metrics.RUNS_CLAIMED._value.get() == claimed + 30
    assert await workshop.pool.fetchval("SELECT count(*) FROM run WHERE crashes = 2") == 30


async def test_a_run_that_only_waits_on_after_it_was_resumed_is_not_lost_with_its_next_worker(
    workshop: Workshop,
) -> None:
    steps = [
        {"id": "go", "type": "wait", "with": {"signal": "go"}},
        {"id": "pause", "type": "delay", "with": {"seconds": 3600}},
    ]
    in_memory = {"suspend_after_seconds": 7200.0}
    (run_id,) = await workshop.start(await workshop.publish(steps))

    async def signal(name: str) -> None:
        await put_message(workshop.pool, run_id, workshop.workspace_id, "signal", {"name": name})

    async def until_written(kind: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while kind not in await workshop.types(run_id):
                await asyncio.sleep(0.01)

    _, life = await workshop.engine(**in_memory)
    await until_written("run.waiting")
    for name in ("other", "go"):
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await workshop.pool.execute("UPDATE run SET crashes = 1 WHERE id = $1", run_id)
        await signal(name)
        _, life = await workshop.engine(**in_memory)
        await until_written("run.signalled" if name == "other" else "step.succeeded")
        row = await workshop.row(run_id)
        assert (row["status"], row["wake_at"] is None, row["crashes"]) == ("waiting", False, 0)
