"""A client for webhooks that costs little: raw HTTP on kept connections, one request at a time on each."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import httptools
from msgspec import Struct


class Sent(Struct):
    """What became of many webhooks; times of those that were accepted."""

    seconds: float
    latencies_ms: list[float]
    refused: int


class Connection(asyncio.Protocol):
    """One connection to one hook."""

    def __init__(self, path: str, authority: str) -> None:
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._answer: asyncio.Future[int] | None = None
        self._body = b""

    @classmethod
    async def open(cls, url: str) -> "Connection":
        """Connect to where `url` points."""
        parts = urlsplit(url)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: cls(parts.path, parts.netloc), parts.hostname or "", parts.port or 80
        )
        return connection

    async def send(self, body: bytes) -> tuple[int, bytes]:
        """Send one webhook; status and body of the answer. Raises ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport.write(self._head % len(body) + body)
        return await self._answer, self._body

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports behave as asyncio's, but are none.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed before it answered"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())


async def send_all(
    url: str, bodies: Iterable[bytes], *, connections: int, status: HTTPStatus = HTTPStatus.ACCEPTED
) -> Sent:
    """Send every body, `connections` at a time; an answer of another status is a refusal."""
    todo = iter(bodies)
    opened = await asyncio.gather(*(Connection.open(url) for _ in range(connections)))
    sent = Sent(seconds=0, latencies_ms=[], refused=0)
    started = time.perf_counter()
    await asyncio.gather(*(_send_in_turn(connection, todo, sent, status) for connection in opened))
    sent.seconds = time.perf_counter() - started
    for connection in opened:
        connection.close()
    return sent


def until(seconds: float, make: Callable[[], bytes]) -> Iterator[bytes]:
    """Bodies for as long as that."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        yield make()


async def _send_in_turn(connection: Connection, todo: Iterator[bytes], sent: Sent, expected: HTTPStatus) -> None:
    for body in todo:
        started = time.perf_counter()
        status, _ = await connection.send(body)
        if status == expected:
            sent.latencies_ms.append((time.perf_counter() - started) * 1000)
        else:
            sent.refused += 1
