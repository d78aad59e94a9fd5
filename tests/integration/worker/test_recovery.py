"""Workers that die, hang, lose answers or stop: others go on, and no transition happens twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import asyncpg
import pytest

from engine.store.journal import Batch, Committed, commit_batch
from engine.store.leases import declare_dead, hand_back_all
from engine.worker import flusher as flusher_module
from engine.worker.flusher import WorkerFenced
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_claims import wait_until_blocked
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS


async def test_a_dead_workers_runs_go_on_elsewhere(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    _, first = await workshop.engine()
    runs = await workshop.start(workflow, 5)
    while len(target.requests) < 5:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    target.gate.set()
    await workshop.engine()
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
        assert (await workshop.types(run_id)).count("step.succeeded") == 2
    # The calls that were in flight are made again, under the same keys.
    keys = Counter(target.keys())
    assert set(keys) == {f"{run_id}:{step}" for run_id in runs for step in "ab"}
    assert all(keys[f"{run_id}:a"] == 2 and keys[f"{run_id}:b"] == 1 for run_id in runs)


async def test_a_frozen_worker_is_fenced_and_writes_nothing_any_more(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call("a", target)])
    frozen, life = await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await asyncio.wait_for(target.arrived.wait(), PATIENCE_SECONDS)
    old = (await workshop.row(run_id))["owner"]
    # It neither beats nor reads, but its call and its flusher live: a zombie.
    monkeypatch.setattr(frozen._lease, "_beat", lambda _connection: asyncio.sleep(60))
    await workshop.engine()
    while (await workshop.row(run_id))["owner"] in (old, None):
        await asyncio.sleep(0.02)
    target.gate.set()
    await workshop.wait(run_id, "succeeded")
    with pytest.raises(WorkerFenced):
        await asyncio.wait_for(life, PATIENCE_SECONDS)
    ends = await workshop.pool.fetch("SELECT worker_id FROM journal WHERE kind LIKE '%.succeeded'")
    assert old not in {row["worker_id"] for row in ends}
    assert (await workshop.types(run_id)).count("step.succeeded") == 1
    assert set(target.keys()) == {f"{run_id}:a"}


@pytest.mark.parametrize("every", [1, 3])
async def test_a_commit_whose_answer_is_lost_is_written_once(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    calls = 0

    async def lossy(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal calls
        calls += 1
        committed = await commit_batch(connection, worker_id, batch, **how)
        if calls % every == 0:
            raise ConnectionResetError("the answer is lost")
        return committed

    monkeypatch.setattr(flusher_module, "commit_batch", lossy)
    workflow = await workshop.publish([call("a", target), call("b", target, "a"), call("c", target, "b")])
    await workshop.engine()
    runs = await workshop.start(workflow, 10)
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
        assert len(await workshop.journal(run_id)) == 6
    assert len(target.requests) == 30


async def test_a_commit_that_failed_is_repeated(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    async def failing(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise asyncpg.AdminShutdownError("terminating connection")
        return await commit_batch(connection, worker_id, batch, **how)

    monkeypatch.setattr(flusher_module, "commit_batch", failing)
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await workshop.wait(run_id, "succeeded")
    assert len(target.requests) == 2


async def test_two_workers_told_of_the_same_runs_drive_each_once(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    one, _ = await workshop.engine(sweep_seconds=60)
    two, _ = await workshop.engine(sweep_seconds=60)
    runs = await workshop.start(workflow, 100)
    for engine in (one, two, one, two):
        await engine.activate(runs)
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
    assert max(Counter(target.keys()).values()) == 1
    assert len(target.requests) == 200


async def test_a_stopping_worker_finishes_what_is_in_flight_and_hands_the_rest_on(
    workshop: Workshop, target: Target
) -> None:
    target.gate.clear()
    busy = await workshop.publish([call("a", target), call("b", target, "a")])
    resting = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 5}}])
    engine, life = await workshop.engine()
    (calling,) = await workshop.start(busy)
    (waiting,) = await workshop.start(resting)
    await asyncio.wait_for(target.arrived.wait(), PATIENCE_SECONDS)
    await workshop.wait(waiting, "waiting")
    draining = asyncio.create_task(engine.drain(5))
    while (await workshop.row(waiting))["owner"] is not None:
        await asyncio.sleep(0.01)
    assert not draining.done()
    target.gate.set()
    await asyncio.wait_for(draining, PATIENCE_SECONDS)
    life.cancel()
    assert [path for path, _ in target.requests] == ["/a"]
    assert (await workshop.row(calling))["owner"] is None
    assert await workshop.types(calling) == ["run.queued", "run.started", "step.succeeded"]
    await workshop.engine()
    for run_id in (calling, waiting):
        await workshop.wait(run_id, "succeeded")
    assert [path for path, _ in target.requests] == ["/a", "/b"]


async def test_a_run_that_kills_its_worker_three_times_ends_failed(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call("a", target)])
    (run_id,) = await workshop.start(workflow)
    for deaths in range(1, 4):
        _, life = await workshop.engine(worker_ttl_seconds=2.0)
        while len(target.requests) < deaths:
            await asyncio.sleep(0.01)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    _ = await workshop.engine()
    row = await workshop.wait(run_id, "failed")
    assert row["error_code"] == "worker_crashed"
    (good,) = await workshop.start(await workshop.publish([{"id": "a", "type": "if", "with": {"condition": "true"}}]))
    await workshop.wait(good, "succeeded")


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def bury(connection: asyncpg.Connection, worker_id: int) -> int | None:
    return await declare_dead(connection, worker_id, 1.0)


@pytest.mark.parametrize("end", [bury, hand_back_all], ids=["is buried", "hands its runs back"])
async def test_what_a_worker_claims_as_it_ends_is_freed_too(
    workshop: Workshop, end: Callable[[asyncpg.Connection, int], Coroutine[Any, Any, int | None]]
) -> None:
    workflow = await workshop.publish([{"id": "a", "type": "if", "with": {"condition": "true"}}])
    (run_id,) = await workshop.start(workflow)
    worker_id = await workshop.pool.fetchval(
        "INSERT INTO worker (name, host, pid, heartbeat_at) VALUES ('w', 'h', 1, now() - interval '1 h') RETURNING id"
    )
    async with workshop.pool.acquire() as claimer, workshop.pool.acquire() as other:
        async with claimer.transaction():
            await claimer.execute("SELECT FROM worker WHERE id = $1 FOR SHARE", worker_id)
            ending = asyncio.create_task(end(other, worker_id))
            await wait_until_blocked(claimer, other.get_server_pid())
            await claimer.execute("UPDATE run SET owner = $1 WHERE id = $2", worker_id, run_id)
        assert await ending == 1
    assert (await workshop.row(run_id))["owner"] is None
    assert not await workshop.pool.fetchval("SELECT alive FROM worker WHERE id = $1", worker_id)


class Turnstile(asyncio.Event):
    """A gate that lets one request through for each time it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self._places = asyncio.Semaphore(0)

    def open(self) -> None:
        self._places.release()

    async def wait(self) -> Literal[True]:
        return self.is_set() or await self._places.acquire()


async def test_deaths_of_workers_that_brought_a_run_on_are_not_held_against_it(
    workshop: Workshop, target: Target
) -> None:
    target.gate = turnstile = Turnstile()
    steps = [call(step, target, *"abcdef"[place - 1 : place]) for place, step in enumerate("abcdef")]
    (run_id,) = await workshop.start(await workshop.publish(steps))
    for _ in range(5):
        target.requests.clear()
        _, life = await workshop.engine(worker_ttl_seconds=2.0)
        await wait_until(lambda: len(target.requests) == 1)
        turnstile.open()
        await wait_until(lambda: len(target.requests) == 2)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await wait_until(lambda: target.in_flight == 0)
    turnstile.set()
    _ = await workshop.engine()
    row = await workshop.wait(run_id, "succeeded")
    assert row["crashes"] == 1


async def test_lost_connections_are_replaced(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    _, life = await workshop.engine()
    runs: list[Any] = []
    for _ in range(5):
        runs += await workshop.start(workflow, 4)
        await workshop.pool.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'flowforge-worker%' AND datname = current_database()
            """
        )
        await asyncio.sleep(0.1)
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
    assert not life.done()
    assert max(Counter(target.keys()).values()) == 1
