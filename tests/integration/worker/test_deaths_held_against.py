"""What a run is held responsible for: deaths of workers that had it, and had not brought it on."""

import asyncio

import pytest

from engine.store.inbox import put_message
from engine.store.leases import declare_dead
from engine.store.runs import claim_runs
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

BEFORE = 2
# Nothing is held against it, and it is known to have been one of several.
RESTED = -1
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


async def test_of_several_that_may_have_killed_their_worker_half_rest_until_one_is_left(workshop: Workshop) -> None:
    begun = [await Graveyard(workshop).open() for _ in range(9)]
    ids = [graveyard.run_id for graveyard in begun]
    suspects, rested = ids, []
    async with workshop.pool.acquire() as connection:
        for left in (4, 2, 1):
            worker = await connection.fetchval(_REGISTER)
            await connection.execute("UPDATE run SET owner = $1 WHERE id = ANY ($2)", worker, suspects)
            assert await declare_dead(connection, worker, 1.0) == len(suspects)
            rows = await connection.fetch("SELECT id, crashes, wake_at > now() AS rests FROM run WHERE owner IS NULL")
            assert {row["crashes"] for row in rows if row["rests"]} == {RESTED}
            rested = [row["id"] for row in rows if row["rests"]]
            suspects = [row["id"] for row in rows if not row["rests"] and row["crashes"] == BEFORE]
            assert (len(suspects), len(suspects) + len(rested)) == (left, len(rows))
        worker = await connection.fetchval(_REGISTER)
        await connection.execute("UPDATE run SET owner = $1 WHERE id = ANY ($2)", worker, suspects)
        await declare_dead(connection, worker, 1.0)
        row = await connection.fetchrow("SELECT crashes, wake_at FROM run WHERE id = $1", suspects[0])
        assert (row["crashes"], row["wake_at"]) == (BEFORE + 1, None), "one that is alone is what it died of"
    assert len(rested) == len(ids) - 1


async def test_one_that_has_rested_may_be_the_one_as_well_as_one_that_went_on(workshop: Workshop) -> None:
    ids = [(await Graveyard(workshop).open()).run_id for _ in range(2)]
    async with workshop.pool.acquire() as connection:
        # Whichever of them is the deadly one: as long as both are lost together, neither is found guilty.
        for _ in range(6):
            worker = await connection.fetchval(_REGISTER)
            await connection.execute("UPDATE run SET owner = $1, wake_at = NULL WHERE id = ANY ($2)", worker, ids)
            assert await declare_dead(connection, worker, 1.0) == len(ids)
            rows = await connection.fetch("SELECT crashes, wake_at > now() AS rests FROM run ORDER BY crashes")
            assert [(row["crashes"], row["rests"]) for row in rows] == [(RESTED, True), (BEFORE, None)]
        # The one that goes on is lost alone, or finds itself among others that nothing is held against.
        (going, _) = await connection.fetch("SELECT id FROM run ORDER BY crashes DESC")
        worker = await connection.fetchval(_REGISTER)
        await connection.execute("UPDATE run SET owner = $1 WHERE id = $2", worker, going["id"])
        await declare_dead(connection, worker, 1.0)
        assert await connection.fetchval("SELECT crashes FROM run WHERE id = $1", going["id"]) == BEFORE + 1


async def test_those_that_have_rested_begin_anew_where_none_went_on_beside_them(workshop: Workshop) -> None:
    ids = [(await Graveyard(workshop).open()).run_id for _ in range(2)]
    async with workshop.pool.acquire() as connection:
        worker = await connection.fetchval(_REGISTER)
        await connection.execute("UPDATE run SET owner = $1, crashes = $2", worker, RESTED)
        await declare_dead(connection, worker, 1.0)
        rows = await connection.fetch("SELECT crashes, wake_at FROM run WHERE id = ANY ($1)", ids)
    assert [tuple(row) for row in rows] == [(1, None), (1, None)]


async def test_who_rests_is_claimed_when_its_time_comes_or_somebody_has_something_for_it(workshop: Workshop) -> None:
    graveyards = [await Graveyard(workshop).open() for _ in range(3)]
    ids = [graveyard.run_id for graveyard in graveyards]
    async with workshop.pool.acquire() as connection:
        worker, living = [await connection.fetchval(_REGISTER) for _ in range(2)]
        await connection.execute("UPDATE run SET owner = $1 WHERE id = ANY ($2)", worker, ids)
        await declare_dead(connection, worker, 1.0)
        resting = [row["id"] for row in await connection.fetch("SELECT id FROM run WHERE wake_at > now()")]
        assert len(resting) == 2
        assert await claim_runs(connection, living, resting, 9) == []
        await put_message(connection, resting[0], workshop.workspace_id, "cancel", {"by": None})
        assert [run.id for run in await claim_runs(connection, living, resting, 9)] == resting[:1]
        await connection.execute("UPDATE run SET wake_at = now() WHERE id = $1", resting[1])
        (claimed,) = await claim_runs(connection, living, resting, 9, on_probation=False)
        assert (claimed.id, claimed.is_on_probation) == (resting[1], False)
        # Nothing is left of its rest: a death now is one in the middle, and not one as it begins.
        assert await connection.fetch("SELECT FROM run WHERE wake_at IS NOT NULL AND id = ANY ($1)", resting) == []


async def test_what_others_own_is_left_to_them(workshop: Workshop) -> None:
    graveyard, other = await Graveyard(workshop).open(), await Graveyard(workshop).open()
    await graveyard.bury()
    row = await workshop.pool.fetchrow("SELECT owner, crashes FROM run WHERE id = $1", other.run_id)
    assert (row["owner"], row["crashes"]) == (other.workers[1], BEFORE)


async def test_a_run_that_went_on_after_a_pause_between_attempts_is_in_the_middle(
    workshop: Workshop, target: Target
) -> None:
    retry = {"max_attempts": 2, "initial": 3, "jitter": False}
    workflow = await workshop.publish([call("a", target, retry=retry), call("b", target, "a")])
    target.status = 503
    await workshop.engine(suspend_after_seconds=0.01)
    (run_id,) = await workshop.start(workflow)
    paused = "UPDATE run SET crashes = 1 WHERE id = $1 AND owner IS NULL AND wake_at IS NOT NULL RETURNING id"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not target.requests or target.in_flight:
            await asyncio.sleep(0.01)
        target.status = 200
        target.gate.clear()
        target.arrived.clear()
        while await workshop.pool.fetchval(paused, run_id) is None:
            await asyncio.sleep(0.01)
        await target.arrived.wait()
        # The second attempt is answered, the next step's first one is not.
        target.arrived.clear()
        target.gate.set()
        target.gate.clear()
        await target.arrived.wait()
    row = await workshop.pool.fetchrow("SELECT status, crashes, wake_at, owner FROM run WHERE id = $1", run_id)
    assert (row["status"], row["crashes"], row["wake_at"]) == ("running", 1, None)
    assert row["owner"] is not None
