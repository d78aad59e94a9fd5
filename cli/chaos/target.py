"""The process that the steps of a chaos run call: it records every request before it answers, and answers by plan.

A line of the file is one request, as JSON: when it came, its idempotency key, run, step, attempt, and the answer that
was planned. The file is only ever appended to.
"""

import asyncio
import hashlib
import os
import socket
import struct
import sys
import time
from collections import Counter
from typing import Any, ClassVar, cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

from cli.chaos.ledger import Effect

# Of a hundred calls: so many are answered in this way the first time that their key is seen; all others at once.
PLAN = (("slow", 14), ("long", 3), ("error", 6), ("reset", 5), ("limited", 4))
_SLOW_SECONDS, _LONG_SECONDS = 0.4, 4.0
_OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
_LIMITED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


class Call(Struct, frozen=True):
    """The body of every request: what the reference knows the effect by."""

    run: str
    n: int
    step: str
    item: int | None = None


def plan(seed: int, call: Call) -> str:
    """How the first request of an effect is answered: the same for the same seed."""
    text = f"{seed}:{call.n}:{call.step}:{call.item}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big") % 100
    for name, share in PLAN:
        if number < share:
            return name
        number -= share
    return "ok"


class Target(asyncio.Protocol):
    """One connection; requests on it are answered in turn."""

    file: ClassVar = 0
    seed: ClassVar = 0
    seen: ClassVar[Counter[str]] = Counter()
    reset: ClassVar[set[tuple[str, int]]] = set()

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports behave as asyncio's, but are none.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        at = time.time()
        call = msgspec.json.decode(self._body, type=Call)
        key = self._headers.get(b"idempotency-key", b"").decode()
        Target.seen[key] += 1
        attempt = int(self._headers.get(b"x-flowforge-attempt", b"0"))
        answer = plan(Target.seed, call) if Target.seen[key] == 1 or (key, attempt) in Target.reset else "ok"
        if answer == "reset":
            # On a new connection the attempt may come once more: that is not to be its rescue.
            Target.reset.add((key, attempt))
        effect = Effect(
            at=at,
            key=key,
            run_id=call.run,
            n=call.n,
            step=call.step if call.item is None else f"{call.step}#{call.item}",
            attempt=attempt,
            answer=answer,
        )
        os.write(Target.file, msgspec.json.encode(effect) + b"\n")
        self._answer(answer)

    def _answer(self, answer: str) -> None:
        loop = asyncio.get_running_loop()
        match answer:
            case "slow":
                loop.call_later(_SLOW_SECONDS, self._send, _OK)
            case "long":
                loop.call_later(_LONG_SECONDS, self._send, _OK)
            case "error":
                self._send(_ERROR)
            case "limited":
                self._send(_LIMITED)
            case "reset":
                # The effect is there, and the caller cannot know: the connection ends with a reset.
                plug: Any = self._transport.get_extra_info("socket")
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._transport.abort()
            case _:
                self._send(_OK)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = await loop.create_server(Target, sock=listener, backlog=2048)
        print(listener.getsockname()[1], flush=True)
        # The end of standard input is the end of whoever started this.
        await loop.run_in_executor(None, os.read, 0, 1)
        server.close()


def main(path: str, seed: int) -> None:
    """Listen on a free port of 127.0.0.1, print it, and record into `path` until standard input ends."""
    Target.file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    Target.seed = seed
    uvloop.run(_serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
