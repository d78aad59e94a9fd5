"""Of very many runs that are lost in the middle, again and again, the one that kills its worker is found by halves."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest

from engine.store.leases import declare_dead
from engine.worker.loading import MAX_CRASHES
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

HEALTHY = 60
# The half with the deadly one has 31, 16, 8, 4, 2 and 1. Each time it may be the half that rests, and then come back
# with nothing held against it: two deaths more. Two at first, and one more when it is alone.
MOST_DEATHS = 2 + 6 * (1 + 2) + 1

_UNDER_WAY = "SELECT id FROM run WHERE status IN ('queued', 'running') AND (wake_at IS NULL OR wake_at <= now())"
_WAKE_NEXT = "UPDATE run SET wake_at = now() WHERE wake_at = (SELECT min(wake_at) FROM run WHERE wake_at > now())"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def until_under_way(target: Target, calls: int) -> None:
    await until(lambda: target.in_flight == calls)


async def bury_all(connection: asyncpg.Connection) -> None:
    """As a worker does that has found them silent for long."""
    silent = await connection.fetch(
        "UPDATE worker SET heartbeat_at = now() - interval '1 hour' WHERE alive RETURNING id"
    )
    for worker in silent:
        await declare_dead(connection, worker["id"], 1.0)


@pytest.mark.without_faults("it counts the deaths of workers, and faults end some more")
async def test_one_that_kills_its_worker_among_sixty_others_ends_alone_and_they_succeed(
    workshop: Workshop, target: Target
) -> None:
    target.gate.clear()
    healthy = await workshop.start(await workshop.publish([call("healthy", target)]), HEALTHY)
    (deadly,) = await workshop.start(await workshop.publish([call("deadly", target)]))
    deaths = 0
    async with workshop.pool.acquire() as connection:
        _, life = await workshop.engine()
        while (await workshop.row(deadly))["crashes"] < MAX_CRASHES:
            under_way: set[UUID] = {row["id"] for row in await connection.fetch(_UNDER_WAY)}
            # Nothing else goes on: all of them are in the middle of their one call.
            await until_under_way(target, len(under_way))
            if deadly in under_way:
                life.cancel()
                await asyncio.gather(life, return_exceptions=True)
                deaths += 1
                await until(lambda: not target.in_flight)
                await bury_all(connection)
                _, life = await workshop.engine()
                continue
            # While it rests the others get on, until the time of the next half has come.
            target.gate.set()
            for run_id in under_way:
                await workshop.wait(run_id, "succeeded", "failed")
            target.gate.clear()
            await connection.execute(_WAKE_NEXT)
        assert (await workshop.wait(deadly, "failed", "succeeded"))["error_code"] == "worker_crashed"
        target.gate.set()
        await connection.execute("UPDATE run SET wake_at = now() WHERE wake_at > now()")
    for run_id in healthy:
        assert (await workshop.wait(run_id, "succeeded", "failed"))["status"] == "succeeded"
    assert MAX_CRASHES <= deaths <= MOST_DEATHS
    assert set(target.keys()) == {f"{run_id}:healthy" for run_id in healthy} | {f"{deadly}:deadly"}
