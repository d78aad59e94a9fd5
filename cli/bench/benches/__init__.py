"""One module a bench; each has `async def measure(stage) -> list[Figure]`, whose first docstring line describes it."""

from collections.abc import Awaitable, Callable

from cli.bench.benches import (
    burst,
    control,
    fairness,
    fanout,
    flat,
    idle,
    ingest,
    latency,
    lone,
    single,
    start,
    steps,
    timers,
)
from cli.bench.figures import Figure
from cli.bench.stage import Stage

# In this order: what needs a quiet product comes first.
BENCHES: dict[str, Callable[[Stage], Awaitable[list[Figure]]]] = {
    "start": start.measure,
    "idle": idle.measure,
    "latency": latency.measure,
    "lone": lone.measure,
    "single": single.measure,
    "burst": burst.measure,
    "steps": steps.measure,
    "control": control.measure,
    "ingest": ingest.measure,
    "fanout": fanout.measure,
    "fairness": fairness.measure,
    "timers": timers.measure,
    "flat": flat.measure,
}
