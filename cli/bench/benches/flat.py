"""Whether a step costs the same however many runs there are, and however large the definition is."""

from uuid import UUID

from cli.bench.figures import Figure
from cli.bench.stage import Stage

FEW_STEPS, MANY_STEPS = 10, 2_000
WAIT_SECONDS = 180.0
# What still counts as flat, the noise of two measurements included.
GROWTH = 1.5


async def measure(stage: Stage) -> list[Figure]:
    """CPU per `transform` step: definitions of 10 and of 2,000 steps, then again among 100,000 more runs."""
    steps = stage.scale(40_000, 20_000)
    small = await _chain(stage, FEW_STEPS)
    large = await _chain(stage, MANY_STEPS)
    few = await _cost(stage, small, FEW_STEPS, steps)
    many = await _cost(stage, large, MANY_STEPS, steps)
    others = stage.scale(100_000, 5_000)
    await stage.fill(UUID(small), others)
    crowded = await _cost(stage, small, FEW_STEPS, steps)
    return [
        Figure(name=f"CPU per step, {FEW_STEPS} in the definition", value=few, unit="µs"),
        Figure(name=f"CPU per step, {MANY_STEPS:,} in the definition", value=many, unit="µs"),
        Figure(name=f"CPU per step, {others:,} more runs in the database", value=crowded, unit="µs"),
        Figure(name="growth with the definition", value=many / few, unit="times", at_most=GROWTH),
        Figure(name="growth with the runs", value=crowded / few, unit="times", at_most=GROWTH),
    ]


async def _chain(stage: Stage, count: int) -> str:
    step = {"type": "transform", "with": {"values": {"n": "{{ input.n + 1 }}"}}}
    hook = await stage.product.publish(
        f"flat {count}", [{**step, "id": f"s{n}", **({"after": [f"s{n - 1}"]} if n else {})} for n in range(count)]
    )
    # The first run compiles the definition.
    await stage.accept(UUID(hook.workflow_id), [{"n": 1}])
    await stage.ledger.wait_for_end(UUID(hook.workflow_id), seconds=WAIT_SECONDS)
    return hook.workflow_id


async def _cost(stage: Stage, workflow_id: str, steps_in_run: int, steps: int) -> float:
    """CPU time of worker and PostgreSQL a step, in µs, from the first claim to the last end."""
    with stage.product.held_workers():
        await stage.accept(UUID(workflow_id), [{"n": 1}] * (steps // steps_in_run))
        before = stage.product.cpu_seconds()
    await stage.ledger.wait_for_end(UUID(workflow_id), seconds=WAIT_SECONDS)
    after = stage.product.cpu_seconds()
    return sum(after[role] - before[role] for role in ("worker", "postgres")) / steps * 1_000_000
