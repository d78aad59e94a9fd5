"""The hub of live streams through a real Redis: it listens to what somebody follows, and to nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.runs.hub import Hints, Hub
from engine.infra.broker import CHANGES_CHANNEL
from tests.product import PATIENCE_SECONDS

ONE, OTHER = "ff:stream:one", "ff:stream:other"


@pytest.fixture
async def hub(redis: Redis) -> AsyncIterator[Hub]:
    hub = Hub(redis)
    life = asyncio.create_task(hub.run())
    yield hub
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def until_heard_by(redis: Redis, count: int, channel: str = CHANGES_CHANNEL) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await redis.pubsub_numsub(channel))[0][1] != count:
            await asyncio.sleep(0.01)


async def until_told(hints: Hints) -> list[bytes]:
    payloads = await hints.wait(PATIENCE_SECONDS)
    assert payloads
    return payloads


async def test_changes_are_listened_to_while_a_stream_is_followed_and_no_longer(hub: Hub, redis: Redis) -> None:
    for _ in range(3):
        async with contextlib.AsyncExitStack() as followers:
            one = await followers.enter_async_context(hub.listen(ONE, is_channel=False))
            await until_heard_by(redis, 1)
            # The subscription took effect: what came before may have been missed.
            await until_told(one)
            again = await followers.enter_async_context(hub.listen(ONE, is_channel=False))
            async with hub.listen(OTHER, is_channel=False) as other:
                await redis.publish(CHANGES_CHANNEL, OTHER)
                await until_told(other)
            await redis.publish(CHANGES_CHANNEL, ONE)
            await until_told(one)
            await until_told(again)
            await until_heard_by(redis, 1)
        await until_heard_by(redis, 0)


async def test_a_channel_of_its_own_is_left_with_its_last_listener(hub: Hub, redis: Redis) -> None:
    async with hub.listen("ff:run:1", is_channel=True) as first:
        await until_heard_by(redis, 1, "ff:run:1")
        async with hub.listen("ff:run:1", is_channel=True):
            pass
        await redis.publish("ff:run:1", b"hint")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"hint" not in await until_told(first):
                pass
        await until_heard_by(redis, 1, "ff:run:1")
    await until_heard_by(redis, 0, "ff:run:1")
