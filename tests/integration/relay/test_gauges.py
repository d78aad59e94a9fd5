"""The relay's gauges say what waits in the outbox, whatever keeps it there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec import Struct
from redis.asyncio import Redis

from engine.infra.ids import new_id
from engine.infra.metrics import REGISTRY
from engine.relay import events, loop
from engine.relay.publisher import Publisher
from engine.store.outbox import OutboxRow
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS

TOLD = 6


class Look(Struct, frozen=True):
    """What the gauges said as a batch was about to be published, and what really waited behind it."""

    rows: float
    oldest_seconds: float
    behind: int


def read(name: str) -> float:
    value = REGISTRY.get_sample_value(f"flowforge_{name}")
    assert value is not None
    return value


async def until(has_come: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not has_come():
            await asyncio.sleep(0.01)


@pytest.fixture
async def looks(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Look]]:
    """One for each batch."""
    publish, seen = Publisher.publish, list[Look]()
    connection = await asyncpg.connect(clean_database)

    async def look_and_publish(self: Publisher, rows: Sequence[OutboxRow], **options: Any) -> None:
        behind = await connection.fetchval("SELECT count(*) FROM outbox") - len(rows)
        seen.append(Look(read("outbox_rows"), read("outbox_oldest_seconds"), behind))
        await publish(self, rows, **options)

    monkeypatch.setattr(Publisher, "publish", look_and_publish)
    yield seen
    await connection.close()


async def test_a_storm_that_cuts_batches_is_seen_from_its_first_batch_to_its_last(
    outbox: Outbox, looks: list[Look], start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_HITS", 2)
    # Of all that follows nothing is counted again: what is seen in passing has to do.
    monkeypatch.setattr(loop, "_MEASURE_SECONDS", 3600.0)
    workspace = await Workspace(outbox.connection).open()
    await workspace.add_trigger(await workspace.publish(), "event", {"event": "run.failed"})
    await outbox.connection.execute("INSERT INTO listener_revision (revision) VALUES (1)")
    async with start_relay():
        for _ in range(2):
            looks.clear()
            async with outbox.connection.transaction():
                for _ in range(TOLD):
                    run_id = new_id()
                    told = {"id": f"{run_id}:9", "type": "run.failed", "workflow_id": new_id(), "run_id": run_id}
                    body = msgspec.json.encode({**told, "seq": 9})
                    await outbox.add("event", body, run_id=run_id, workspace_id=workspace.id)
            await outbox.until_empty()
            assert len(looks) >= TOLD // 2
            assert max(look.behind for look in looks) == TOLD - 2
            for look in looks:
                assert look.behind <= look.rows <= TOLD
                assert look.oldest_seconds > 0 or not look.behind
            await until(lambda: read("outbox_rows") == 0)
            assert read("outbox_oldest_seconds") == 0


async def test_who_leads_no_more_says_nothing_of_what_waits(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        await outbox.add()
        async with start_relay():
            await until(lambda: read("outbox_rows") == 1 and read("outbox_oldest_seconds") > 0)
    finally:
        await redis.config_set("maxmemory", "0")
    assert await outbox.count() == 1
    assert (read("outbox_rows"), read("outbox_oldest_seconds")) == (0, 0)
