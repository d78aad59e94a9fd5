import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest
from redis.asyncio import Redis

from engine.infra.bell_worker import BellWorker
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from tests.product import PATIENCE_SECONDS


class Answers:
    """What a worker was rung for."""

    def __init__(self) -> None:
        self.bells: asyncio.Queue[tuple[list[UUID], str | None]] = asyncio.Queue()
        self.wakes: asyncio.Queue[float] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.error: Exception | None = None

    async def activate(self, run_ids: list[UUID], traceparent: str | None) -> None:
        self.entered.set()
        await self.gate.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.bells.put_nowait((run_ids, traceparent))

    async def sweep(self) -> None:
        self.entered.set()
        await self.gate.wait()
        self.wakes.put_nowait(asyncio.get_running_loop().time())

    async def bell(self, seconds: float = PATIENCE_SECONDS) -> tuple[list[UUID], str | None]:
        return await asyncio.wait_for(self.bells.get(), seconds)

    async def wake(self, seconds: float = PATIENCE_SECONDS) -> float:
        return await asyncio.wait_for(self.wakes.get(), seconds)


StartWorker = Callable[..., AbstractAsyncContextManager[BellWorker]]


@pytest.fixture
async def redis(clean_redis: str) -> AsyncIterator[Redis]:
    async with create_redis(Settings(redis_url=clean_redis)) as client:
        yield client


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def start_worker(answers: Answers, clean_redis: str) -> StartWorker:
    @contextlib.asynccontextmanager
    async def start(url: str = clean_redis) -> AsyncIterator[BellWorker]:
        worker = BellWorker(Settings(redis_url=url), activate=answers.activate, sweep=answers.sweep)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            answers.gate.set()
            worker.stop()
            await asyncio.wait_for(task, PATIENCE_SECONDS)

    return start
