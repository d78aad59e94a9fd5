"""Doorbells through a real Redis: answered at once, never for ever lost, and no matter what happens to Redis."""

import asyncio
import contextlib
import pickle
import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from cli.chaos.proxy import FaultyProxy
from engine.infra import bell_worker
from engine.infra.bell_worker import BellWorker
from engine.infra.broker import QUEUE, Doorbell, add_bells, encode_job
from engine.infra.ids import new_id
from engine.infra.redis import create_arq_redis
from engine.infra.settings import Settings
from tests.integration.broker.conftest import Answers, StartWorker
from tests.product import PATIENCE_SECONDS, TRIES, idle_in_time

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


async def keys_of_jobs(redis: Redis) -> list[bytes]:
    keys = await redis.keys("*")
    return sorted(key for key in keys if not key.endswith(b":health-check"))


async def until_no_keys(redis: Redis) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await keys_of_jobs(redis):
            await asyncio.sleep(0.01)


async def test_a_bell_brings_run_ids_and_traceparent(redis: Redis, answers: Answers, start_worker: StartWorker) -> None:
    run_ids = [new_id(), new_id()]
    async with start_worker():
        await Doorbell(redis).ring(run_ids, TRACEPARENT)
        assert await answers.bell() == (run_ids, TRACEPARENT)
        await until_no_keys(redis)


async def test_many_ids_travel_in_jobs_of_a_hundred(redis: Redis, answers: Answers, start_worker: StartWorker) -> None:
    run_ids = [new_id() for _ in range(250)]
    async with start_worker():
        await Doorbell(redis).ring(run_ids)
        bells = [await answers.bell() for _ in range(3)]
    assert sorted(len(ids) for ids, _ in bells) == [50, 100, 100]
    assert sorted(i for ids, _ in bells for i in ids) == sorted(run_ids)


async def test_an_idle_worker_is_woken_long_before_it_would_look(
    redis: Redis, answers: Answers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_worker, "POLL_SECONDS", 1000.0)
    async with start_worker():
        for _ in range(3):
            await Doorbell(redis).ring([new_id()])
            await answers.bell()


async def test_a_job_without_its_bell_is_found_by_looking(
    redis: Redis, answers: Answers, start_worker: StartWorker
) -> None:
    async with start_worker():
        async with redis.pipeline(transaction=False) as pipe:
            add_bells(pipe, [new_id()])
            await pipe.execute()
        await answers.bell()


async def test_a_wake_comes_at_its_second_and_only_once(
    redis: Redis, answers: Answers, start_worker: StartWorker
) -> None:
    async with start_worker():
        lateness: list[float] = []
        while not lateness or lateness[-1] >= 0.3:
            assert len(lateness) < TRIES, f"it came {lateness} s late"
            moment = datetime.now(UTC) + timedelta(seconds=0.6)
            await Doorbell(redis).ring_at(moment)
            await Doorbell(redis).ring_at(moment)
            await answers.wake()
            lateness.append(time.time() - -(-moment.timestamp() // 1))
            assert lateness[-1] >= 0
            await until_no_keys(redis)
            assert answers.wakes.empty()


async def test_a_wake_rung_again_while_it_is_answered_is_not_lost(
    redis: Redis, answers: Answers, start_worker: StartWorker
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=5)
    async with start_worker():
        answers.gate.clear()
        await Doorbell(redis).ring_at(moment)
        await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
        answers.entered.clear()
        await Doorbell(redis).ring_at(moment)
        await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
        answers.gate.set()
        await answers.wake()
        await answers.wake()
        await until_no_keys(redis)


async def test_the_job_of_a_killed_worker_comes_back_when_its_lease_ends(
    redis: Redis, answers: Answers, start_worker: StartWorker, clean_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_worker, "LEASE_MS", 400)
    doomed = BellWorker(Settings(redis_url=clean_redis), activate=answers.activate, sweep=answers.sweep)
    answers.gate.clear()
    killed = asyncio.create_task(doomed.run())
    run_id = new_id()
    await Doorbell(redis).ring([run_id])
    await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
    killed.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await killed
    answers.gate.set()
    async with start_worker():
        assert await answers.bell() == ([run_id], None)
        await until_no_keys(redis)


async def test_a_late_worker_does_not_finish_the_job_that_another_has_now(
    redis: Redis, answers: Answers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_worker, "LEASE_MS", 60_000)
    async with start_worker():
        answers.gate.clear()
        await Doorbell(redis).ring([new_id()])
        await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
        (job_id,) = await redis.zrange(QUEUE, 0, -1)
        other_lease = int(time.time() * 1000) + 90_000
        await redis.zadd(QUEUE, {job_id: other_lease})
        await redis.set(b"arq:in-progress:" + job_id, str(other_lease))
        answers.gate.set()
        await answers.bell()
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
    assert await redis.zscore(QUEUE, job_id) == other_lease
    assert await redis.exists(b"arq:job:" + job_id, b"arq:in-progress:" + job_id) == 2


async def test_a_stale_mark_of_progress_hides_no_job(redis: Redis, answers: Answers, start_worker: StartWorker) -> None:
    await Doorbell(redis).ring([new_id()])
    (job_id,) = await redis.zrange(QUEUE, 0, -1)
    await redis.set(b"arq:in-progress:" + job_id, "1")
    async with start_worker():
        await answers.bell()
        await until_no_keys(redis)


async def test_jobs_in_progress_keep_no_due_job_waiting(
    redis: Redis, answers: Answers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_worker, "MAX_JOBS", 3)
    monkeypatch.setattr(bell_worker, "POLL_SECONDS", 1000.0)
    answers.gate.clear()
    async with start_worker():
        for _ in range(4):
            await Doorbell(redis).ring([new_id()])
        await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
        answers.gate.set()
        for _ in range(4):
            await answers.bell()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(pickle.dumps({"f": "activate"}), id="pickle"),
        pytest.param(encode_job({"t": None, "f": "unknown", "a": [], "k": {}, "et": 0}), id="unknown function"),
        pytest.param(encode_job({"t": None, "f": "activate", "a": [b"xy"], "k": {}, "et": 0}), id="torn ids"),
        pytest.param(None, id="expired"),
    ],
)
async def test_a_job_that_cannot_be_read_is_removed_and_others_go_on(
    redis: Redis, answers: Answers, start_worker: StartWorker, body: bytes | None
) -> None:
    if body is not None:
        await redis.set("arq:job:bad", body)
    await redis.zadd(QUEUE, {"bad": 1})
    async with start_worker():
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
        await until_no_keys(redis)


async def test_a_failing_answer_stops_nobody(redis: Redis, answers: Answers, start_worker: StartWorker) -> None:
    answers.error = RuntimeError("the database is away")
    async with start_worker():
        await Doorbell(redis).ring([new_id()])
        run_id = new_id()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while answers.error is not None:
                await asyncio.sleep(0.01)
        await Doorbell(redis).ring([run_id])
        assert await answers.bell() == ([run_id], None)
        await until_no_keys(redis)


async def test_what_arq_itself_enqueues_is_answered(
    redis: Redis, answers: Answers, start_worker: StartWorker, clean_redis: str
) -> None:
    run_id = new_id()
    async with create_arq_redis(Settings(redis_url=clean_redis)) as client:
        client.job_serializer = encode_job
        await client.enqueue_job("activate", run_id.bytes, None, _queue_name=QUEUE)
    async with start_worker():
        assert await answers.bell() == ([run_id], None)
        await until_no_keys(redis)


async def test_stopping_waits_for_the_answer_in_hand_and_takes_no_other(
    redis: Redis, answers: Answers, clean_redis: str
) -> None:
    worker = BellWorker(Settings(redis_url=clean_redis), activate=answers.activate, sweep=answers.sweep)
    task = asyncio.create_task(worker.run())
    answers.gate.clear()
    await Doorbell(redis).ring([new_id()])
    await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
    worker.stop()
    await Doorbell(redis).ring([new_id()])
    assert not task.done()
    answers.gate.set()
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    assert answers.bells.qsize() == 1
    assert await redis.zcard(QUEUE) == 1


async def test_an_emptied_redis_is_harmless(redis: Redis, answers: Answers, start_worker: StartWorker) -> None:
    async with start_worker():
        answers.gate.clear()
        await Doorbell(redis).ring([new_id()])
        await asyncio.wait_for(answers.entered.wait(), PATIENCE_SECONDS)
        await redis.flushall()
        answers.gate.set()
        await answers.bell()
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
        await until_no_keys(redis)


async def test_a_lost_subscription_is_taken_up_again(
    redis: Redis, answers: Answers, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_worker, "POLL_SECONDS", 1000.0)
    async with start_worker():
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
        assert await redis.client_kill_filter(_type="pubsub") == 1
        await Doorbell(redis).ring([new_id()])
        await answers.bell()


async def test_a_worker_lives_on_without_redis_and_answers_again_after(
    redis: Redis, answers: Answers, start_worker: StartWorker, clean_redis: str
) -> None:
    async with FaultyProxy(clean_redis) as proxy, start_worker(proxy.url):
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
        await proxy.refuse()
        run_id = new_id()
        await Doorbell(redis).ring([run_id])
        await idle_in_time(1.5, 0.5)
        assert answers.bells.empty()
        await proxy.restore()
        assert await answers.bell() == ([run_id], None)


async def test_a_worker_stops_without_redis(redis: Redis, answers: Answers, clean_redis: str) -> None:
    async with FaultyProxy(clean_redis) as proxy:
        worker = BellWorker(Settings(redis_url=proxy.url), activate=answers.activate, sweep=answers.sweep)
        task = asyncio.create_task(worker.run())
        await Doorbell(redis).ring([new_id()])
        await answers.bell()
        await proxy.refuse()
        await asyncio.sleep(0.2)
        worker.stop()
        await asyncio.wait_for(task, PATIENCE_SECONDS)
