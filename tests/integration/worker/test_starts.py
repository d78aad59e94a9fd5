"""Starts that are accepted together: the first of each key wins, and no two batches of them wait in a circle."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec

from engine.infra.bell import CHANNEL
from engine.infra.ids import new_id
from engine.store.journal import Batch, JournalRow, OutboxMessage, commit_batch
from engine.store.starts import Accepted, Start, accept_starts
from tests.integration.worker.conftest import Workshop
from tests.product import PATIENCE_SECONDS

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


async def accept(workshop: Workshop, starts: Sequence[Start], *, rings: bool = False) -> list[Accepted]:
    async with workshop.pool.acquire() as connection:
        return await accept_starts(connection, starts, rings=rings)


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


async def test_a_commit_that_rings_is_heard_and_one_of_nothing_is_not(workshop: Workshop) -> None:
    workflow = await workshop.publish([STEP])
    heard: asyncio.Queue[str] = asyncio.Queue()
    ears = await asyncpg.connect(workshop.settings.database_url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ears.add_listener(CHANNEL, lambda *call: heard.put_nowait(call[3]))
            stale = msgspec.structs.replace(make_start(workshop, workflow, "stale"), version=2)
            assert [outcome.outcome for outcome in await accept(workshop, [stale], rings=True)] == ["stale"]
            starts = [make_start(workshop, workflow, f"key {number}") for number in range(3)]
            starts[0] = msgspec.structs.replace(starts[0], traceparent="00-a-b-01")
            await accept(workshop, [*starts, stale], rings=True)
            # Each run by its name, with its trace, for the relay to ring for it at once.
            names = {await heard.get() for _ in starts}
            assert names == {f"{starts[0].run_id} 00-a-b-01", *(str(start.run_id) for start in starts[1:])}
            row = JournalRow(run_id=starts[0].run_id, seq=2, kind="run.started", at=datetime.now(UTC), payload=b"{}")
            told = OutboxMessage(
                kind="event", workspace_id=workshop.workspace_id, run_id=starts[0].run_id, payload=b"{}"
            )
            batch = Batch(rows=[row], changes=[], messages=[told], inbox_ids=[])
            worker_id = await ears.fetchval("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1) RETURNING id")
            assert heard.empty(), "none of what made no run"
            assert (await commit_batch(ears, worker_id, batch, rings=True)).events == 1
            assert await heard.get() == ""
    finally:
        await ears.close()
