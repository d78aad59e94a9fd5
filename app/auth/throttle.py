"""Login throttle: windows per (account, address) and per address, counted in Redis, in memory where Redis is away.

An address is its subscriber's: whoever has IPv6 has more of them than could be counted.
"""

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from app.addresses import find_subscriber
from app.errors import InvalidCredentials, TooManyRequests
from engine.infra.redis import REDIS_ERRORS

ACCOUNT_LIMIT: Final = 5
ACCOUNT_WINDOW_SECONDS: Final = 15 * 60
ADDRESS_LIMIT: Final = 100
ADDRESS_WINDOW_SECONDS: Final = 60 * 60
_MAX_LOCAL_WINDOWS: Final = 10_000

logger = structlog.get_logger(__name__)


class _Window(Struct, frozen=True):
    key: str
    limit: int
    seconds: int


class LoginThrottle:
    """Counts an attempt before it is tried, so that attempts in parallel gain nothing; a success is taken back."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local: dict[str, tuple[int, float]] = {}

    @asynccontextmanager
    async def attempt(self, email: str, address: str, note_refused: Callable[[], None]) -> AsyncGenerator[None]:
        """Within it a password is tried; raises TooManyRequests, once `note_refused` knows of it.

        Only InvalidCredentials counts as a failure.
        """
        try:
            await self.admit(email, address)
        except TooManyRequests:
            note_refused()
            raise
        try:
            yield
        except InvalidCredentials:
            raise
        except Exception:
            # A dependency failed, or too many try at once: that says nothing of the password.
            await self.take_back(email, address)
            raise
        await self.forgive(email, address)

    async def admit(self, email: str, address: str) -> None:
        """Count one attempt; raises TooManyRequests with the seconds to wait once a window is full."""
        windows = _windows(email, address)
        try:
            counts = await self._count(windows)
        except REDIS_ERRORS as error:
            logger.warning("login throttle counts in memory", error=str(error))
            counts = [self._count_locally(window) for window in windows]
        waits = [left for window, (count, left) in zip(windows, counts, strict=True) if count > window.limit]
        if waits:
            raise TooManyRequests("Too many failed sign-ins. Wait as long as Retry-After says.", retry_after=max(waits))

    async def forgive(self, email: str, address: str) -> None:
        """Take a successful attempt back: the account's window ends, the address's count goes down by one."""
        account, shared = _windows(email, address)
        self._local.pop(account.key, None)
        if shared.key in self._local:
            count, until = self._local[shared.key]
            self._local[shared.key] = (max(0, count - 1), until)
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.delete(account.key)
                pipeline.decr(shared.key)
                pipeline.expire(shared.key, shared.seconds, nx=True)
                await pipeline.execute()
        except REDIS_ERRORS as error:
            logger.warning("login throttle cannot take a success back", error=str(error))

    async def take_back(self, email: str, address: str) -> None:
        """Uncount an attempt of which nothing was learnt, because a dependency failed."""
        windows = _windows(email, address)
        for window in windows:
            if window.key in self._local:
                count, until = self._local[window.key]
                self._local[window.key] = (max(0, count - 1), until)
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for window in windows:
                    pipeline.decr(window.key)
                    pipeline.expire(window.key, window.seconds, nx=True)
                await pipeline.execute()
        except REDIS_ERRORS as error:
            logger.warning("login throttle cannot take an attempt back", error=str(error))

    async def _count(self, windows: Sequence[_Window]) -> list[tuple[int, int]]:
        async with self._redis.pipeline(transaction=True) as pipeline:
            for window in windows:
                pipeline.incr(window.key)
                pipeline.expire(window.key, window.seconds, nx=True)
                pipeline.ttl(window.key)
            answers = await pipeline.execute()
        return [(int(answers[i]), int(answers[i + 2])) for i in range(0, len(answers), 3)]

    def _count_locally(self, window: _Window) -> tuple[int, int]:
        now = time.monotonic()
        count, until = self._local.get(window.key, (0, 0.0))
        if until <= now:
            count, until = 0, now + window.seconds
            while len(self._local) >= _MAX_LOCAL_WINDOWS:
                del self._local[next(iter(self._local))]
        self._local[window.key] = (count + 1, until)
        return count + 1, int(until - now) + 1


def _windows(email: str, address: str) -> tuple[_Window, _Window]:
    address = find_subscriber(address)
    account = hashlib.sha256(f"{email}\n{address}".encode()).hexdigest()[:32]
    return (
        _Window(f"ff:login:account:{account}", ACCOUNT_LIMIT, ACCOUNT_WINDOW_SECONDS),
        _Window(f"ff:login:address:{address}", ADDRESS_LIMIT, ADDRESS_WINDOW_SECONDS),
    )
