"""One module a bench; each has `async def measure(stage) -> list[Figure]`, whose first docstring line describes it."""

from collections.abc import Awaitable, Callable

from cli.bench.benches import burst, control, idle, ingest, latency, start, steps
from cli.bench.figures import Figure
from cli.bench.stage import Stage

# In this order: what needs a quiet product comes first.
BENCHES: dict[str, Callable[[Stage], Awaitable[list[Figure]]]] = {
    "start": start.measure,
    "idle": idle.measure,
    "latency": latency.measure,
    "burst": burst.measure,
    "steps": steps.measure,
    "control": control.measure,
    "ingest": ingest.measure,
}
