"""One run that calls thousands of slow targets at once."""

import asyncio
import time

import msgspec

from cli.bench.figures import BenchFailed, Figure
from cli.bench.hooks import send_all
from cli.bench.processes import pss_mib
from cli.bench.stage import Stage

SMALL, LARGE = 1_000, 10_000
DELAY_MS = 1_000
SMALL_SECONDS = 1.8
RATIO = 1.3
KIB_IN_FLIGHT = 16.0
# At the middle of the target's second, all of them are in flight.
LOOK_SECONDS = 0.1
WAIT_SECONDS = 60.0


async def measure(stage: Stage) -> list[Figure]:
    """A `foreach` over 1,000 and 10,000 requests of one second each: the run's whole time, and memory in flight."""
    large = stage.scale(LARGE, 2_000)
    hook = await stage.product.publish(
        "fanout",
        [
            {
                "id": "each",
                "type": "foreach",
                "with": {"items": "trigger.body.items", "output": "{{ item }}"},
                "steps": [
                    {
                        "id": "call",
                        "type": "http",
                        "with": {"method": "GET", "url": f"{stage.target.url}/delay/{DELAY_MS}"},
                    }
                ],
            }
        ],
    )
    figures: list[Figure] = []
    runs = 0
    for requests in (10, SMALL, large):
        await stage.target.reset()
        before = pss_mib(stage.product.processes()["worker"])
        is_over = asyncio.Event()
        sampler = asyncio.create_task(_peak_memory(stage, is_over))
        seconds = await _run(stage, hook.url, hook.workflow_id, requests, runs := runs + 1)
        is_over.set()
        peak = await sampler
        if requests < SMALL:
            # It only warms everything up.
            continue
        bare = await stage.bare(requests, requests, f"/delay/{DELAY_MS}")
        is_large = requests == large
        figures.append(
            Figure(
                name=f"run of {requests:,} requests",
                value=seconds,
                unit="s",
                bare=bare.seconds,
                at_most=RATIO if is_large else SMALL_SECONDS,
                is_goal_of_ratio=is_large,
            )
        )
        memory = max(peak - before, 0.0) * 1024 / requests
        figures.append(Figure(name="worker's memory a request", value=memory, unit="KiB", at_most=KIB_IN_FLIGHT))
    return figures


async def _run(stage: Stage, url: str, workflow_id: str, requests: int, runs: int) -> float:
    body = msgspec.json.encode({"items": list(range(requests))})
    began = time.time()
    sent = await send_all(url, [body], connections=1)
    if sent.refused:
        raise BenchFailed("the webhook was refused")
    state = await stage.ledger.wait(workflow_id, runs, seconds=WAIT_SECONDS)
    report = await stage.target.report()
    if report.requests != requests or state.last_end is None:
        raise BenchFailed(f"{report.requests} requests were made of {requests}")
    return state.last_end.timestamp() - began


async def _peak_memory(stage: Stage, is_over: asyncio.Event) -> float:
    pids = stage.product.processes()["worker"]
    peak = 0.0
    while not is_over.is_set():
        peak = max(peak, pss_mib(pids))
        await asyncio.sleep(LOOK_SECONDS)
    return peak
