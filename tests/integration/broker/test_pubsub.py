"""A subscription says when it takes effect, so that its reader knows from when on it misses nothing."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from cli.chaos.proxy import FaultyProxy
from engine.infra import pubsub
from engine.infra.metrics import RUNS_CLAIMED
from engine.infra.metrics_exchange import collect_metrics, process_name, publish_metrics
from engine.infra.pubsub import Message, Subscriber
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from tests.product import PATIENCE_SECONDS


async def following(messages: AsyncGenerator[Message, None]) -> Message:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(messages)


async def test_the_marker_comes_first_and_then_what_is_published(redis: Redis) -> None:
    subscriber = Subscriber(redis, ["ff:one"], ["ff:run:*"])
    async with contextlib.aclosing(subscriber.messages()) as messages:
        assert await following(messages) == Message("ff:one", None)
        assert await following(messages) == Message("ff:run:*", None)
        await redis.publish("ff:one", b"a")
        await redis.publish("ff:run:7", b"b")
        assert await following(messages) == Message("ff:one", b"a")
        assert await following(messages) == Message("ff:run:7", b"b")


async def test_channels_come_and_go(redis: Redis) -> None:
    subscriber = Subscriber(redis, ["ff:one"])
    async with contextlib.aclosing(subscriber.messages()) as messages:
        await following(messages)
        await subscriber.subscribe("ff:two")
        assert await following(messages) == Message("ff:two", None)
        await subscriber.unsubscribe("ff:one")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await redis.pubsub_numsub("ff:one"))[0][1]:
                await asyncio.sleep(0.01)
        await redis.publish("ff:one", b"unheard")
        await redis.publish("ff:two", b"heard")
        assert await following(messages) == Message("ff:two", b"heard")


async def test_after_a_loss_the_marker_comes_again(redis: Redis, clean_redis: str) -> None:
    async with FaultyProxy(clean_redis) as proxy, create_redis(Settings(redis_url=proxy.url)) as client:
        subscriber = Subscriber(client, ["ff:one"])
        async with contextlib.aclosing(subscriber.messages()) as messages:
            await following(messages)
            await subscriber.subscribe("ff:two")
            await following(messages)
            await proxy.refuse()
            coming = asyncio.create_task(following(messages))
            await asyncio.sleep(0.2)
            await proxy.restore()
            assert {(await coming), (await following(messages))} == {Message("ff:one", None), Message("ff:two", None)}
            await redis.publish("ff:two", b"after")
            assert await following(messages) == Message("ff:two", b"after")


async def test_a_connection_without_sign_of_life_is_replaced(
    redis: Redis, clean_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "_SILENCE_SECONDS", 0.2)
    async with (
        FaultyProxy(clean_redis) as proxy,
        create_redis(Settings(redis_url=proxy.url)) as client,
        contextlib.aclosing(Subscriber(client, ["ff:one"]).messages()) as messages,
    ):
        await following(messages)
        proxy.swallow()
        coming = asyncio.create_task(following(messages))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while proxy.connections < 2:
                await asyncio.sleep(0.02)
        proxy.cut()
        await proxy.restore()
        assert await coming == Message("ff:one", None)


async def test_an_idle_subscription_lives_on(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    # It is asked for a sign of life several times, and has that long to give one.
    monkeypatch.setattr(pubsub, "_SILENCE_SECONDS", 2.0)
    async with contextlib.aclosing(Subscriber(redis, ["ff:one"]).messages()) as messages:
        await following(messages)
        coming = asyncio.create_task(following(messages))
        await asyncio.sleep(4.6)
        await redis.publish("ff:one", b"late")
        assert await coming == Message("ff:one", b"late")


async def test_a_closed_subscription_leaves_no_connection(redis: Redis) -> None:
    async with contextlib.aclosing(Subscriber(redis, ["ff:one"]).messages()) as messages:
        await following(messages)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await redis.pubsub_numsub("ff:one"))[0][1]:
            await asyncio.sleep(0.01)


async def test_the_figures_of_all_processes_are_shown_together(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS_CLAIMED.inc(3)
    publishing = asyncio.create_task(publish_metrics(redis, "worker"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await redis.exists("ff:metrics"):
            await asyncio.sleep(0.01)
    text = (await collect_metrics(redis, "api")).decode()
    assert text.count("# TYPE flowforge_runs_claimed_total counter") == 1
    for role in ("api", "worker"):
        assert f'flowforge_runs_claimed_total{{process="{process_name(role)}"}}' in text
    assert "flowforge_metrics_complete 1.0" in text
    publishing.cancel()
    await redis.delete(f"ff:metrics:{process_name('worker')}")
    text = (await collect_metrics(redis, "api")).decode()
    assert process_name("worker") not in text
    assert not await redis.exists("ff:metrics")


async def test_without_redis_the_process_shows_its_own_figures() -> None:
    async with create_redis(Settings(redis_url="redis://127.0.0.1:1"), retries=0) as client:
        text = (await collect_metrics(client, "api")).decode()
    assert f'process="{process_name("api")}"' in text
    assert "flowforge_metrics_complete 0.0" in text
