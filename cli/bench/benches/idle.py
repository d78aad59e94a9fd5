"""What the product costs while nothing happens."""

import asyncio

from cli.bench.figures import Figure
from cli.bench.processes import pss_mib
from cli.bench.stage import Stage

SETTLE_SECONDS = 4
CPU_PERCENT = 3.0
MEMORY_MIB = 300.0


async def measure(stage: Stage) -> list[Figure]:
    """CPU and memory of the idle product, by role and in all."""
    await asyncio.sleep(stage.scale(SETTLE_SECONDS, 1))
    loop = asyncio.get_running_loop()
    before, began = stage.product.cpu_seconds(), loop.time()
    await asyncio.sleep(stage.scale(15, 4))
    after, seconds = stage.product.cpu_seconds(), loop.time() - began
    percent = {role: (after[role] - before[role]) / seconds * 100 for role in after}
    figures = [Figure(name=f"CPU {role}", value=percent[role], unit="% of a core") for role in sorted(percent)]
    total = sum(percent.values())
    figures.append(Figure(name="CPU in all", value=total, unit="% of a core", at_most=CPU_PERCENT))
    memory = {role: pss_mib(pids) for role, pids in stage.product.processes().items()}
    figures += [Figure(name=f"memory {role}", value=memory[role], unit="MiB PSS") for role in sorted(memory)]
    in_all = sum(memory.values())
    figures.append(Figure(name="memory in all", value=in_all, unit="MiB PSS", at_most=MEMORY_MIB))
    return figures
