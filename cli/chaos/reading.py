"""Reads at every API while it is broken: what people look at, and what looks after the processes."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping

import aiohttp

from cli.chaos.cluster import Cluster
from cli.chaos.load import Load, find_code

READS_PER_SECOND = 4.0
TRY_SECONDS = 8.0
LIVE, READY = "/health/live", "/health/ready"
RUN = "/v1/runs/{run_id}"
PATHS = (LIVE, READY, RUN, f"{RUN}/events", "/v1/runs?limit=20", "/v1/events?limit=20", "/v1/workflows", "/v1/stats")
_OK, _UNAVAILABLE = 200, 503


class Readers:
    """Reads one thing after the other at both APIs in turn, and knows which answers must not be."""

    def __init__(self, cluster: Cluster, load: Load, *, seed: int) -> None:
        self._cluster = cluster
        self._load = load
        self._random = random.Random(f"{seed} reads")  # noqa: S311 - one seed, one run: nobody has to guess it
        self._tasks: set[asyncio.Task[None]] = set()
        self.answers: Counter[str] = Counter()
        self.complaints: list[str] = []

    async def run(self) -> None:
        """Read until cancelled."""
        headers = {"Authorization": f"Bearer {self._cluster.token}"}
        timeout = aiohttp.ClientTimeout(total=TRY_SECONDS)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            try:
                number, due = 0, time.monotonic()
                while True:
                    task = asyncio.create_task(self._read(session, number))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                    number, due = number + 1, due + 1 / READS_PER_SECOND
                    await asyncio.sleep(max(due - time.monotonic(), 0))
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, session: aiohttp.ClientSession, number: int) -> None:
        api = self._cluster.apis[number % len(self._cluster.apis)]
        path = self._random.choice(PATHS)
        if RUN in path:
            # Of those that were accepted one is there, whatever has happened since.
            accepted = [one.run_id for one in self._load.deliveries if one.run_id is not None]
            path = path.format(run_id=self._random.choice(accepted)) if accepted else LIVE
        try:
            async with session.get(f"{api.url}{path}") as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.answers["none"] += 1
            return
        self.answers[str(response.status)] += 1
        fault = find_fault(path, response.status, response.headers, content)
        if fault is not None:
            said = content.decode(errors="replace")[:300]
            self.complaints.append(f"GET {path} at {api.name} was answered {response.status}{fault}: {said}")


def find_fault(path: str, status: int, headers: Mapping[str, str], content: bytes) -> str | None:
    """What is wrong with an answer, in words that follow its status; None where nothing is."""
    if status == _OK or (path == READY and status == _UNAVAILABLE):
        return None
    # Who lives says so, and what is read stands in PostgreSQL.
    if status != _UNAVAILABLE or path == LIVE:
        return ""
    if find_code(content) == "redis_unavailable":
        return " for the sake of Redis"
    return None if "retry-after" in headers else " without Retry-After"
