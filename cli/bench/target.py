"""The process that http steps call: it costs little, counts, and notes when it first heard of each key.

`/key/KEY` notes the moment of KEY's first request; `/delay/MS` answers after MS milliseconds; every other path answers
at once. `/bench/report` tells the counts, `/bench/reset` starts them anew.
"""

import asyncio
import os
import resource
import socket
import time
from typing import cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
BACKLOG = 8192


class Report(Struct):
    """What the target has seen since its last reset. `first_seen`: by key, in seconds of the monotonic clock."""

    requests: int = 0
    connections: int = 0
    peak_connections: int = 0
    first_seen: dict[str, float] = {}


class Target(asyncio.Protocol):
    """One connection; requests on it are answered in turn."""

    report = Report()

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._is_counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports behave as asyncio's, but are none.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        Target.report.connections -= self._is_counted

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        url = self._url
        if url.startswith(b"/bench/"):
            self._transport.write(_control(url))
            return
        report = Target.report
        report.requests += 1
        if not self._is_counted:
            # Only now: whoever asks for reports has a connection, too.
            self._is_counted = True
            report.connections += 1
            report.peak_connections = max(report.peak_connections, report.connections)
        if url.startswith(b"/key/"):
            report.first_seen.setdefault(url[5:].decode(), time.monotonic())
        elif url.startswith(b"/delay/"):
            loop = asyncio.get_running_loop()
            loop.call_later(int(url[7:]) / 1000, self._transport.write, ANSWER)
            return
        self._transport.write(ANSWER)


def _control(url: bytes) -> bytes:
    if url == b"/bench/reset":
        # Connections stay open over a reset: the next measurement may use them again.
        count = Target.report.connections
        Target.report = Report(connections=count, peak_connections=count)
    body = msgspec.json.encode(Target.report)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = await loop.create_server(Target, sock=listener, backlog=BACKLOG)
        print(listener.getsockname()[1], flush=True)
        # The end of standard input is the end of whoever started this.
        await loop.run_in_executor(None, os.read, 0, 1)
        server.close()


def main() -> None:
    """Listen on a free port of 127.0.0.1, print it, and serve until standard input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_serve())


if __name__ == "__main__":
    main()
