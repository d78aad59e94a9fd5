"""Nothing committed is lost, and the order holds, whatever PostgreSQL, Redis or another relay do."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from cli.chaos.proxy import FaultyProxy
from engine.infra.settings import Settings
from engine.relay import listener, loop
from engine.relay.listener import Session
from engine.relay.publisher import Publisher
from engine.store.outbox import OutboxRow
from tests.integration.relay.conftest import StartRelay, published
from tests.integration.relay.outbox import Outbox
from tests.product import PATIENCE_SECONDS, TRIES, idle_in_time

TAKEOVER_SECONDS = 2.0


def first_times(payloads: list[bytes]) -> list[bytes]:
    return list(dict.fromkeys(payloads))


async def test_a_row_is_published_at_the_bell_long_before_the_poll(
    outbox: Outbox, redis: Redis, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "POLL_SECONDS", 60.0)
    async with start_relay():
        await outbox.leader()
        for _ in range(3):
            await outbox.add()
            await outbox.connection.execute("NOTIFY flowforge_outbox")
            await outbox.until_empty()


async def test_a_row_without_a_bell_is_found_by_polling(outbox: Outbox, start_relay: StartRelay) -> None:
    async with start_relay():
        await outbox.leader()
        await asyncio.sleep(0.2)
        await outbox.add()
        await outbox.until_empty()


async def test_one_relay_leads_and_the_other_takes_over_when_it_stops(outbox: Outbox, start_relay: StartRelay) -> None:
    async with start_relay() as first:
        leader = await outbox.leader()
        async with start_relay():
            await asyncio.sleep(0.7)
            assert await outbox.leaders() == [leader]
            first.stop()
            await outbox.leader(other_than=leader)
            await outbox.add()
            await outbox.until_empty()


async def test_the_standby_takes_over_when_the_leaders_session_is_killed(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    async with start_relay(), start_relay():
        leader = await outbox.leader()
        await outbox.add_numbered(2000)
        # Each try is one more leader that is lost: it is soon enough if one of them is replaced in time.
        taken: list[float] = []
        while not taken or taken[-1] >= TAKEOVER_SECONDS:
            assert len(taken) < TRIES, f"takeovers took {taken}"
            began = time.monotonic()
            await outbox.end_session(leader)
            leader = await outbox.leader(other_than=leader)
            taken.append(time.monotonic() - began)
        await outbox.until_empty()
    assert first_times(await published(redis)) == [b"%d" % n for n in range(1, 2001)]


async def test_a_lost_session_is_noticed_and_the_bell_heard_again(
    outbox: Outbox, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "POLL_SECONDS", 60.0)
    async with start_relay():
        leader = await outbox.leader()
        await outbox.end_session(leader)
        await outbox.leader(other_than=leader)
        await outbox.add()
        await outbox.connection.execute("NOTIFY flowforge_outbox")
        await outbox.until_empty()


async def test_a_relay_that_freezes_gives_the_lock_up(
    outbox: Outbox, relay_settings: Settings, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = await Session.open(relay_settings, idle_session_timeout="1000")
    assert await frozen.try_lead()
    async with start_relay():
        await outbox.add()
        await outbox.until_empty()
    assert await frozen.rest(PATIENCE_SECONDS), "the alarm rings for the end of the session"
    await frozen.close()


async def test_a_database_that_does_not_answer_is_given_up_and_found_again(
    outbox: Outbox, relay_settings: Settings, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (listener, loop):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    async with (
        FaultyProxy(relay_settings.database_url) as proxy,
        start_relay(msgspec.structs.replace(relay_settings, database_url=proxy.url)),
    ):
        leader = await outbox.leader()
        proxy.swallow()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while proxy.connections < 2:
                await asyncio.sleep(0.02)
        proxy.cut()
        await proxy.restore()
        await outbox.leader(other_than=leader)
        await outbox.add()
        await outbox.until_empty()


async def test_rows_wait_while_redis_is_away_and_leave_when_it_is_back(
    outbox: Outbox, redis: Redis, relay_settings: Settings, start_relay: StartRelay
) -> None:
    async with (
        FaultyProxy(relay_settings.redis_url) as proxy,
        start_relay(msgspec.structs.replace(relay_settings, redis_url=proxy.url)),
    ):
        await outbox.add("event", b"0")
        await outbox.until_empty()
        await proxy.refuse()
        await outbox.add_numbered(1200)
        await idle_in_time(1.5, 0.5)
        assert await outbox.count() == 1200
        await proxy.restore()
        await outbox.until_empty()
    assert first_times(await published(redis)) == [b"%d" % n for n in range(1201)]


async def test_a_redis_that_does_not_answer_keeps_no_row(
    outbox: Outbox, redis: Redis, relay_settings: Settings, start_relay: StartRelay
) -> None:
    async with (
        FaultyProxy(relay_settings.redis_url) as proxy,
        start_relay(msgspec.structs.replace(relay_settings, redis_url=proxy.url)),
    ):
        await outbox.add("event", b"0")
        await outbox.until_empty()
        proxy.swallow()
        await outbox.add("event", b"1")
        await asyncio.sleep(1)
        proxy.cut()
        await proxy.restore()
        await outbox.until_empty()
    assert first_times(await published(redis)) == [b"0", b"1"]


async def test_a_full_redis_is_waited_for(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        async with start_relay():
            await outbox.add("event", b"0")
            await outbox.leader()
            await asyncio.sleep(0.5)
            assert await outbox.count() == 1
            await redis.config_set("maxmemory", "0")
            await outbox.until_empty()
    finally:
        await redis.config_set("maxmemory", "0")
    assert await published(redis) == [b"0"]


async def test_an_emptied_redis_is_harmless(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    async with start_relay():
        await outbox.add("event", b"0")
        await outbox.until_empty()
        await redis.flushall()
        await redis.script_flush()
        await outbox.add("event", b"1")
        await outbox.until_empty()
    assert await published(redis) == [b"1"]


async def test_a_crash_between_publication_and_commit_only_repeats(
    outbox: Outbox, redis: Redis, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Publisher.publish
    crashes = iter([True, True])

    async def publish_and_lose_the_session(self: Publisher, rows: Sequence[OutboxRow], **options: Any) -> None:
        await publish(self, rows, **options)
        if next(crashes, False):
            await outbox.end_session((await outbox.leaders())[0])

    monkeypatch.setattr(Publisher, "publish", publish_and_lose_the_session)
    await outbox.add_numbered(3)
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"1", b"2", b"3"] * 3


async def test_a_fault_of_the_relay_itself_does_not_end_it(
    outbox: Outbox, redis: Redis, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Publisher.publish
    faults = iter([KeyError("a fault")])

    async def fail_once(self: Publisher, rows: Sequence[OutboxRow], **options: Any) -> None:
        if fault := next(faults, None):
            raise fault
        await publish(self, rows, **options)

    monkeypatch.setattr(Publisher, "publish", fail_once)
    await outbox.add("event", b"0")
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"0"]


async def test_the_process_ends_well_at_sigterm(outbox: Outbox, redis: Redis, relay_settings: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import relay, sys; sys.exit(relay.main())",
        env={
            "FLOWFORGE_DATABASE_URL": relay_settings.database_url,
            "FLOWFORGE_REDIS_URL": relay_settings.redis_url,
            "PYTHONPATH": ".",
        },
    )
    try:
        await outbox.add("event", b"0")
        await outbox.until_empty()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await outbox.leaders() == []
    assert await published(redis) == [b"0"]
