"""Starts that are accepted together: the first of each key wins, and no two batches of them wait in a circle."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from engine.infra.ids import new_id
from engine.store.starts import Accepted, Start, accept_starts
from tests.integration.worker.conftest import Workshop

STEP = {"id": "a", "type": "transform", "with": {"values": {}}}


def make_start(workshop: Workshop, workflow: UUID, key: str) -> Start:
    """A start under a key of the workflow's own."""
    return Start(
        run_id=new_id(),
        workspace_id=workshop.workspace_id,
        workflow_id=workflow,
        version_id=workflow,
        version=1,
        trigger_id=None,
        trigger_type="api",
        at=datetime.now(UTC),
        queued=b"{}",
        message=b"{}",
        scope=workflow,
        key=key,
    )


async def accept(workshop: Workshop, starts: Sequence[Start]) -> list[Accepted]:
    async with workshop.pool.acquire() as connection:
        return await accept_starts(connection, starts)


async def test_of_starts_with_one_key_in_a_batch_the_first_is_made(workshop: Workshop) -> None:
    workflow = await workshop.publish([STEP])
    for number in range(10):
        # The last of them has the smallest id.
        starts = [make_start(workshop, workflow, f"key {number}") for _ in range(5)][::-1]
        outcomes = await accept(workshop, starts)
        assert [outcome.run_id for outcome in outcomes] == [starts[0].run_id] * 5
        assert [outcome.is_duplicate for outcome in outcomes] == [False] + [True] * 4


async def test_batches_of_the_same_keys_in_any_order_do_not_wait_for_each_other_in_a_circle(workshop: Workshop) -> None:
    workflow = await workshop.publish([STEP])
    for turn in range(5):
        keys = [f"{turn} {number}" for number in range(200)]
        one = [make_start(workshop, workflow, key) for key in keys]
        two = [make_start(workshop, workflow, key) for key in reversed(keys)]
        # What finds itself in a circle is ended by the server.
        first, second = await asyncio.gather(accept(workshop, one), accept(workshop, two))
        assert [outcome.run_id for outcome in first] == [outcome.run_id for outcome in reversed(second)]
    count = await workshop.pool.fetchval("SELECT count(*) FROM run WHERE workflow_id = $1", workflow)
    assert count == 1000
