import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from engine.relay.events import EventMatcher
from engine.relay.loop import Relay
from tests.integration.relay.outbox import WORKSPACE, Outbox
from tests.integration.relay.stage import Stage
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS

STREAM = f"ff:stream:{WORKSPACE}"
StartRelay = Callable[..., AbstractAsyncContextManager[Relay]]


@pytest.fixture
async def outbox(clean_database: str) -> AsyncIterator[Outbox]:
    connection, control = await asyncpg.connect(clean_database), await asyncpg.connect(clean_database)
    yield Outbox(connection, control)
    await connection.close()
    await control.close()


@pytest.fixture
async def workspace(outbox: Outbox) -> Workspace:
    return await Workspace(outbox.connection).open()


@pytest.fixture
def stage(workspace: Workspace, outbox: Outbox) -> Stage:
    return Stage(workspace, outbox)


@pytest.fixture
def matcher() -> EventMatcher:
    return EventMatcher()


@pytest.fixture
async def redis(clean_redis: str) -> AsyncIterator[Redis]:
    async with create_redis(Settings(redis_url=clean_redis)) as client:
        yield client


@pytest.fixture
def relay_settings(clean_database: str, clean_redis: str, database_faults: str) -> Settings:
    return Settings(database_url=clean_database, redis_url=clean_redis, test_database_faults=database_faults)


@pytest.fixture
def start_relay(relay_settings: Settings) -> StartRelay:
    @contextlib.asynccontextmanager
    async def start(settings: Settings = relay_settings) -> AsyncIterator[Relay]:
        async with create_redis(settings, name="relay", timeout=1, retries=1) as client:
            relay = Relay(settings, client)
            task = asyncio.create_task(relay.run())
            try:
                yield relay
            finally:
                relay.stop()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await task

    return start


async def published(redis: Redis, stream: str = STREAM) -> list[bytes]:
    """The payloads in a workspace's stream, in their order."""
    entries: list[tuple[bytes, dict[bytes, Any]]] = await redis.xrange(stream)
    return [fields[b"e"] for _, fields in entries]
