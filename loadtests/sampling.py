"""What the processes of the product use while they are under load, and what waits in the outbox."""

import asyncio
import os
import time
from typing import Self

import asyncpg
from msgspec import Struct

from cli.bench.processes import cpu_seconds, descendants, machine_busy_seconds, pss_mib
from cli.bench.product import BenchProduct
from cli.report import progress

_WAITING = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections
"""
LOCUST = "locust"


class Sample(Struct, frozen=True, kw_only=True):
    """How things stood at a moment of the wall clock. CPU in seconds so far, memory in MiB, both by role."""

    at: float
    cpu: dict[str, float]
    memory: dict[str, float]
    outbox: int
    connections: int
    # Of everything on this machine, whoever it belongs to; and of all that belongs to the load test.
    busy_seconds: float
    own_seconds: float


class Sampler:
    """Takes a sample at every interval, from `begin` to `end`."""

    def __init__(self, product: BenchProduct, interval: float) -> None:
        self._product = product
        self._interval = interval
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self.locust: int | None = None
        self.samples: list[Sample] = []

    async def __aenter__(self) -> Self:
        self._connection = await asyncpg.connect(
            self._product.database_url, server_settings={"application_name": "flowforge-loadtest"}
        )
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            try:
                await self._task
            except asyncio.CancelledError:
                pass
            except Exception as error:
                # The load test is worth something without it, and bounds of what was not measured are missed.
                progress(f"nothing more was measured: {type(error).__name__}: {error}")
        if self._connection is not None:
            await self._connection.close()

    async def _run(self) -> None:
        while True:
            self.samples.append(await self._look())
            await asyncio.sleep(self._interval)

    async def _look(self) -> Sample:
        if self._connection is None:
            raise TypeError("the sampler is not open")
        row = await self._connection.fetchrow(_WAITING)
        processes = self._product.processes()
        if self.locust is not None:
            processes[LOCUST] = descendants(self.locust)
        cpu = {role: cpu_seconds(pids) for role, pids in processes.items()}
        return Sample(
            at=time.time(),
            cpu=cpu,
            memory={role: pss_mib(pids) for role, pids in processes.items()},
            outbox=row["outbox"],
            connections=row["connections"],
            busy_seconds=machine_busy_seconds(),
            own_seconds=sum(cpu.values()) + cpu_seconds([os.getpid()]),
        )
