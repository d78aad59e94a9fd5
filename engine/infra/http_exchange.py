"""One request on one connection: aiohttp's connections, TLS and parser, without its session (ADR 0009).

A session's own request and response objects are two thirds of what a small request costs, for cookies, proxies, tracing
and timers of which nothing is used here. What is sent is the same, byte for byte but for the order of headers.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final, cast

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy
from yarl import URL

from engine.infra import metrics
from engine.infra.http_connector import Channel, GuardedConnector

METHODS_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A larger body is written piece by piece, while the answer is already listened for.
LARGE_BODY: Final = 262_144
CACHED_ORIGINS: Final = 1024
# By this a target knows a request again: it may be sent twice.
IDEMPOTENCY_KEY: Final = "Idempotency-Key"

_FIRST_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101
# The one time limit is the caller's: it ends connecting, too.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)


class Answer:
    """The beginning of an answer. Its body is read from `content`; then the connection is given back, or closed."""

    __slots__ = ("_channel", "_connection", "_writer", "content", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        content: StreamReader,
        connection: Connection,
        channel: Channel,
        writer: "asyncio.Task[None] | None",
    ) -> None:
        self.status: int = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.content = content
        self._connection = connection
        self._channel = channel
        self._writer = writer

    def release(self) -> None:
        """Keep the connection for the next request, where the answer was read to its end; else close it."""
        if self._writer is not None and not self._writer.done():
            # The target has answered before it had heard all: the rest would be taken for the next request.
            self.close()
        else:
            self._channel.is_kept, self._channel.has_heard = True, False
            self._connection.release()

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.cancel()
        self._connection.close()


class _Origin:
    """What every request to one scheme, host and port has in common."""

    __slots__ = ("_defaults", "_lines", "connecting")

    def __init__(self, url: URL, user_agent: str, loop: asyncio.AbstractEventLoop) -> None:
        # The connector reads from it where to connect, and the headers that every request carries are its own.
        self.connecting = _Connecting("GET", url, headers={"User-Agent": user_agent}, loop=loop)
        self._defaults = {name: f"{name}: {value}\r\n" for name, value in self.connecting.headers.items()}
        self._lines = "".join(self._defaults.values())

    def default_lines(self, given: Mapping[str, str]) -> str:
        """The lines of the default headers, without those that the request sets itself."""
        # Nearly always none: a sum of C calls, where a generator would cost more than the rest of the head.
        if "Accept" in given or "Accept-Encoding" in given or "User-Agent" in given:
            return "".join([line for name, line in self._defaults.items() if name not in given])
        return self._lines


class _Connecting(aiohttp.ClientRequest):
    """What the connector is asked with: it stands for all requests to its origin, so that its key never changes."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        """By what connections are told apart."""
        return super().connection_key


class Exchanges:
    """Sends requests over the connections of one connector. To be made inside the event loop."""

    def __init__(self, connector: GuardedConnector, user_agent: str) -> None:
        self._connector = connector
        loop = asyncio.get_running_loop()
        self._find_origin = lru_cache(CACHED_ORIGINS)(lambda url: _Origin(url, user_agent, loop))

    async def send(self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request and wait for the head of its answer; headers must have been checked.

        Raises aiohttp's exceptions, HttpProcessingError among them, and OSError.
        """
        origin = self._find_origin(url.origin())
        head = _write_head(method, url, headers, body, origin)
        is_repeat = False
        while True:
            connection = await self._connector.connect(origin.connecting, [], _NO_TIMEOUT)
            # What the connector makes is a channel.
            channel = cast(Channel, connection.protocol)
            is_kept = channel.is_kept
            # What has come over a kept one answers no request: this one would take it for its own. And where one has
            # ended, the others are not to be trusted.
            if is_kept and (is_repeat or channel.has_heard):
                connection.close()
                continue
            writer: asyncio.Task[None] | None = None
            try:
                channel.has_heard = False
                transport = _opened(channel)
                channel.set_response_params(skip_payload=method == "HEAD", read_until_eof=True)
                if body is None or len(body) <= LARGE_BODY:
                    transport.write(head + body if body else head)
                else:
                    transport.write(head)
                    writer = asyncio.get_running_loop().create_task(_write_body(channel, body))
                while True:
                    message, content = await channel.read()
                    # What comes before the final answer says nothing that is of use here.
                    if message.code >= _FIRST_FINAL_STATUS or message.code == _SWITCHING_PROTOCOLS:
                        return Answer(message, content, connection, channel, writer)
            except BaseException as error:
                if writer is not None:
                    writer.cancel()
                connection.close()
                if not is_kept or channel.has_heard or not _may_repeat(error, headers):
                    raise
            is_repeat = True
            metrics.HTTP_RESENT.inc()


def _may_repeat(error: BaseException, headers: Mapping[str, str]) -> bool:
    """Whether a request may go out a second time that ended so before anything of an answer.

    The target may have closed the connection just as the request was on its way. It may also have acted: only what it
    would know again by its key is repeated.
    """
    return isinstance(error, aiohttp.ClientConnectionError | OSError) and bool(headers.get(IDEMPOTENCY_KEY))


def _opened(channel: Channel) -> asyncio.Transport:
    transport = channel.transport
    if transport is None or transport.is_closing():
        raise aiohttp.ServerDisconnectedError
    return transport


def _write_head(method: str, url: URL, headers: Mapping[str, str], body: bytes | None, origin: _Origin) -> bytes:
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1\r\n", origin.default_lines(headers)]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    if body is not None:
        if "Content-Type" not in headers:
            lines.append("Content-Type: application/octet-stream\r\n")
        lines.append(f"Content-Length: {len(body)}\r\n")
    elif method not in METHODS_WITHOUT_BODY:
        lines.append("Content-Length: 0\r\n")
    lines.append("\r\n")
    return "".join(lines).encode()


async def _write_body(channel: Channel, body: bytes) -> None:
    """Write no faster than the target reads. What goes wrong, the reader of the answer hears as well."""
    view = memoryview(body)
    with contextlib.suppress(OSError, aiohttp.ClientError):
        for offset in range(0, len(body), LARGE_BODY):
            _opened(channel).write(view[offset : offset + LARGE_BODY])
            await channel._drain_helper()  # noqa: SLF001 - the library writes its own bodies so
