"""What a run is held responsible for: deaths of workers that had it, and had not brought it on."""

import pytest

from engine.store.leases import declare_dead
from tests.integration.worker.conftest import Workshop

BEFORE = 2
STEP = {"id": "a", "type": "if", "with": {"condition": "true"}}
_REGISTER = """
INSERT INTO worker (name, host, pid, heartbeat_at) VALUES ('w', 'h', 1, now() - interval '1 hour') RETURNING id
"""
_WRITE = """
INSERT INTO journal (run_id, seq, kind, at, payload, worker_id)
SELECT $1, (SELECT max(seq) FROM journal WHERE run_id = $1) + number, $2, now(), '{}', $3
FROM generate_series(1, $4) AS number
"""


class Graveyard:
    """A run that one worker had after another, and those workers."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    async def open(self) -> "Graveyard":
        (self.run_id,) = await self.workshop.start(await self.workshop.publish([STEP]))
        self.workers: list[int] = [await self.workshop.pool.fetchval(_REGISTER) for _ in range(2)]
        await self.workshop.pool.execute(
            "UPDATE run SET status = 'running', crashes = $2, owner = $3 WHERE id = $1",
            self.run_id,
            BEFORE,
            self.workers[1],
        )
        return self

    async def write(self, worker: int, kind: str, count: int) -> None:
        """So many events of a kind, by the first or the second of the workers."""
        await self.workshop.pool.execute(_WRITE, self.run_id, kind, self.workers[worker], count)

    async def bury(self) -> int:
        """Have the last worker declared dead; how many deaths are then held against the run."""
        async with self.workshop.pool.acquire() as connection:
            assert await declare_dead(connection, self.workers[1], 1.0) == 1
        row = await self.workshop.pool.fetchrow("SELECT owner, crashes FROM run WHERE id = $1", self.run_id)
        assert row["owner"] is None
        crashes: int = row["crashes"]
        return crashes


@pytest.mark.parametrize(
    ("events", "crashes"),
    [
        pytest.param([], BEFORE + 1, id="it wrote nothing"),
        pytest.param([(1, "step.started", 3)], BEFORE + 1, id="it began"),
        pytest.param([(1, "step.succeeded", 1)], 1, id="it has done a step"),
        pytest.param([(1, "step.retrying", 1), (1, "step.started", 500)], 1, id="and began very many after it"),
        pytest.param([(0, "step.succeeded", 9), (1, "step.started", 500)], BEFORE + 1, id="only the one before it had"),
        pytest.param(
            [(1, "step.succeeded", 1), (0, "step.started", 1), (1, "step.started", 1)], BEFORE + 1, id="in another life"
        ),
    ],
)
async def test_a_death_is_held_against_a_run_unless_the_worker_has_done_a_step_of_it(
    workshop: Workshop, events: list[tuple[int, str, int]], crashes: int
) -> None:
    graveyard = await Graveyard(workshop).open()
    for worker, kind, count in events:
        await graveyard.write(worker, kind, count)
    assert await graveyard.bury() == crashes


async def test_a_run_that_waits_is_held_responsible_for_no_death(workshop: Workshop) -> None:
    graveyard = await Graveyard(workshop).open()
    await workshop.pool.execute("UPDATE run SET status = 'waiting' WHERE id = $1", graveyard.run_id)
    assert await graveyard.bury() == BEFORE


async def test_what_others_own_is_left_to_them(workshop: Workshop) -> None:
    graveyard, other = await Graveyard(workshop).open(), await Graveyard(workshop).open()
    await graveyard.bury()
    row = await workshop.pool.fetchrow("SELECT owner, crashes FROM run WHERE id = $1", other.run_id)
    assert (row["owner"], row["crashes"]) == (other.workers[1], BEFORE)
