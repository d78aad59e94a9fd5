"""Whether one workspace notices that another one floods the product."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec

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
        figures = percentiles("start call to succeeded, quiet", quiet)
        for name, steps, runs in (
            ("slow calls", _slow_calls(stage), stage.scale(12_000, 6_000)),
            ("transforms", _transforms(), stage.scale(40_000, 30_000)),
        ):
            flood_id = await _flood(stage, name, steps, runs)
            times = await _start_runs(stage, workflow_id, ends, count)
            ratio = percentile(times, 0.95) / percentile(quiet, 0.95)
            if await _end_flood(stage, flood_id) == runs and ratio <= RATIO:
                raise BenchFailed(f"the flood of {name} was over before anything was measured")
            figures += percentiles(f"beside {name} of another workspace", times)
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


async def _start_runs(stage: Stage, workflow_id: str, ends: "_Ends", count: int) -> list[float]:
    """The milliseconds from each start call to `run.succeeded` on the live stream, one run at a time."""
    times = []
    for _ in range(count):
        # At irregular times, so that no beat of the product's own is hit or missed each time.
        await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - it only keeps starts out of step
        began = time.monotonic()
        answer = await stage.product.call("POST", f"/v1/workflows/{workflow_id}/runs", {"input": {}})
        times.append((await ends.wait(answer["run_id"]) - began) * 1000)
    return times


class _Ends:
    """When runs were heard to succeed."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = asyncio.Event()

    async def listen(self, lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            if line.startswith(b"data: ") and b"run.succeeded" in line:
                self._at[msgspec.json.decode(line[6:])["run_id"]] = time.monotonic()
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
