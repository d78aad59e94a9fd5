"""A bare aiohttp client in a process of its own: what the same requests cost without FlowForge.

It is set up as the engine's client is (no cookies, no timer per request, the same headers), so that the difference is
the engine and not a switch. The same by the engine's own client tells what of a step is not its request.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import msgspec
import uvloop
from msgspec import Struct
from yarl import URL

from engine.infra.http_client import HttpClient
from engine.infra.settings import Settings

HEADERS = {
    "User-Agent": "FlowForge/bench",
    "Idempotency-Key": "0199b6f0-7c1e-7d63-a1b2-3c4d5e6f7a8b:step",
    "FlowForge-Attempt": "1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
}


TIMEOUT_SECONDS = 60.0


class Task(Struct):
    """So many GET requests of `url`, `concurrency` at a time, on kept connections; `is_own`: by the engine's client."""

    url: str
    requests: int
    concurrency: int
    is_own: bool = False


class Outcome(Struct):
    """How it went: wall time and CPU time of the client, and each request's time."""

    seconds: float
    cpu_seconds: float
    latencies_ms: list[float]


Request = Callable[[], Awaitable[object]]


async def _perform(task: Task) -> Outcome:
    return await (_perform_own(task) if task.is_own else _perform_bare(task))


async def _perform_bare(task: Task) -> Outcome:
    timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        headers=HEADERS,
    ) as session:

        async def request() -> None:
            async with session.get(task.url) as response:
                msgspec.json.decode(await response.read())

        return await _repeat(task, request)


async def _perform_own(task: Task) -> Outcome:
    headers = [(name, value) for name, value in HEADERS.items() if name != "User-Agent"]
    async with HttpClient(Settings(http_allow_private=URL(task.url).authority)) as client:

        async def request() -> None:
            response = await client.request("GET", task.url, headers=headers, timeout=TIMEOUT_SECONDS)
            msgspec.json.decode(response.body)

        return await _repeat(task, request)


async def _repeat(task: Task, request: Request) -> Outcome:
    latencies: list[float] = []
    todo = iter(range(task.requests))
    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(_follow(request, todo, latencies) for _ in range(task.concurrency)))
    return Outcome(time.perf_counter() - started, time.process_time() - cpu, latencies)


async def _follow(request: Request, todo: Iterator[int], latencies: list[float]) -> None:
    for _ in todo:
        started = time.perf_counter()
        await request()
        latencies.append((time.perf_counter() - started) * 1000)


def main() -> None:
    """Perform the task given as JSON in the first argument, and print its outcome as JSON."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    task = msgspec.json.decode(sys.argv[1], type=Task)
    print(msgspec.json.encode(uvloop.run(_perform(task))).decode())


if __name__ == "__main__":
    main()
