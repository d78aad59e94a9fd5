"""Whether one workspace notices that another one floods the product."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from cli.bench.figures import BenchFailed, Figure, percentile, percentiles
from cli.bench.stage import Stage

# How much longer the quiet workspace's p95 may become.
RATIO = 2.0
SLOW_MS = 500
CALLS, TRANSFORMS = 10, 50
PAUSE_SECONDS = 0.04
WAIT_SECONDS = 60.0
WARM = 5

Steps = list[dict[str, Any]]


async def measure(stage: Stage) -> list[Figure]:
    """Short runs of one workspace, alone and while another one has thousands of runs queued and under way."""
    count = stage.scale(200, 40)
    workflow_id = (await stage.product.publish("fairness", _measured(stage))).workflow_id
    async with _watch(stage) as ends:
        await _start_runs(stage, workflow_id, ends, WARM)
        quiet = await _start_runs(stage, workflow_id, ends, count)
        figures = await _describe(stage, "quiet", quiet)
        quiet_p95 = _find_p95(quiet)
        for name, steps, runs in (
            ("slow calls", _slow_calls(stage), stage.scale(12_000, 6_000)),
            ("transforms", _transforms(), stage.scale(40_000, 30_000)),
        ):
            flood_id = await _flood(stage, name, steps, runs)
            began, ended = time.monotonic(), (await stage.ledger.state(str(flood_id))).ended
            times = await _start_runs(stage, workflow_id, ends, count)
            pace = ((await stage.ledger.state(str(flood_id))).ended - ended) / (time.monotonic() - began)
            ratio = _find_p95(times) / quiet_p95
            if await _end_flood(stage, flood_id) == runs and ratio <= RATIO:
                raise BenchFailed(f"the flood of {name} was over before anything was measured")
            figures += await _describe(stage, f"beside {name}", times)
            figures.append(Figure(name=f"pace of the {name} meanwhile", value=pace, unit="runs/s"))
            figures.append(Figure(name=f"p95 beside {name}, to quiet", value=ratio, unit="times", at_most=RATIO))
    return figures


def _measured(stage: Stage) -> Steps:
    request = {"method": "GET", "url": f"{stage.target.url}/step"}
    return [
        {"id": "fetch", "type": "http", "with": request},
        {
            "id": "shape",
            "type": "transform",
            "with": {"values": {"ok": "{{ steps.fetch.output.body.ok }}"}},
            "after": ["fetch"],
        },
        {"id": "send", "type": "http", "with": request, "after": ["shape"]},
    ]


def _slow_calls(stage: Stage) -> Steps:
    request = {"method": "GET", "url": f"{stage.target.url}/delay/{SLOW_MS}"}
    return [{"id": f"s{n}", "type": "http", "with": request, "after": [f"s{n - 1}"][:n]} for n in range(CALLS)]


def _transforms() -> Steps:
    return [
        {
            "id": f"t{n}",
            "type": "transform",
            "with": {"values": {"n": f"{{{{ steps.t{n - 1}.output.n + 1 }}}}" if n else 0}},
            "after": [f"t{n - 1}"][:n],
        }
        for n in range(TRANSFORMS)
    ]


async def _flood(stage: Stage, name: str, steps: Steps, runs: int) -> UUID:
    """So many accepted runs in a workspace of their own; the id of their workflow."""
    published = await stage.product.publish(name, steps)
    flood_id = await stage.copy_to_new_workspace(UUID(published.workflow_id))
    await stage.accept(flood_id, [{}] * runs)
    return flood_id


async def _end_flood(stage: Stage, flood_id: UUID) -> int:
    """End it; how many of its runs had ended by themselves."""
    ended = (await stage.ledger.state(str(flood_id))).ended
    await stage.cancel_queued(flood_id)
    await stage.ledger.wait_for_end(flood_id, seconds=WAIT_SECONDS)
    return ended


async def _start_runs(stage: Stage, workflow_id: str, ends: "_Ends", count: int) -> list["_Run"]:
    """Start so many runs, each once the one before it was heard to succeed on the live stream."""
    runs = []
    for _ in range(count):
        # At irregular times, so that no beat of the product's own is hit or missed each time.
        await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - it only keeps starts out of step
        called_at = time.time()
        answer = await stage.product.call("POST", f"/v1/workflows/{workflow_id}/runs", {"input": {}})
        answered_at = time.time()
        heard_at = await ends.wait(answer["run_id"])
        runs.append(_Run(UUID(answer["run_id"]), called_at, answered_at, heard_at))
    return runs


def _find_p95(runs: list["_Run"]) -> float:
    return percentile([run.heard_at - run.called_at for run in runs], 0.95)


async def _describe(stage: Stage, when: str, runs: list["_Run"]) -> list[Figure]:
    """From the start call to the end on the live stream, and how long each part of that way took."""
    lives = await stage.ledger.lives([run.id for run in runs])
    parts: dict[str, list[float]] = {"accepting": [], "to its start": [], "driving": [], "to the stream": []}
    for run in runs:
        started_at, finished_at = lives[run.id]
        moments = (run.called_at, run.answered_at, started_at.timestamp(), finished_at.timestamp(), run.heard_at)
        for part, (since, until) in zip(parts.values(), pairwise(moments), strict=True):
            # By the database's clock as the worker has it, which may be behind a little.
            part.append(max(until - since, 0.0) * 1000)
    figures = percentiles(f"{when}, start call to succeeded", [(run.heard_at - run.called_at) * 1000 for run in runs])
    return figures + [
        Figure(name=f"{when}, {part} p{round(share * 100)}", value=percentile(times, share), unit="ms")
        for part, times in parts.items()
        for share in (0.5, 0.95)
    ]


class _Run(Struct, frozen=True):
    """A run of the quiet workspace: Unix times of its start call, of the answer, and of its end on the live stream."""

    id: UUID
    called_at: float
    answered_at: float
    heard_at: float


class _Ends:
    """When runs were heard to succeed."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = asyncio.Event()

    async def listen(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            if line.startswith(b"data: ") and b"run.succeeded" in line:
                self._at[msgspec.json.decode(line[6:])["run_id"]] = time.time()
                self._news.set()

    async def wait(self, run_id: str) -> float:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while run_id not in self._at:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise BenchFailed(f"a run had not succeeded after {WAIT_SECONDS:.0f} s") from None
        return self._at[run_id]


@contextlib.asynccontextmanager
async def _watch(stage: Stage) -> AsyncIterator[_Ends]:
    ends = _Ends()
    async with stage.product.stream() as stream:
        listener = asyncio.create_task(ends.listen(stream.content))
        try:
            yield ends
        finally:
            listener.cancel()
