"""Steps that call nobody: what the engine and its journal cost by themselves."""

import time

from cli.bench.figures import BenchFailed, Figure
from cli.bench.hooks import send_all
from cli.bench.stage import Stage

CONNECTIONS = 32
STEPS = 50
STEPS_PER_SECOND = 20_000.0
WAIT_SECONDS = 60.0


async def measure(stage: Stage) -> list[Figure]:
    """Runs of 50 `if` steps, accepted while the worker stands still: from its first moment to the last `succeeded`."""
    runs = stage.scale(500, 100)
    steps = runs * STEPS
    condition = {"type": "if", "with": {"condition": "trigger.body.order > 3"}}
    hook = await stage.product.publish(
        "control",
        [{**condition, "id": f"s{n}", **({"after": [f"s{n - 1}.true"]} if n else {})} for n in range(STEPS)],
    )
    await send_all(hook.url, [b'{"order":7}'], connections=1)
    await stage.ledger.wait(hook.workflow_id, 1, seconds=WAIT_SECONDS)
    with stage.product.held_workers():
        sent = await send_all(hook.url, [b'{"order":7}'] * runs, connections=CONNECTIONS)
        cpu, began = stage.product.cpu_seconds(), time.time()
    if sent.refused:
        raise BenchFailed(f"{sent.refused} of {runs} webhooks were refused")
    state = await stage.ledger.wait(hook.workflow_id, runs + 1, seconds=WAIT_SECONDS)
    after = stage.product.cpu_seconds()
    durable = await stage.ledger.count_steps(hook.workflow_id)
    if durable != steps + STEPS or state.last_end is None:
        raise BenchFailed(f"{durable - STEPS} of {steps} steps were recorded")
    return [
        Figure(
            name="durable if steps",
            value=steps / (state.last_end.timestamp() - began),
            unit="steps/s",
            at_least=STEPS_PER_SECOND,
        ),
        *stage.cpu_figures(cpu, after, steps),
    ]
