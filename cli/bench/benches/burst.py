"""Many webhooks at once, each for a workflow of five requests."""

import time

from cli.bench.figures import BenchFailed, Figure, percentile
from cli.bench.hooks import send_all
from cli.bench.stage import Stage

CONNECTIONS = 32
STEPS = 5
STEPS_PER_SECOND = 1000.0
WAIT_SECONDS = 60.0


async def measure(stage: Stage) -> list[Figure]:
    """Webhooks for a workflow of 5 http steps: from the first one sent to the last run `succeeded`."""
    events = stage.scale(1000, 200)
    steps = events * STEPS
    hook = await stage.sequence("burst", STEPS)
    await send_all(hook.url, [b"{}"], connections=1)
    await stage.ledger.wait(hook.workflow_id, 1, seconds=WAIT_SECONDS)
    await stage.target.reset()
    cpu, began = stage.product.cpu_seconds(), time.time()
    sent = await send_all(hook.url, [b'{"order":7}'] * events, connections=CONNECTIONS)
    if sent.refused:
        raise BenchFailed(f"{sent.refused} of {events} webhooks were refused")
    state = await stage.ledger.wait(hook.workflow_id, events + 1, seconds=WAIT_SECONDS)
    after = stage.product.cpu_seconds()
    report = await stage.target.report()
    if report.requests != steps or state.last_end is None:
        raise BenchFailed(f"the target had {report.requests} requests of {steps} steps")
    seconds = state.last_end.timestamp() - began
    bare = await stage.bare(steps, report.peak_connections)
    return [
        Figure(name="all accepted after", value=sent.seconds, unit="s"),
        Figure(name="webhook to answer p99", value=percentile(sent.latencies_ms, 0.99), unit="ms"),
        Figure(name="all succeeded after", value=seconds, unit="s"),
        Figure(
            name="durable http steps",
            value=steps / seconds,
            unit="steps/s",
            bare=steps / bare.seconds,
            at_least=STEPS_PER_SECOND,
        ),
        Figure(name="most requests in flight", value=report.peak_connections, unit="connections"),
        *stage.cpu_figures(cpu, after, steps, bare),
    ]
