"""A target that steps call: it records every request and answers by plan, in a thread of its own."""

import asyncio
import itertools
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import web
from msgspec import Struct

from tests.product import PATIENCE_SECONDS, wait_for

Result = TypeVar("Result")


class Received(Struct, frozen=True, kw_only=True):
    """One request, at the target's own clock in Unix seconds. Header names are lower case."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers["idempotency-key"]

    @property
    def trace_id(self) -> str:
        """The trace id of the W3C trace context."""
        return self.headers["traceparent"].split("-")[1]


class Reply(Struct, frozen=True, kw_only=True):
    """An answer: `value` is sent as JSON unless `raw` says otherwise. `delay` in seconds comes first."""

    status: int = 200
    value: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = {}
    delay: float = 0.0


class Reset(Struct, frozen=True):
    """The connection is reset before any answer, as often as the attempt is sent."""


class Rubbish(Struct, frozen=True):
    """These bytes come instead of HTTP, and then the end of the connection, as often as the attempt is sent."""

    raw: bytes


class Hold(Struct, frozen=True):
    """No answer until the test releases it; then an empty 200."""

    released: threading.Event = threading.Event()


class Echo(Struct, frozen=True):
    """All of the request comes back: as JSON, or as whatever `content_type` says, and in headers."""

    status: int = 200
    content_type: str = "application/json"


class Gather(Struct, frozen=True):
    """No answer until `barrier` is full; then an empty 200."""

    barrier: asyncio.Barrier


Answer = Reply | Reset | Rubbish | Hold | Echo | Gather


class TargetServer:
    """The listening server: all tests share it, each under paths of its own."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.plans: dict[str, deque[Answer]] = {}
        self.received: list[Received] = []
        self.answered: list[tuple[float, str]] = []
        # Answers that end the connection, by the attempt that they are for: it may be sent on another one once more.
        self._ends: dict[tuple[str, str, str], Answer] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="target", daemon=True)
        self._numbers = itertools.count(1)

    @contextmanager
    def running(self) -> Iterator["TargetServer"]:
        """Serve until the block ends."""
        self._thread.start()
        runner = self._wait(self._serve())
        try:
            yield self
        finally:
            self._wait(self._end(runner))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    def open_corner(self) -> "Target":
        """A part of this server for one test alone."""
        return Target(self, f"/t{next(self._numbers)}")

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    async def _serve(self) -> web.ServerRunner:
        runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        return runner

    async def _end(self, runner: web.ServerRunner) -> None:
        await runner.cleanup()
        # Answers that nobody waits for any more.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        at = time.time()
        body = await request.read()
        self.received.append(
            Received(
                at=at,
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
            )
        )
        response = await _answer(request, self._choose(request))
        self.answered.append((time.time(), request.path))
        return response

    def _choose(self, request: web.BaseRequest) -> Answer:
        headers = request.headers
        attempt = request.path, headers.get("Idempotency-Key", ""), headers.get("X-FlowForge-Attempt", "")
        plan = self.plans.get(request.path)
        answer = self._ends.get(attempt)
        if answer is None:
            answer = Reply(value={"path": request.path})
            if plan:
                answer = plan.popleft() if len(plan) > 1 else plan[0]
            if isinstance(answer, Reset | Rubbish):
                self._ends[attempt] = answer
        return answer


class Target:
    """One test's part of the server. Paths are relative to it, like `/orders/7`."""

    def __init__(self, server: TargetServer, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._holds: list[Hold] = []

    @property
    def base(self) -> str:
        """The address that paths are added to."""
        return f"http://127.0.0.1:{self._server.port}{self._prefix}"

    def plan(self, path: str, *answers: Answer) -> None:
        """Answer requests to `path` with these in turn, and with the last of them from then on."""
        self._holds += [answer for answer in answers if isinstance(answer, Hold)]
        self._server.plans[self._prefix + path] = deque(answers)

    def hold(self, path: str) -> Hold:
        """Give no answer at `path` until the hold is released."""
        hold = Hold(threading.Event())
        self.plan(path, hold)
        return hold

    def gather(self, path: str, count: int) -> None:
        """Give no answer at `path` until so many requests wait for one at the same time."""
        self.plan(path, Gather(asyncio.Barrier(count)))

    def release_all(self) -> None:
        """Let everything go that is still held."""
        for hold in self._holds:
            hold.released.set()

    def received(self, path: str | None = None) -> list[Received]:
        """What came so far, in order; all of it, or what came to `path`."""
        prefix = self._prefix + "/" if path is None else self._prefix + path
        return [
            request
            for request in list(self._server.received)
            if (request.path.startswith(prefix) if path is None else request.path == prefix)
        ]

    def attempts(self, path: str) -> list[Received]:
        """Of each attempt that came to `path`, the first request: on a new connection it may have come once more."""
        first: dict[tuple[str, str], Received] = {}
        for request in self.received(path):
            first.setdefault((request.key, request.headers["x-flowforge-attempt"]), request)
        return list(first.values())

    def answered_at(self, path: str) -> float:
        """When the latest answer at `path` was ready to be sent."""
        return next(at for at, answered in reversed(self._server.answered) if answered == self._prefix + path)

    def wait(self, path: str, count: int = 1, *, seconds: float = PATIENCE_SECONDS) -> list[Received]:
        """The requests to `path` once there are at least `count`."""
        return wait_for(
            lambda: found if len(found := self.received(path)) >= count else None,
            seconds=seconds,
            what=f"{count} requests to {path}, but {len(self.received(path))}",
        )


async def _answer(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    transport = request.transport
    assert transport is not None
    match answer:
        case Reply():
            await asyncio.sleep(answer.delay)
            if answer.raw is not None:
                return web.Response(status=answer.status, body=answer.raw, headers=answer.headers)
            return web.json_response(answer.value, status=answer.status, headers=answer.headers)
        case Reset():
            raw_socket = transport.get_extra_info("socket")
            raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        case Rubbish():
            transport.write(answer.raw)
            transport.close()
        case Hold():
            while not answer.released.is_set() and not transport.is_closing():
                await asyncio.sleep(0.01)
        case Gather():
            await answer.barrier.wait()
        case Echo():
            heard = {"headers": dict(request.headers), "body": (await request.read()).decode(), "url": request.path_qs}
            spelled = {name: quote(value, safe="") for name, value in request.headers.items()}
            whole = json.dumps({**heard, "spelled": spelled}).encode()
            whole = b"\0" * 4 + whole if answer.content_type == "application/octet-stream" else whole
            told = {"x-heard": request.headers.get("authorization", ""), "content-type": answer.content_type}
            return web.Response(status=answer.status, body=whole, headers=told)
    return web.Response()
