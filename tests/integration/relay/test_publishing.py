"""What each kind of outbox row becomes in Redis."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from engine.infra.broker import QUEUE, decode_job, unpack_ids
from engine.infra.ids import new_id
from engine.infra.pubsub import Subscriber
from engine.relay import loop, publisher
from tests.integration.relay.conftest import STREAM, StartRelay, published
from tests.integration.relay.outbox import Outbox
from tests.product import PATIENCE_SECONDS

SAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
UNSAMPLED = "00-" + "c" * 32 + "-" + "d" * 16 + "-00"


async def bells(redis: Redis) -> list[tuple[list[UUID], str | None]]:
    """The ids and the traceparent of each job in the queue."""
    found = []
    for job_id in await redis.zrange(QUEUE, 0, -1):
        body = await redis.get(b"arq:job:" + job_id)
        assert body is not None
        job = decode_job(body)
        assert job["f"] == "activate"
        found.append((unpack_ids(job["a"][0]), job["a"][1]))
    return found


async def test_an_event_goes_to_its_workspaces_stream_and_rings_nobody(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    await outbox.add("event", b'{"id":"x:1"}')
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b'{"id":"x:1"}']
    assert await bells(redis) == []


async def test_a_dispatch_is_published_and_rung(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    run_id = await outbox.add("dispatch", b"queued", traceparent=UNSAMPLED)
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"queued"]
    assert await bells(redis) == [([run_id], UNSAMPLED)]


async def test_a_dispatch_without_payload_only_rings(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    run_id = await outbox.add("dispatch", b"")
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == []
    assert await bells(redis) == [([run_id], None)]


async def test_a_kind_of_a_newer_release_rings_for_its_run(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    run_id = await outbox.add("of tomorrow", b"?")
    async with start_relay():
        await outbox.until_empty()
    assert await bells(redis) == [([run_id], None)]


async def test_sampled_traces_keep_their_traceparent_among_many(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    async with outbox.connection.transaction():
        plain = [await outbox.add("dispatch", traceparent=UNSAMPLED) for _ in range(3)]
        sampled = await outbox.add("dispatch", traceparent=SAMPLED)
    async with start_relay():
        await outbox.until_empty()
    assert sorted(await bells(redis)) == sorted([(plain, None), ([sampled], SAMPLED)])


async def test_a_run_that_appears_twice_in_a_batch_is_rung_once(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    async with outbox.connection.transaction():
        run_id = await outbox.add("dispatch")
        await outbox.add("inbox", run_id=run_id)
    async with start_relay():
        await outbox.until_empty()
    assert await bells(redis) == [([run_id], None)]


async def test_the_owner_hears_of_its_inbox_and_the_workers_do(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    async with (
        contextlib.aclosing(Subscriber(redis, ["ff:inbox"]).messages()) as messages,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        assert (await anext(messages)).payload is None
        run_id = await outbox.add("inbox")
        async with start_relay():
            assert (await anext(messages)).payload == str(run_id).encode()
            await outbox.until_empty()
    assert await bells(redis) == [([run_id], None)]


async def test_a_wake_becomes_one_deferred_job_of_its_second(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60.25)
    for _ in range(2):
        await outbox.add("wake", b'{"at":"%s"}' % moment.isoformat().encode())
    async with start_relay():
        await outbox.until_empty()
    second = int(moment.timestamp()) + 1
    assert await redis.zrange(QUEUE, 0, -1, withscores=True) == [(b"wake:%d" % second, second * 1000)]


async def test_order_is_kept_over_batches(
    outbox: Outbox, redis: Redis, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BATCH_ROWS", 100)
    await outbox.add_numbered(950)
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"%d" % n for n in range(1, 951)]


async def test_streams_are_bounded(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    await outbox.add_numbered(publisher.STREAM_LENGTH + 2000)
    async with start_relay():
        await outbox.until_empty()
    assert publisher.STREAM_LENGTH <= await redis.xlen(STREAM) <= publisher.STREAM_LENGTH + 200


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b'{"at":"soon"}', b"[]"])
async def test_a_wake_that_cannot_be_read_blocks_nobody(
    outbox: Outbox, redis: Redis, start_relay: StartRelay, payload: bytes
) -> None:
    await outbox.add("wake", payload)
    await outbox.add("event", b"after")
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"after"]


async def test_a_stream_of_another_kind_blocks_nobody(outbox: Outbox, redis: Redis, start_relay: StartRelay) -> None:
    other = new_id()
    await redis.set(f"ff:stream:{other}", "not a stream")
    await outbox.add("event", b"before")
    await outbox.add("event", b"lost", workspace_id=other)
    await outbox.add("event", b"after")
    async with start_relay():
        await outbox.until_empty()
    assert await published(redis) == [b"before", b"after"]


async def test_whoever_comes_behind_a_flood_is_rung_for_before_all_of_it_is_published(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    flood, other = new_id(), new_id()
    statement = """
    INSERT INTO outbox (kind, workspace_id, run_id, payload)
    SELECT 'dispatch', $1, gen_random_uuid(), '' FROM generate_series(1, $2)
    """
    await outbox.connection.execute(statement, flood, 5 * loop.BATCH_ROWS)
    run_id = await outbox.add("dispatch", b"", workspace_id=other)
    async with start_relay():
        await outbox.until_empty()
    rung = [one for ids, _ in await bells(redis) for one in ids]
    places = [place for place, one in enumerate(rung) if one == run_id]
    assert len(places) == 2, "once before its turn, and once with its row"
    assert places[0] < 2 * loop.BATCH_ROWS
    # Of the flood, a few are: who looks only at one workspace would not know which.
    assert 5 * loop.BATCH_ROWS < len(rung) < 5 * loop.BATCH_ROWS + 50
