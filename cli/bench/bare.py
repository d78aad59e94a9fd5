"""A bare aiohttp client in a process of its own: what the same requests cost without FlowForge.

It is set up as the engine's client is (no cookies, no timer per request, the same headers), so that the difference is
the engine and not a switch.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Iterator

import aiohttp
import msgspec
import uvloop
from msgspec import Struct

HEADERS = {
    "User-Agent": "FlowForge/bench",
    "Idempotency-Key": "0199b6f0-7c1e-7d63-a1b2-3c4d5e6f7a8b:step",
    "FlowForge-Attempt": "1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
}


class Task(Struct):
    """So many GET requests of `url`, `concurrency` at a time, each connection kept."""

    url: str
    requests: int
    concurrency: int


class Outcome(Struct):
    """How it went: wall time and CPU time of the client, and each request's time."""

    seconds: float
    cpu_seconds: float
    latencies_ms: list[float]


async def _perform(task: Task) -> Outcome:
    latencies: list[float] = []
    timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        headers=HEADERS,
    ) as session:
        todo = iter(range(task.requests))
        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.gather(*(_request(session, task.url, todo, latencies) for _ in range(task.concurrency)))
        return Outcome(time.perf_counter() - started, time.process_time() - cpu, latencies)


async def _request(session: aiohttp.ClientSession, url: str, todo: Iterator[int], latencies: list[float]) -> None:
    for _ in todo:
        started = time.perf_counter()
        async with session.get(url) as response:
            msgspec.json.decode(await response.read())
        latencies.append((time.perf_counter() - started) * 1000)


def main() -> None:
    """Perform the task given as JSON in the first argument, and print its outcome as JSON."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    task = msgspec.json.decode(sys.argv[1], type=Task)
    print(msgspec.json.encode(uvloop.run(_perform(task))).decode())


if __name__ == "__main__":
    main()
