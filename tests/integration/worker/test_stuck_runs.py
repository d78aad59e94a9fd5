"""Which runs must not wait for a slot, asked of the database as workers ask it; no worker runs here."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from engine.store.slots import SlotRequest, take_slots
from tests.integration.worker.conftest import Workshop

NOBODY = 0
KEY = "k"


class Line:
    """Runs of one workflow, the oldest first, and what is known of them."""

    def __init__(self, pool: asyncpg.Pool, workflow_id: UUID, runs: Sequence[UUID]) -> None:
        self.pool = pool
        self.workflow_id = workflow_id
        self.runs = runs

    async def hold(self, *numbers: int) -> None:
        """These have slots of the key."""
        await self._set("concurrency_key = 'k', slot_at = now(), status = 'running'", numbers)

    async def wait(self, *numbers: int) -> None:
        """These wait for one."""
        await self._set("concurrency_key = 'k', slot_at = NULL", numbers)

    async def end(self, *numbers: int) -> None:
        """These have ended."""
        await self._set("finished_at = now(), status = 'failed'", numbers)

    async def retry(self, *numbers: int) -> None:
        """Somebody retried these."""
        await self._set("attempt = 2", numbers)

    async def adopt(self, child: int, parent: int) -> None:
        """One started another."""
        await self.pool.execute("UPDATE run SET parent_run_id = $2 WHERE id = $1", self.runs[child], self.runs[parent])

    async def ask(self, *numbers: int, limit: int, when_full: str = "queue") -> dict[int, bool]:
        """Who gets no slot, and whether it must not wait for one."""
        requests = [
            SlotRequest(
                run_id=self.runs[number],
                workflow_id=self.workflow_id,
                key=KEY,
                limit=limit,
                when_full=when_full,
                is_awaited=True,
            )
            for number in numbers
        ]
        async with self.pool.acquire() as connection:
            full = await take_slots(connection, NOBODY, requests)
        return {self.runs.index(run_id): found.is_stuck for run_id, found in full.items()}

    async def _set(self, change: str, numbers: Sequence[int]) -> None:
        ids = [self.runs[number] for number in numbers]
        await self.pool.execute(f"UPDATE run SET {change} WHERE id = ANY ($1)", ids)  # noqa: S608 - our own words


@pytest.fixture
async def line(workshop: Workshop) -> Line:
    workflow_id = await workshop.publish([{"id": "a", "type": "transform", "with": {"values": {}}}])
    return Line(workshop.pool, workflow_id, await workshop.start(workflow_id, 8))


async def test_of_two_that_come_at_once_and_close_a_ring_the_elder_may_wait(line: Line) -> None:
    await line.hold(0, 1)
    await line.adopt(2, 0)
    await line.adopt(3, 1)
    assert await line.ask(2, 3, limit=2) == {2: False, 3: True}


async def test_a_ring_may_be_closed_over_many_generations(line: Line) -> None:
    await line.hold(0, 3)
    for child, parent in ((1, 0), (2, 1), (4, 3), (5, 4)):
        await line.adopt(child, parent)
    await line.wait(2)
    assert await line.ask(5, limit=2) == {5: True}


async def test_who_holds_a_slot_and_waits_for_nobody_ends_some_time(line: Line) -> None:
    await line.hold(0, 1)
    await line.adopt(2, 0)
    assert await line.ask(2, limit=2) == {2: False}
    # So does one whose child has its slot, has ended, or was retried and goes on for itself.
    await line.adopt(3, 1)
    assert await line.ask(2, limit=2) == {2: False}
    await line.wait(3)
    assert await line.ask(2, limit=2) == {2: True}
    await line.retry(3)
    assert await line.ask(2, limit=2) == {2: False}
    await line.adopt(4, 1)
    await line.wait(4)
    await line.end(4)
    assert await line.ask(2, limit=2) == {2: False}


async def test_a_stranger_to_the_ring_is_not_what_closes_it(line: Line) -> None:
    await line.hold(0)
    await line.adopt(1, 0)
    await line.wait(1)
    await line.adopt(3, 2)
    assert await line.ask(3, limit=1) == {3: False}


@pytest.mark.parametrize("when_full", ["drop", "cancel_running"])
async def test_a_rule_by_which_nobody_waits_is_left_to_itself(line: Line, when_full: str) -> None:
    await line.hold(0)
    await line.adopt(1, 0)
    assert await line.ask(1, limit=1, when_full=when_full) == {1: False}
