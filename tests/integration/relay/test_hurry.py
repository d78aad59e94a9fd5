"""What the NOTIFY of its acceptance names is rung for at once; its rows are read later, and ring no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from engine.infra.broker import BELL_CHANNEL, QUEUE, unpack_ids
from engine.infra.ids import new_id
from engine.infra.metrics import RELAY_FAILURES
from engine.infra.pubsub import Message, Subscriber
from engine.relay import hurry, loop
from engine.store.outbox import OutboxRow, take
from tests.integration.relay.conftest import StartRelay, published
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.stage import listen
from tests.integration.relay.test_awaited_events import until_next
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
LONG = 3 * PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def reads_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn comes by itself in a test's time."""
    monkeypatch.setattr(loop, "POLL_SECONDS", LONG)
    monkeypatch.setattr(loop, "TIDY_SECONDS", LONG)
    monkeypatch.setattr(hurry, "READ_WITHIN_SECONDS", LONG)


class Reading:
    """Reads rows as the relay does, unless it is held back."""

    def __init__(self) -> None:
        self._may_begin = asyncio.Event()
        self._may_begin.set()
        self._under_way = 0

    async def take(self, *arguments: Any) -> list[OutboxRow]:
        await self._may_begin.wait()
        self._under_way += 1
        try:
            return await take(*arguments)
        finally:
            self._under_way -= 1

    async def hold(self) -> None:
        """None begins from now on, and none is under way."""
        self._may_begin.clear()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._under_way:
                await asyncio.sleep(0.001)

    def go_on(self) -> None:
        self._may_begin.set()


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    reading = Reading()
    monkeypatch.setattr(loop, "take", reading.take)
    return reading


@pytest.fixture
async def bells(redis: Redis) -> AsyncIterator[AsyncIterator[Message]]:
    async with contextlib.aclosing(Subscriber(redis, [BELL_CHANNEL]).messages()) as bells:
        await asyncio.wait_for(anext(bells), PATIENCE_SECONDS)
        yield bells


async def accept(outbox: Outbox, traceparent: str | None = None) -> UUID:
    """A dispatch whose own commit names it, as an acceptance that comes alone does."""
    run_id = new_id()
    async with outbox.connection.transaction():
        await outbox.add("dispatch", b'{"n":1}', run_id=run_id, traceparent=traceparent)
        await outbox.notify(" ".join((str(run_id), *filter(None, [traceparent]))))
    return run_id


async def until_leading(outbox: Outbox, bells: AsyncIterator[Message]) -> None:
    """It listens, and has published something. Another turn may follow."""
    first = await outbox.add("dispatch", b"")
    await outbox.notify("")
    job = (await until_next(bells)).job
    assert job is not None
    assert unpack_ids(job.ids) == [first]


def count_refused() -> float:
    """How often Redis has refused the relay something."""
    return sum(
        sample.value
        for metric in RELAY_FAILURES.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels == {"dependency": "redis"}
    )


async def until_published(redis: Redis, count: int = 1) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await published(redis)) < count:
            await asyncio.sleep(0.01)


async def test_it_is_rung_for_before_its_row_is_read(
    outbox: Outbox, redis: Redis, bells: AsyncIterator[Message], start_relay: StartRelay, reading: Reading
) -> None:
    async with start_relay():
        await until_leading(outbox, bells)
        await reading.hold()
        run_id = await accept(outbox, TRACEPARENT)
        bell = await until_next(bells)
        assert bell.job is not None
        assert (unpack_ids(bell.job.ids), bell.job.traceparent) == ([run_id], TRACEPARENT)
        assert not bell.is_awaited
        assert await published(redis) == []
        reading.go_on()


async def test_its_row_is_published_with_the_next_turn_and_rings_no_more(
    outbox: Outbox, redis: Redis, bells: AsyncIterator[Message], start_relay: StartRelay, reading: Reading
) -> None:
    async with start_relay():
        await until_leading(outbox, bells)
        await reading.hold()
        run_id = await accept(outbox)
        await until_next(bells)
        jobs = await redis.zcard(QUEUE)
        other = await outbox.add("dispatch", b"")
        await outbox.notify("")
        reading.go_on()
        job = (await until_next(bells)).job
        assert job is not None
        assert unpack_ids(job.ids) == [other]
        assert await redis.zcard(QUEUE) == jobs + 1
        assert await published(redis) == [b'{"n":1}']
        # Once: whatever dispatches it later rings.
        await outbox.add("dispatch", b"", run_id=run_id)
        await outbox.notify("")
        job = (await until_next(bells)).job
        assert job is not None
        assert unpack_ids(job.ids) == [run_id]


async def test_without_another_turn_its_row_is_read_after_a_while(
    outbox: Outbox,
    redis: Redis,
    bells: AsyncIterator[Message],
    start_relay: StartRelay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hurry, "READ_WITHIN_SECONDS", 0.05)
    async with start_relay():
        await until_leading(outbox, bells)
        await accept(outbox)
        await accept(outbox)
        await until_published(redis, 2)


async def test_its_row_is_read_at_once_where_its_events_are_awaited(
    outbox: Outbox, workspace: Workspace, redis: Redis, bells: AsyncIterator[Message], start_relay: StartRelay
) -> None:
    await listen(workspace, await workspace.publish())
    async with start_relay():
        await until_leading(outbox, bells)
        await accept(outbox)
        assert (await until_next(bells)).is_awaited
        await until_published(redis)


async def test_a_ring_of_long_ago_counts_for_nothing(
    outbox: Outbox,
    bells: AsyncIterator[Message],
    start_relay: StartRelay,
    reading: Reading,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hurry, "HOLDS_SECONDS", 0.0)
    async with start_relay():
        await until_leading(outbox, bells)
        await reading.hold()
        run_id = await accept(outbox)
        for _ in range(2):
            job = (await until_next(bells)).job
            assert job is not None
            assert unpack_ids(job.ids) == [run_id]
            await outbox.notify("")
            reading.go_on()


@pytest.mark.parametrize("payload", ["another release's", "x" * 200])
async def test_what_says_nothing_has_the_rows_read(
    outbox: Outbox, bells: AsyncIterator[Message], start_relay: StartRelay, payload: str
) -> None:
    async with start_relay():
        await until_leading(outbox, bells)
        run_id = await outbox.add("dispatch", b"")
        await outbox.notify(payload)
        job = (await until_next(bells)).job
        assert job is not None
        assert unpack_ids(job.ids) == [run_id]


async def test_where_redis_refuses_the_ring_the_row_is_published_as_ever(
    outbox: Outbox, redis: Redis, bells: AsyncIterator[Message], start_relay: StartRelay
) -> None:
    async with start_relay():
        await until_leading(outbox, bells)
        await redis.config_set("maxmemory", "1")
        try:
            refused = count_refused()
            run_id = await accept(outbox)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while count_refused() == refused:
                    await asyncio.sleep(0.01)
        finally:
            await redis.config_set("maxmemory", "0")
        job = (await until_next(bells)).job
        assert job is not None
        assert unpack_ids(job.ids) == [run_id]
        await until_published(redis)
