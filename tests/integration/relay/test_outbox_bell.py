"""The bell of the outbox: few notifications for many rings, none that blocks, and always one after the last ring."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.infra.bell import CHANNEL, OutboxBell
from engine.infra.settings import Settings
from tests.integration.relay.outbox import Outbox
from tests.product import PATIENCE_SECONDS


class Ears:
    """Counts what a relay would hear."""

    def __init__(self) -> None:
        self.count = 0
        self.heard = asyncio.Event()

    def hear(self, *_: object) -> None:
        self.count += 1
        self.heard.set()

    async def wait(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.heard.wait()
        self.heard.clear()


@pytest.fixture
async def ears(clean_database: str) -> AsyncIterator[Ears]:
    ears = Ears()
    connection = await asyncpg.connect(clean_database)
    await connection.add_listener(CHANNEL, ears.hear)
    yield ears
    await connection.close()


@pytest.fixture
async def bell(relay_settings: Settings) -> AsyncIterator[OutboxBell]:
    bell = OutboxBell(relay_settings)
    task = asyncio.create_task(bell.run())
    yield bell
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_many_rings_become_few_notifications(bell: OutboxBell, ears: Ears) -> None:
    for _ in range(1000):
        bell.ring()
    await ears.wait()
    assert ears.count == 1


async def test_a_ring_while_another_is_under_way_is_not_swallowed(bell: OutboxBell, ears: Ears) -> None:
    for _ in range(20):
        bell.ring()
        await asyncio.sleep(0)
        bell.ring()
        await ears.wait()
    before = ears.count
    bell.ring()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while ears.count == before:
            await asyncio.sleep(0.01)


async def test_the_bell_rings_again_after_its_connection_was_killed(
    bell: OutboxBell, ears: Ears, outbox: Outbox
) -> None:
    bell.ring()
    await ears.wait()
    pid = await outbox.connection.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'flowforge-bell' AND datname = current_database()"
    )
    await outbox.end_session(pid)
    bell.ring()
    await ears.wait()


async def test_a_transaction_rings_itself_where_nothing_has_rung_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = OutboxBell(Settings())
    now = 1000.0
    monkeypatch.setattr("engine.infra.bell.monotonic", lambda: now)
    assert bell.may_ring_within()
    assert not bell.may_ring_within(), "many together have one NOTIFY, outside"
    now += 1
    bell.ring()
    assert not bell.may_ring_within()
    now += 1
    assert bell.may_ring_within()


async def test_ringing_without_a_database_neither_blocks_nor_raises() -> None:
    bell = OutboxBell(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    task = asyncio.create_task(bell.run())
    for _ in range(3):
        bell.ring()
        await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
