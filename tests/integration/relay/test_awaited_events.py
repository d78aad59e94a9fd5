"""The relay tells the workers whether its next turn is soon enough for what runs tell of themselves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from engine.infra.broker import BELL_CHANNEL, QUEUE, Bell, read_bell, unpack_ids
from engine.infra.pubsub import Message, Subscriber
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.stage import listen
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS


async def until_next(bells: AsyncIterator[Message]) -> Bell:
    while True:
        payload = (await asyncio.wait_for(anext(bells), PATIENCE_SECONDS)).payload
        # The subscription takes effect first.
        if payload is not None and (bell := read_bell(payload)) is not None:
            return bell


async def test_with_each_bell_it_is_said_whether_event_triggers_wait(
    outbox: Outbox, workspace: Workspace, redis: Redis, start_relay: StartRelay
) -> None:
    async with contextlib.aclosing(Subscriber(redis, [BELL_CHANNEL]).messages()) as bells, start_relay():
        await asyncio.wait_for(anext(bells), PATIENCE_SECONDS)
        await outbox.add("dispatch", b"")
        assert not (await until_next(bells)).is_awaited
        await listen(workspace, await workspace.publish())
        await outbox.add("dispatch", b"")
        assert (await until_next(bells)).is_awaited


async def test_who_listens_alone_gets_the_only_job_with_its_bell(
    outbox: Outbox, redis: Redis, start_relay: StartRelay
) -> None:
    async with contextlib.aclosing(Subscriber(redis, [BELL_CHANNEL]).messages()) as bells, start_relay():
        await asyncio.wait_for(anext(bells), PATIENCE_SECONDS)
        run_id = await outbox.add("dispatch", b"")
        job = (await until_next(bells)).job
    assert job is not None
    assert unpack_ids(job.ids) == [run_id]
    # It may be claimed by anybody until it is finished.
    assert await redis.zrange(QUEUE, 0, -1, withscores=True) == [(job.job_id, float(job.score))]
