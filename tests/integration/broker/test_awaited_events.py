"""What the relay says beside its bells, through a real Redis: whether anybody waits for what runs tell."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.runs.hub import Hub
from engine.infra.bell_worker import BellWorker
from engine.infra.broker import CHANGES_CHANNEL, Doorbell, Job, add_bells, announce_turn, read_bell
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.broker.conftest import Answers, StartWorker
from tests.integration.broker.test_bell_worker import TRACEPARENT, until_no_keys
from tests.integration.broker.test_hub import until_heard_by
from tests.product import PATIENCE_SECONDS


@pytest.fixture
async def words(redis: Redis, answers: Answers, clean_redis: str) -> AsyncIterator[asyncio.Queue[bool]]:
    """What a worker hears, once it listens."""
    heard: asyncio.Queue[bool] = asyncio.Queue()
    worker = BellWorker(
        Settings(redis_url=clean_redis), activate=answers.activate, sweep=answers.sweep, on_turn=heard.put_nowait
    )
    life = asyncio.create_task(worker.run())
    await until_heard_by(redis, 1, "ff:bell")
    yield heard
    worker.stop()
    await asyncio.wait_for(life, PATIENCE_SECONDS)


async def say(redis: Redis, *, is_awaited: bool) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        announce_turn(pipe, is_awaited=is_awaited)
        await pipe.execute()


async def until_said(words: asyncio.Queue[bool]) -> bool:
    return await asyncio.wait_for(words.get(), PATIENCE_SECONDS)


async def test_events_are_awaited_as_long_as_somebody_follows_a_stream(
    redis: Redis, words: asyncio.Queue[bool]
) -> None:
    hub = Hub(redis)
    life = asyncio.create_task(hub.run())
    await say(redis, is_awaited=False)
    assert not await until_said(words)
    async with hub.listen("ff:stream:one", is_channel=False):
        await until_heard_by(redis, 1)
        await say(redis, is_awaited=False)
        assert await until_said(words)
    await until_heard_by(redis, 0, CHANGES_CHANNEL)
    await say(redis, is_awaited=False)
    assert not await until_said(words)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def test_events_are_awaited_where_the_relay_knows_that_by_itself(
    redis: Redis, words: asyncio.Queue[bool]
) -> None:
    await say(redis, is_awaited=True)
    assert await until_said(words)


async def test_everything_is_awaited_where_nobody_may_ask_redis_who_listens(
    redis: Redis, words: asyncio.Queue[bool], clean_redis: str
) -> None:
    await redis.acl_setuser(
        "limited", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-pubsub"]
    )
    limited = Redis.from_url(clean_redis, username="limited", password="any")
    try:
        await say(limited, is_awaited=False)
        assert await until_said(words)
    finally:
        await limited.aclose()
        await redis.acl_deluser("limited")


async def test_the_bells_of_others_say_nothing_of_it(
    redis: Redis, words: asyncio.Queue[bool], answers: Answers
) -> None:
    await Doorbell(redis).ring([new_id()])
    await answers.bell()
    await say(redis, is_awaited=True)
    assert await until_said(words)
    assert words.empty()


async def ring(redis: Redis) -> Job:
    """One job, announced as the relay does."""
    async with redis.pipeline(transaction=False) as pipe:
        (job,) = add_bells(pipe, [new_id()], TRACEPARENT)
        announce_turn(pipe, is_awaited=True, job=job)
        await pipe.execute()
    return job


async def test_a_worker_alone_answers_a_job_that_it_did_not_claim(
    redis: Redis, words: asyncio.Queue[bool], answers: Answers
) -> None:
    run_id = new_id()
    async with redis.pipeline(transaction=False) as pipe:
        # It lies in no queue.
        announce_turn(pipe, is_awaited=False, job=Job(b"1", b"2", run_id.bytes, TRACEPARENT))
        await pipe.execute()
    assert await answers.bell() == ([run_id], TRACEPARENT)
    assert not await until_said(words)


async def test_a_job_that_came_with_its_bell_is_answered_once_and_finished(
    redis: Redis, words: asyncio.Queue[bool], answers: Answers
) -> None:
    await ring(redis)
    await answers.bell()
    await until_no_keys(redis)
    assert answers.bells.empty()
    assert await until_said(words)


async def test_a_job_that_could_not_be_answered_with_its_bell_is_claimed(
    redis: Redis, words: asyncio.Queue[bool], answers: Answers
) -> None:
    answers.error = RuntimeError("not now")
    await ring(redis)
    await answers.bell()
    await until_no_keys(redis)
    assert await until_said(words)


async def test_of_several_workers_one_claims_the_job(
    redis: Redis, words: asyncio.Queue[bool], answers: Answers, start_worker: StartWorker
) -> None:
    async with start_worker():
        await until_heard_by(redis, 2, "ff:bell")
        await ring(redis)
        await answers.bell()
        await until_no_keys(redis)
        assert answers.bells.empty()
    assert await until_said(words)


def test_a_bell_reads_as_it_was_said_whatever_bytes_its_ids_have() -> None:
    ids = b" " * 16
    assert read_bell(b"unawaited a 12 - " + ids) == (False, Job(b"a", b"12", ids, None))
    assert read_bell(b"awaited") == (True, None)
    assert read_bell(b"") is None
