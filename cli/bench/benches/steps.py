"""Many runs of sequential requests, with nothing else to do."""

import asyncio

from cli.bench.figures import BenchFailed, Figure
from cli.bench.hooks import send_all
from cli.bench.stage import Stage

CONNECTIONS = 32
STEPS = 10
# What is between these shares of all requests counts: neither the start, nor the last runs alone.
FIRST_SHARE, LAST_SHARE = 0.2, 0.8
LOOK_SECONDS = 0.02
WAIT_SECONDS = 120.0
RATIO = 0.65
WORKER_MICROSECONDS = 40.0
POSTGRES_MICROSECONDS = 25.0
CPU_RATIO = 1.5


async def measure(stage: Stage) -> list[Figure]:
    """Runs of 10 http steps, accepted while the worker stands still: its steady pace, and what a step costs."""
    runs = stage.scale(2000, 300)
    steps = runs * STEPS
    hook = await stage.sequence("steps", STEPS)
    await send_all(hook.url, [b"{}"], connections=1)
    await stage.ledger.wait(hook.workflow_id, 1, seconds=WAIT_SECONDS)
    await stage.target.reset()
    with stage.product.held_workers():
        sent = await send_all(hook.url, [b'{"order":7}'] * runs, connections=CONNECTIONS)
    if sent.refused:
        raise BenchFailed(f"{sent.refused} of {runs} webhooks were refused")
    first, began = await _reach(stage, steps * FIRST_SHARE)
    cpu = stage.product.cpu_seconds()
    last, ended = await _reach(stage, steps * LAST_SHARE)
    after = stage.product.cpu_seconds()
    state = await stage.ledger.wait(hook.workflow_id, runs + 1, seconds=WAIT_SECONDS)
    durable = await stage.ledger.count_steps(hook.workflow_id)
    report = await stage.target.report()
    if durable != steps + STEPS or report.requests != steps or state.last_end is None:
        raise BenchFailed(f"{durable - STEPS} steps were recorded, and {report.requests} requests made, of {steps}")
    bare = await stage.bare(steps, report.peak_connections)
    own = await stage.bare(steps, report.peak_connections, is_own=True)
    bare_cost, own_cost = bare.cpu_seconds / steps * 1_000_000, own.cpu_seconds / steps * 1_000_000
    worker = (after["worker"] - cpu["worker"]) / (last - first) * 1_000_000
    return [
        Figure(
            name="durable http steps",
            value=(last - first) / (ended - began),
            unit="steps/s",
            bare=steps / bare.seconds,
            at_least=RATIO,
            is_goal_of_ratio=True,
        ),
        Figure(name="most requests in flight", value=report.peak_connections, unit="connections"),
        Figure(name="a request by the engine's client alone", value=own_cost, unit="µs", bare=bare_cost),
        Figure(name="worker without its request", value=worker - own_cost, unit="µs", at_most=WORKER_MICROSECONDS),
        Figure(name="worker beyond a bare client's request", value=worker - bare_cost, unit="µs"),
        *stage.cpu_figures(
            cpu, after, last - first, bare, goals={"postgres": POSTGRES_MICROSECONDS}, ratio_at_most=CPU_RATIO
        ),
    ]


async def _reach(stage: Stage, requests: float) -> tuple[int, float]:
    """The target's count once it is at least so high, and when that was."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while (count := (await stage.target.report()).requests) < requests:
        if loop.time() > deadline:
            raise BenchFailed(f"the target had only {count} requests after {WAIT_SECONDS:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)
    return count, loop.time()
