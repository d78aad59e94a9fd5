"""What the timekeeper sees in one look: which suspended runs have become due, and when the next one will be."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from engine.infra.ids import new_id
from engine.store.timers import HELD_UNTIL, look_at_timers
from tests.integration.worker.conftest import Workshop

LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def suspend(workshop: Workshop, wake_at: datetime, *, owner: int | None = None) -> UUID:
    """A run that sleeps until then."""
    run_id = new_id()
    await workshop.pool.execute(
        "INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, owner, wake_at) "
        "VALUES ($1, $2, $2, $2, 1, 'api', 'waiting', $3, $4)",
        run_id,
        workshop.workspace_id,
        owner,
        wake_at,
    )
    return run_id


@pytest.fixture
async def now(workshop: Workshop) -> datetime:
    moment: datetime = await workshop.pool.fetchval("SELECT now()")
    return moment


async def test_what_is_due_comes_with_the_most_overdue_first_and_with_the_next_one(
    workshop: Workshop, now: datetime
) -> None:
    minute = timedelta(minutes=1)
    late, later = await suspend(workshop, now - minute), await suspend(workshop, now - 2 * minute)
    await suspend(workshop, now + 60 * minute)
    await suspend(workshop, now + 90 * minute)
    await suspend(workshop, HELD_UNTIL)
    async with workshop.pool.acquire() as connection:
        look = await look_at_timers(connection, LONG_AGO, 10)
        assert look.due == [(later, now - 2 * minute), (late, now - minute)]
        assert look.next_at == now + 60 * minute
        assert look.now >= now
        assert (await look_at_timers(connection, LONG_AGO, 1)).due == look.due[:1]
        seen = await look_at_timers(connection, now - 1.5 * minute, 10)
        assert (seen.due, seen.next_at) == (look.due[1:], look.next_at)


async def test_where_nothing_is_due_there_is_only_the_next_moment(workshop: Workshop, now: datetime) -> None:
    async with workshop.pool.acquire() as connection:
        empty = await look_at_timers(connection, LONG_AGO, 10)
        assert (empty.due, empty.next_at) == ([], None)
        await suspend(workshop, now + timedelta(hours=1))
        waiting = await look_at_timers(connection, LONG_AGO, 10)
        assert (waiting.due, waiting.next_at) == ([], now + timedelta(hours=1))


async def test_a_run_that_somebody_has_is_not_rung_for(workshop: Workshop, now: datetime) -> None:
    async with workshop.pool.acquire() as connection:
        await add_worker(connection)
        for wake_at in (now - timedelta(hours=1), now + timedelta(hours=1)):
            await suspend(workshop, wake_at, owner=await connection.fetchval("SELECT max(id) FROM worker"))
        look = await look_at_timers(connection, LONG_AGO, 10)
    assert (look.due, look.next_at) == ([], None)


async def add_worker(connection: asyncpg.Connection) -> None:
    await connection.execute("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1)")
