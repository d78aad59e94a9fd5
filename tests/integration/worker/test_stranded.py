"""Runs that are a dead worker's by whatever fault: somebody finds them, and they go on."""

import asyncio
from uuid import UUID

import pytest

from engine.infra import metrics
from engine.store.leases import free_stranded
from engine.worker import claimer
from tests.integration.worker.conftest import Workshop

GONE = 1_000_000
STEP = {"id": "a", "type": "if", "with": {"condition": "true"}}
_REGISTER = """
INSERT INTO worker (name, host, pid, alive, heartbeat_at)
VALUES ('w', 'h', 1, $1, now() - make_interval(secs => $2)) RETURNING id
"""


async def strand(workshop: Workshop, *, is_alive: bool, silence: float) -> tuple[int, UUID]:
    """A run of a worker that was heard last so long ago."""
    (run_id,) = await workshop.start(await workshop.publish([STEP]))
    worker_id: int = await workshop.pool.fetchval(_REGISTER, is_alive, silence)
    await workshop.pool.execute("UPDATE run SET owner = $1 WHERE id = $2", worker_id, run_id)
    return worker_id, run_id


@pytest.mark.parametrize("is_known", [True, False], ids=["is dead", "is gone"])
async def test_a_run_goes_on_whose_worker_was_not_rid_of_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    monkeypatch.setattr(claimer, "RECONCILE_SECONDS", 0.0)
    worker_id, run_id = await strand(workshop, is_alive=False, silence=3600)
    if not is_known:
        await workshop.pool.execute("DELETE FROM worker WHERE id = $1", worker_id)
    before = metrics.RUNS_STRANDED._value.get()
    await workshop.engine()
    row = await workshop.wait(run_id, "succeeded")
    assert row["owner"] is None
    assert metrics.RUNS_STRANDED._value.get() == before + 1


async def test_many_that_look_at_once_free_a_run_once_and_nobody_elses(workshop: Workshop) -> None:
    stranded, run_id = await strand(workshop, is_alive=False, silence=3600)
    others = [
        # Another one may be about to free these itself.
        await strand(workshop, is_alive=True, silence=3600),
        await strand(workshop, is_alive=False, silence=1),
        await strand(workshop, is_alive=True, silence=1),
    ]
    dispatched = "SELECT count(*) FROM outbox WHERE run_id = $1 AND payload = ''"
    before = await workshop.pool.fetchval(dispatched, run_id)

    async def look() -> int:
        async with workshop.pool.acquire() as connection:
            return (await free_stranded(connection, 60.0)).get(stranded, 0)

    assert sum(await asyncio.gather(*(look() for _ in range(4)))) == 1
    assert await workshop.pool.fetchval(dispatched, run_id) == before + 1
    assert (await workshop.row(run_id))["owner"] is None
    for worker_id, other in others:
        assert (await workshop.row(other))["owner"] == worker_id
    async with workshop.pool.acquire() as connection:
        assert await free_stranded(connection, 60.0) == {}
