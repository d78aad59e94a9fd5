"""What a connection may send before anybody is asked who it is: a head that is small, and soon."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.bounded_protocol import HEAD_SECONDS, MAX_HEAD_BYTES, BoundedProtocol
from tests.product import PATIENCE_SECONDS

START = b"GET /health/live HTTP/1.1\r\nhost: flowforge\r\n"
END = b"\r\n"
PIECE = 8192


class Wire(asyncio.Transport):
    """The other side of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        """Keep what is answered."""
        self.heard += bytes(data)

    def close(self) -> None:
        """The end."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Whether that has come."""
        return self.is_closed

    def pause_reading(self) -> None:
        """Nothing is sent by itself."""

    def resume_reading(self) -> None:
        """Nothing is sent by itself."""


class Line:
    """A connection to an application that answers everybody."""

    def __init__(self) -> None:
        self.served = asyncio.Queue[int]()
        self.headers: list[tuple[bytes, bytes]] = []
        config = uvicorn.Config(self._serve, http=BoundedProtocol, interface="asgi3", lifespan="off", log_config=None)
        config.load()
        self.wire = Wire()
        self.protocol = BoundedProtocol(config=config, server_state=ServerState(), app_state={})
        self.protocol.connection_made(self.wire)

    def send(self, *pieces: bytes) -> int:
        """Send as long as somebody listens; how much that was."""
        sent = 0
        for piece in pieces:
            if self.wire.is_closed:
                break
            self.protocol.data_received(piece)
            sent += len(piece)
        return sent

    async def next_body(self) -> int:
        """How much body the next request had."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.served.get()

    async def _serve(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        size, has_more = 0, True
        while has_more:
            message = await receive()
            size, has_more = size + len(message["body"]), message["more_body"]
        self.headers = list(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        self.served.put_nowait(size)


@pytest.fixture
async def line() -> Line:
    return Line()


@pytest.mark.parametrize(
    "start", [b"GET /", START + b"x-long: ", START + b"x" * PIECE], ids=["address", "value", "name"]
)
async def test_a_head_without_an_end_is_refused_once_it_is_too_large(line: Line, start: bytes) -> None:
    sent = line.send(start, *[b"a" * PIECE] * 100)
    assert sent <= MAX_HEAD_BYTES + 2 * PIECE
    assert line.wire.heard.startswith(b"HTTP/1.1 431 ")
    assert line.wire.heard.count(b"head_too_large") == 2
    assert line.served.empty()


async def test_a_head_that_comes_at_once_is_measured_as_well(line: Line) -> None:
    line.send(START + b"".join(b"x-%d: %s\r\n" % (number, b"a" * 100) for number in range(700)) + END)
    assert line.wire.is_closed
    assert line.wire.heard.startswith(b"HTTP/1.1 431 ")
    assert line.served.empty()


async def test_what_stands_behind_a_head_is_no_part_of_it(line: Line) -> None:
    start = START.replace(b"GET", b"POST")
    large = b"x-large: " + b"a" * (MAX_HEAD_BYTES - 200) + END
    body = b"b" * 200_000
    for _ in range(2):
        # Head and body in one piece, twice on one connection.
        line.send(start + large + b"content-length: %d\r\n" % len(body) + END + body)
        assert await line.next_body() == len(body)
    assert not line.wire.is_closed


async def test_what_is_no_request_is_told_so(line: Line) -> None:
    line.send(b"\x16\x03\x01 no request\r\n")
    assert line.wire.heard.startswith(b"HTTP/1.1 400 ")
    assert line.wire.is_closed


@pytest.mark.parametrize("begun", [b"", START], ids=["nothing", "a part"])
async def test_a_head_that_does_not_come_is_given_up(line: Line, begun: bytes) -> None:
    if begun:
        line.send(begun)
    now = time.monotonic()
    line.protocol.give_up_late(now)
    assert not line.wire.is_closed
    line.protocol.give_up_late(now + HEAD_SECONDS + 1)
    assert line.wire.is_closed


async def test_a_request_that_is_served_is_given_up_by_nobody(line: Line) -> None:
    line.send(START.replace(b"GET", b"POST") + b"content-length: 2\r\n" + END)
    line.protocol.give_up_late(time.monotonic() + 1000)
    line.send(b"ab")
    assert await line.next_body() == 2
    # What follows on a connection that is kept has its own time.
    line.protocol.give_up_late(time.monotonic() + 1000)
    assert not line.wire.is_closed
    line.send(START)
    line.protocol.give_up_late(time.monotonic() + HEAD_SECONDS + 1)
    assert line.wire.is_closed


CHUNKED = START.replace(b"GET", b"POST") + b"transfer-encoding: chunked\r\n" + END


@pytest.mark.parametrize(
    "start", [b"0\r\nx-long: ", b"0\r\n" + b"x" * PIECE, b"2;"], ids=["value", "name", "extension"]
)
async def test_what_follows_a_body_without_an_end_is_refused_once_it_is_too_large(line: Line, start: bytes) -> None:
    sent = line.send(CHUNKED, b"2\r\nab\r\n", start, *[b"a" * PIECE] * 100)
    assert sent <= MAX_HEAD_BYTES + 3 * PIECE
    assert line.wire.heard.startswith(b"HTTP/1.1 431 ")


async def test_lines_behind_a_body_are_refused_once_they_are_too_many(line: Line) -> None:
    lines = b"".join(b"a%d:b\r\n" % number for number in range(1000))
    sent = line.send(CHUNKED, b"0\r\n", *[lines] * 100)
    assert sent <= MAX_HEAD_BYTES + 2 * len(lines)
    assert line.wire.heard.startswith(b"HTTP/1.1 431 ")


async def test_lines_behind_a_body_are_no_headers(line: Line) -> None:
    line.send(CHUNKED, b"2\r\nab\r\n0\r\nx-signature: forged\r\n", END)
    assert await line.next_body() == 2
    assert b"x-signature" not in dict(line.headers)
    assert not line.wire.is_closed


async def test_a_long_body_in_small_chunks_is_taken(line: Line) -> None:
    line.send(CHUNKED, *[b"1\r\na\r\n"] * 50_000, b"0\r\n", END)
    assert await line.next_body() == 50_000
    assert not line.wire.is_closed


async def test_who_goes_on_without_an_end_after_the_answer_is_hung_up_on(line: Line) -> None:
    line.send(CHUNKED, b"2\r\nab\r\n")
    line.protocol.cycle.response_started = True
    line.send(b"0\r\nx-long: ", *[b"a" * PIECE] * 100)
    assert (line.wire.is_closed, line.wire.heard) == (True, b"")
