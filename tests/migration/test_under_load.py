"""Code that was started before a migration goes on while it is made, and after it.

Runs are started as that code does it. The worker's statements are those of the release before: none of them names a
partition, or a column that came later.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from cli.migrations import current_revision, head, migrate
from engine.core.queueing import make_queued_event
from engine.infra.database import create_pool
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.worker.conftest import Workshop
from tests.product import PATIENCE_SECONDS, on_this_machine

# What a person at the API would call an outage, on a machine that has nothing else to do.
LONGEST_SECONDS = 3.0
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
STEPS = [
    {"id": "first", "type": "transform", "with": {"values": {"number": 1}}},
    {"id": "pause", "type": "delay", "with": {"seconds": 0.2}, "after": ["first"]},
    {"id": "second", "type": "transform", "with": {"values": {"number": 2}}, "after": ["pause"]},
]


START = """
WITH started AS (
    INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status)
    SELECT id, $2, $3, $3, 1, 'api', 'queued' FROM unnest($1::uuid[]) AS id RETURNING id
)
INSERT INTO journal (run_id, seq, kind, at, payload) SELECT id, 1, 'run.queued', $4, $5 FROM started
"""


async def start(workshop: Workshop, workflow: UUID, count: int = 1) -> list[UUID]:
    """Accept runs as the release before the migration did."""
    at = datetime.now(UTC)
    queued = make_queued_event(
        at=at,
        trigger={"type": "api"},
        run_input={},
        workflow_id=workflow,
        workflow_name="w",
        version=1,
        traceparent=None,
    )
    run_ids = [new_id() for _ in range(count)]
    await workshop.pool.execute(START, run_ids, workshop.workspace_id, workflow, at, queued)
    return run_ids


@pytest.fixture
async def workshop(older: Settings, clean_redis: str) -> AsyncIterator[Workshop]:
    settings = msgspec.structs.replace(older, secret_key=KEY, redis_url=clean_redis, sweep_seconds=0.1)
    pool = await create_pool(settings, name="test", size=4)
    await pool.execute("DELETE FROM run")
    place = Workshop(settings, pool)
    yield place
    await place.close()
    await pool.close()


async def test_runs_go_on_while_the_database_is_migrated(workshop: Workshop) -> None:
    workflow = await workshop.publish(STEPS)
    await workshop.engine()
    await workshop.engine()
    started: list[object] = []
    longest = 0.0
    stop = asyncio.Event()

    async def keep_starting() -> None:
        nonlocal longest
        while not stop.is_set():
            moment = time.monotonic()
            started.extend(await start(workshop, workflow, 3))
            longest = max(longest, time.monotonic() - moment)
            await asyncio.sleep(0.01)

    starting = asyncio.create_task(keep_starting())
    await workshop.wait((await start(workshop, workflow))[0], "succeeded")
    assert await asyncio.to_thread(migrate, workshop.settings)
    assert await current_revision(workshop.settings) == head()
    await workshop.wait((await start(workshop, workflow))[0], "succeeded")
    stop.set()
    await starting
    assert len(started) > 10
    assert longest < on_this_machine(LONGEST_SECONDS)
    unfinished = "SELECT count(*) FROM run WHERE id = ANY ($1) AND status <> 'succeeded'"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await workshop.pool.fetchval(unfinished, started):
        assert time.monotonic() < deadline, "runs are stuck"
        await asyncio.sleep(0.05)
    events = await workshop.pool.fetch(
        "SELECT run_id, array_agg(kind ORDER BY seq) AS kinds FROM journal WHERE run_id = ANY ($1) GROUP BY run_id",
        started,
    )
    assert len(events) == len(started)
    assert len({tuple(row["kinds"]) for row in events}) == 1, "every run had the same history, each step once"
    assert await workshop.pool.fetchval("SELECT count(*) FROM run_default") == 0
