"""A TCP proxy that can take a server away, wholly or in part, from whoever connects through it."""

import asyncio
import contextlib
import re
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_NAME = re.compile(rb"application_name\0([^\0]*)\0")
# PostgreSQL's messages Bind (asyncpg sends Execute and Sync with it) and Query.
_BIND, _QUERY = b"B", b"Q"


class _Connection:
    """One connection through the proxy, with what PostgreSQL's protocol tells of it in passing."""

    def __init__(self, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.writers = writers
        self.name = ""
        # A statement is under way whose answer may be lost.
        self.is_asking = False

    @property
    def port(self) -> int:
        """The port by which the server knows this connection."""
        name = self.writers[1].get_extra_info("sockname")
        return int(name[1]) if name else 0

    def note(self, data: bytes) -> None:
        """Look at what the client sends."""
        if not self.name and (found := _NAME.search(data)):
            self.name = found[1].decode(errors="replace")
        self.is_asking = data[:1] == _BIND or (data[:1] == _QUERY and b"COMMIT" in data[:20])

    def abort(self) -> None:
        """Cut both ends."""
        for writer in self.writers:
            writer.transport.abort()


class FaultyProxy:
    """Stands before the server of a URL; `url` is the same URL through the proxy."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 0)
        self._url = parts
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._requests = asyncio.Event()
        self._answers = asyncio.Event()
        self._latency_seconds = 0.0
        self._to_drop: tuple[int, str] = (0, "")
        # What is held back concerns connections whose name begins so.
        self._held = ""
        self.connections = 0
        self.dropped = 0

    @property
    def url(self) -> str:
        """The server's address through the proxy."""
        credentials, _, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{credentials}@127.0.0.1:{self._port}"))

    @property
    def ports(self) -> dict[int, str]:
        """The ports by which the server knows the open connections, with their application names."""
        return {connection.port: connection.name for connection in self._open}

    def move(self, url: str) -> None:
        """Carry new connections to another server, under the same credentials."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 0)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def restore(self) -> None:
        """Let everything through, at once."""
        self._requests.set()
        self._answers.set()
        self._latency_seconds = 0.0
        self._to_drop = (0, "")
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._requests.set()
        self._answers.set()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Cut every connection; new ones are let through."""
        for connection in list(self._open):
            connection.abort()

    def swallow(self, name: str = "") -> None:
        """Keep connections open and carry nothing any more: a network that is cut in two.

        With `name` it is cut for connections whose application name begins so.
        """
        self._held = name
        self._requests.clear()
        self._answers.clear()

    def mute(self) -> None:
        """Carry requests, and no answer any more: a network that is cut in one direction."""
        self._held = ""
        self._answers.clear()

    def slow_down(self, seconds: float) -> None:
        """Carry everything that much later, in both directions."""
        self._latency_seconds = seconds

    def drop_answers(self, count: int, name: str) -> None:
        """Let the next `count` statements of connections whose name begins so be done and their answers be lost.

        The connection is cut in the place of the answer. `dropped` counts them.
        """
        self._to_drop = (count, name)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection((writer, target_writer))
        self._open.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, target_writer), self._pump(connection, target_reader, writer)
            )
        finally:
            self._open.discard(connection)

    async def _pump(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_answer = writer is connection.writers[0]
        gate = self._answers if is_answer else self._requests
        # RuntimeError: uvloop's word for a connection that was cut from the other side just now.
        with contextlib.suppress(OSError, RuntimeError):
            while data := await reader.read(65536):
                if self._latency_seconds:
                    await asyncio.sleep(self._latency_seconds)
                if not is_answer:
                    connection.note(data)
                if connection.name.startswith(self._held):
                    await gate.wait()
                if is_answer and self._must_drop(connection):
                    connection.abort()
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _must_drop(self, connection: _Connection) -> bool:
        count, name = self._to_drop
        if not count or not connection.is_asking or not connection.name.startswith(name):
            return False
        self._to_drop = (count - 1, name)
        self.dropped += 1
        return True
