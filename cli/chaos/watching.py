"""Looks on while everything breaks: what ended first as what, how large processes grow, what their metrics say."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import asyncpg
import msgspec

from cli.chaos.cluster import Cluster
from cli.chaos.queries import count_connections, read_ends, read_workers

LOOK_SECONDS, METRICS_SECONDS = 1.0, 2.0
# A commit may become visible a little after the time that stands in its row.
OVERLAP_SECONDS = 15.0
_FENCED = re.compile(r'^flowforge_fenced_writes_total\{process="([^"]+)"\} (\S+)$', re.MULTILINE)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_LOUD = ("error", "critical")
# Warnings that tell what was put to the test.
COUNTED = ("worker_starts_anew", "commit_retried")


class Watcher:
    """Everything that has to be seen while it happens."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._fenced: dict[str, float] = {}
        self.first_ends: dict[str, tuple[str, float]] = {}
        # When a worker was first seen fenced; its row may be touched again later.
        self.fenced_at: dict[int, float] = {}
        self.memory_mib: dict[str, float] = {}
        self.connections = 0

    @property
    def fenced_writes(self) -> int:
        """Batches that were refused because their worker had lost its lease, as far as metrics came through."""
        return int(sum(self._fenced.values()))

    async def run(self) -> None:
        """Look until cancelled."""
        await asyncio.gather(
            _repeat(self._look_at_rows, LOOK_SECONDS),
            _repeat(self._look_at_memory, LOOK_SECONDS),
            _repeat(self._look_at_metrics, METRICS_SECONDS),
        )

    async def _look_at_rows(self) -> None:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await self._cluster.connect()
            try:
                latest = max((at for _, at in self.first_ends.values()), default=0.0)
                for run_id, end in (await read_ends(connection, latest - OVERLAP_SECONDS)).items():
                    self.first_ends.setdefault(run_id, end)
                for worker in await read_workers(connection):
                    if not worker.alive:
                        self.fenced_at.setdefault(worker.id, worker.changed_at)
                self.connections = max(self.connections, await count_connections(connection))
            finally:
                await connection.close()

    async def _look_at_memory(self) -> None:
        for process in self._cluster.processes:
            mib = _resident_mib(process.pid)
            self.memory_mib[process.name] = max(mib, self.memory_mib.get(process.name, 0.0))

    async def _look_at_metrics(self) -> None:
        for api in self._cluster.apis:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with (
                    aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                    session.get(f"{api.url}/metrics") as response,
                ):
                    for process, value in _FENCED.findall(await response.text()):
                        self._fenced[process] = max(float(value), self._fenced.get(process, 0.0))


def _resident_mib(pid: int) -> float:
    """Memory of a process; 0 where it does not run."""
    with contextlib.suppress(OSError):
        found = _RESIDENT.search(Path(f"/proc/{pid}/status").read_text()) if pid else None
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def count_loud_lines(logs: Path) -> dict[str, int]:
    """How often each event was logged as an error, and how often workers said that they had lost their lease."""
    counts: dict[str, int] = {}
    for log in logs.glob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            name = _name_of(line)
            if name is not None:
                counts[name] = counts.get(name, 0) + 1
    return counts


def _name_of(line: str) -> str | None:
    try:
        said = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError):
        return "no log line: " + line[:100] if line.startswith(("Traceback", "Fatal")) else None
    if not isinstance(said, dict):
        return None
    name = str(said.get("message", ""))
    return name if said.get("level") in _LOUD or name in COUNTED else None


async def _repeat(look: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await look()
        await asyncio.sleep(seconds)
