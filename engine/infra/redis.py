"""Clients of Redis. Everything in Redis can be rebuilt from PostgreSQL, so callers treat its absence as a delay."""

import asyncio
from collections.abc import Iterable

from arq.connections import ArqRedis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.infra.settings import SettingError, Settings

# What a caller catches to live on without Redis: the server's errors and those of the socket beneath.
REDIS_ERRORS = (RedisError, OSError)

_CONNECT_SECONDS = 2.0


def create_redis_pool(
    settings: Settings, *, name: str = "", connections: int = 32, timeout: float = 5.0, retries: int = 3
) -> BlockingConnectionPool:
    """A pool of at most `connections`; a command fails after `timeout` seconds or `retries` reconnections.

    Raises SettingError where no usable address of Redis is set.
    """
    if not settings.redis_url:
        raise SettingError("FLOWFORGE_REDIS_URL is not set. Name a Redis 7+ server, or use `./flowforge up`.")
    try:
        pool = BlockingConnectionPool.from_url(
            settings.redis_url,
            max_connections=connections,
            timeout=timeout,
            socket_connect_timeout=min(_CONNECT_SECONDS, timeout),
            socket_timeout=timeout,
            client_name=f"flowforge-{name}" if name else None,
            retry=Retry(FullJitterBackoff(cap=0.5, base=0.02), retries),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
            # A socket of this machine's has no such option.
            **({} if settings.redis_url.startswith("unix:") else {"socket_keepalive": True}),
        )
    except ValueError as error:
        raise SettingError(f"FLOWFORGE_REDIS_URL cannot be used: {error}") from None
    pool.connection_class = type("CancellableConnection", (_Cancellable, pool.connection_class), {})
    return pool


class _Cancellable(AbstractConnection):
    """Sends without `asyncio.wait_for`, which in Python 3.11 loses a cancellation that comes as the send ends."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:  # noqa: ARG002 - the signature is redis-py's, and our connections have no health checks
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]  # untyped there
        packed = command.encode() if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([packed] if isinstance(packed, bytes) else packed)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout writing to Redis") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while writing to Redis: {error}") from error
        except BaseException:
            # What was sent in part can not be taken back.
            await self.disconnect(nowait=True)
            raise


def create_redis(
    settings: Settings, *, name: str = "", connections: int = 32, timeout: float = 5.0, retries: int = 3
) -> "Redis":
    """A client over a pool of its own; it connects when first used, and `aclose()` closes the pool."""
    pool = create_redis_pool(settings, name=name, connections=connections, timeout=timeout, retries=retries)
    return Redis.from_pool(pool)


def create_arq_redis(settings: Settings, *, name: str = "arq") -> ArqRedis:
    """Arq's kind of client, for its Worker; `aclose()` closes the pool."""
    client = ArqRedis(pool_or_conn=create_redis_pool(settings, name=name, connections=4))
    client.auto_close_connection_pool = True
    return client
