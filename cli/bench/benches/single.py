"""How long one short run takes on an idle system."""

import asyncio
import itertools
import time
from datetime import datetime
from uuid import UUID

import msgspec

from cli.bench.figures import BenchFailed, Figure, percentile, percentiles
from cli.bench.stage import Stage

STEPS = 10
WHOLE_MS = 25.0
STEP_MS = 2.0
PAUSE_SECONDS = 0.05
WAIT_SECONDS = 10.0


async def measure(stage: Stage) -> list[Figure]:
    """Runs of 10 `http` steps one after the other: from the start call to `succeeded`, and what a step adds."""
    count = stage.scale(100, 20)
    hook = await stage.sequence("single", STEPS)
    wholes: list[float] = []
    heard: list[float] = []
    runs: list[str] = []
    async with stage.product.stream() as stream:
        ended: dict[str, float] = {}
        news = asyncio.Event()
        listener = asyncio.create_task(_listen(stream.content, ended, news))
        for _ in range(count + 3):
            await asyncio.sleep(PAUSE_SECONDS)
            began, called = time.monotonic(), time.time()
            answer = await stage.product.call("POST", f"/v1/workflows/{hook.workflow_id}/runs", {"input": {}})
            run_id = answer["run_id"]
            async with asyncio.timeout(WAIT_SECONDS):
                while run_id not in ended:
                    news.clear()
                    await news.wait()
            heard.append((ended[run_id] - began) * 1000)
            wholes.append(((await stage.ledger.ended_at(UUID(run_id))).timestamp() - called) * 1000)
            runs.append(run_id)
        listener.cancel()
    # The first ones pay for what is kept afterwards.
    wholes, heard, runs = wholes[3:], heard[3:], runs[3:]
    bare = await stage.bare(count * STEPS, 1)
    request = percentile(bare.latencies_ms, 0.5)
    steps = [gap - request for run_id in runs for gap in await _gaps(stage, run_id)]
    figures = percentiles("start call to succeeded", wholes, p50_at_most=WHOLE_MS)
    figures += percentiles("start call to succeeded on the stream", heard)
    figures += percentiles("what a step adds to its request", steps, p50_at_most=STEP_MS)
    figures.append(Figure(name="bare request p50", value=request, unit="ms"))
    return figures


async def _gaps(stage: Stage, run_id: str) -> list[float]:
    """The milliseconds from the end of each step to the end of the next, by the journal."""
    ends: list[datetime] = await stage.ledger.step_ends(UUID(run_id))
    if len(ends) != STEPS:
        raise BenchFailed(f"{len(ends)} of {STEPS} steps were recorded")
    return [(later - earlier).total_seconds() * 1000 for earlier, later in itertools.pairwise(ends)]


async def _listen(lines: object, ended: dict[str, float], news: asyncio.Event) -> None:
    async for line in lines:  # type: ignore[attr-defined]  # aiohttp's stream of lines
        if line.startswith(b"data: ") and b"run.succeeded" in line:
            ended[str(msgspec.json.decode(line[6:])["run_id"])] = time.monotonic()
            news.set()
