"""A hundred thousand runs that wait: what they cost, and how late they go on."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cli.bench.figures import BenchFailed, Figure, percentile
from cli.bench.processes import pss_mib
from cli.bench.stage import Stage

IDLE_SECONDS = 10
# Those whose lateness is measured: so many, spread over so long.
PROMPT, PROMPT_SECONDS = 400, 10
LATE_P99_MS = 60.0
CPU_PERCENT = 2.0
WORKER_MIB = 8.0
WAIT_SECONDS = 300.0


async def measure(stage: Stage) -> list[Figure]:
    """100,000 pending delays: CPU and memory while they wait, how late due ones start, and all due at once."""
    count = stage.scale(100_000, 5_000)
    hook = await stage.product.publish(
        "timers", [{"id": "pause", "type": "delay", "with": {"until": "{{ input.until }}"}}]
    )
    workflow_id = UUID(hook.workflow_id)
    workers = stage.product.processes()["worker"]
    due_at = datetime.now(UTC) + timedelta(seconds=stage.scale(240, 75))
    # What passing so many through costs once, is not what waiting costs.
    first = count // 3
    await stage.accept(workflow_id, [{"until": due_at.isoformat()}] * first)
    await stage.ledger.wait_for_sleepers(workflow_id, first, seconds=WAIT_SECONDS)
    memory = pss_mib(workers)
    await stage.accept(workflow_id, [{"until": due_at.isoformat()}] * (count - first))
    await stage.ledger.wait_for_sleepers(workflow_id, count, seconds=WAIT_SECONDS)
    await asyncio.sleep(2)
    grown = pss_mib(workers) - memory
    figures = [
        await _idle(stage, count),
        Figure(
            name=f"worker's memory for {count - first:,} more runs that wait",
            value=grown,
            unit="MiB",
            at_most=WORKER_MIB,
        ),
        await _lateness(stage),
    ]
    left = (due_at - datetime.now(UTC)).total_seconds()
    if left < 0:
        raise BenchFailed(f"the delays were over {-left:.0f} s before all was measured: the machine is too slow")
    await asyncio.sleep(left)
    began = time.monotonic()
    # All of them are runnable in that moment: nothing is written to release them.
    await stage.ledger.wait(hook.workflow_id, count, seconds=WAIT_SECONDS)
    seconds = time.monotonic() - began
    figures.append(Figure(name=f"{count:,} due at once: the last succeeded after", value=seconds, unit="s"))
    figures.append(Figure(name="runs/s meanwhile, one worker", value=count / seconds, unit="runs/s"))
    return figures


async def _idle(stage: Stage, count: int) -> Figure:
    before, began = stage.product.cpu_seconds(), time.monotonic()
    await asyncio.sleep(stage.scale(IDLE_SECONDS, 4))
    spent = sum(stage.product.cpu_seconds().values()) - sum(before.values())
    percent = spent / (time.monotonic() - began) * 100
    return Figure(name=f"CPU of all while {count:,} wait", value=percent, unit="% of a core", at_most=CPU_PERCENT + 1.5)


async def _lateness(stage: Stage) -> Figure:
    """How long after their time delays end that were suspended, among all the others."""
    hook = await stage.product.publish(
        "prompt", [{"id": "pause", "type": "delay", "with": {"until": "{{ input.until }}"}}]
    )
    # Beyond the time for which a run stays in memory.
    first = datetime.now(UTC) + timedelta(seconds=34)
    moments = [first + timedelta(seconds=PROMPT_SECONDS * number / PROMPT) for number in range(PROMPT)]
    await stage.accept(UUID(hook.workflow_id), [{"until": moment.isoformat()} for moment in moments])
    await asyncio.sleep((moments[-1] - datetime.now(UTC)).total_seconds())
    await stage.ledger.wait(hook.workflow_id, PROMPT, seconds=WAIT_SECONDS)
    late = await stage.ledger.delay_lateness(UUID(hook.workflow_id))
    if len(late) != PROMPT:
        raise BenchFailed(f"{len(late)} of {PROMPT} delays were recorded")
    return Figure(name="lateness of due delays p99", value=percentile(late, 0.99), unit="ms", at_most=LATE_P99_MS)
