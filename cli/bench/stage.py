"""What a bench has to work with: the product, a target, a bare client, and the database as a witness."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

import aiohttp
import asyncpg
import msgspec

from cli.bench.bare import Outcome, Task
from cli.bench.figures import BenchFailed, Figure
from cli.bench.ledger import Ledger
from cli.bench.processes import cpu_seconds, machine_busy_seconds
from cli.bench.product import BenchProduct, Hook
from cli.bench.runs import accept_runs, cancel_queued, copy_to_new_workspace, fill_with_ended, find_workflow
from cli.bench.target import Report
from cli.steps import ROOT, environment

ACCEPT_AT_ONCE = 1000
# Connections that idle are kept for some seconds.
SETTLE_SECONDS, SETTLE_LOOK_SECONDS = 10.0, 0.1


class Stage:
    """One product and one target for all benches of a run. `is_quick`: fewer repetitions, rougher figures."""

    def __init__(self, product: BenchProduct, target: "TargetProcess", ledger: Ledger, *, is_quick: bool) -> None:
        self.product = product
        self.target = target
        self.ledger = ledger
        self.is_quick = is_quick

    def scale(self, full: int, quick: int) -> int:
        """How many repetitions to make."""
        return quick if self.is_quick else full

    async def reopen(self) -> None:
        """After a new start of the product: the database's address may be another one."""
        await self.ledger.close()
        self.ledger = await Ledger.open(self.product.database_url)

    async def sequence(self, name: str, steps: int) -> Hook:
        """A workflow of so many http steps, one after the other, to the target that answers at once."""
        step: dict[str, Any] = {"type": "http", "with": {"method": "GET", "url": f"{self.target.url}/step"}}
        return await self.product.publish(
            name, [{**step, "id": f"s{n}", **({"after": [f"s{n - 1}"]} if n else {})} for n in range(steps)]
        )

    async def bare(self, requests: int, concurrency: int, path: str = "/step", *, is_own: bool = False) -> Outcome:
        """The same requests by a bare aiohttp client in a process of its own, or by the engine's client there."""
        concurrency = min(concurrency, requests)
        await self.target.settle()
        task = Task(url=self.target.url + path, requests=requests, concurrency=concurrency, is_own=is_own)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli.bench.bare",
            msgspec.json.encode(task).decode(),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise BenchFailed(f"the bare client ended with code {process.returncode}")
        return msgspec.json.decode(output, type=Outcome)

    async def accept(self, workflow_id: UUID, inputs: Sequence[Any]) -> None:
        """Start runs of a published workflow by the API's own statement, many in a commit: this is not measured."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            origin = await find_workflow(connection, workflow_id)
            for first in range(0, len(inputs), ACCEPT_AT_ONCE):
                await accept_runs(connection, origin, inputs[first : first + ACCEPT_AT_ONCE])
        finally:
            await connection.close()

    async def copy_to_new_workspace(self, workflow_id: UUID) -> UUID:
        """Publish a workflow a second time, in a workspace of its own; the id of the copy."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            return await copy_to_new_workspace(connection, workflow_id)
        finally:
            await connection.close()

    async def cancel_queued(self, workflow_id: UUID) -> None:
        """Take all runs of a workflow away that no worker has begun."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            await cancel_queued(connection, workflow_id)
        finally:
            await connection.close()

    async def fill(self, workflow_id: UUID, runs: int) -> None:
        """Put runs into the database that have ended, with their journals."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            await fill_with_ended(connection, workflow_id, runs)
        finally:
            await connection.close()

    def cpu_figures(
        self,
        before: Mapping[str, float],
        after: Mapping[str, float],
        count: float,
        bare: Outcome | None = None,
        *,
        what: str = "step",
        goals: Mapping[str, float] = MappingProxyType({}),
        ratio_at_most: float | None = None,
    ) -> list[Figure]:
        """The CPU time that each of `count` steps or events cost, by role, and in all beside a bare client's request.

        `goals`: µs at most, by role.
        """
        spent = {role: (after[role] - before[role]) / count * 1_000_000 for role in after}
        figures = [
            Figure(name=f"CPU per {what}, {role}", value=spent[role], unit="µs", at_most=goals.get(role))
            for role in ("worker", "postgres", "api", "relay", "valkey")
        ]
        in_all = Figure(
            name=f"CPU per {what}, in all",
            value=sum(spent.values()),
            unit="µs",
            bare=bare.cpu_seconds / len(bare.latencies_ms) * 1_000_000 if bare else None,
            at_most=ratio_at_most,
            is_goal_of_ratio=True,
        )
        return [*figures, in_all]

    def own_cpu_seconds(self) -> float:
        """CPU time of everything that belongs to this bench: product, target, clients and this process."""
        # With what this process has waited for, as the bare client.
        own = [os.getpid(), self.target.pid]
        return cpu_seconds(own) + sum(self.product.cpu_seconds().values())


@contextlib.asynccontextmanager
async def open_stage(*, is_quick: bool) -> AsyncIterator[Stage]:
    """Start target and product, and leave nothing behind."""
    async with TargetProcess() as target:
        settings = {"FLOWFORGE_HTTP_ALLOW_PRIVATE": f"127.0.0.1:{target.port}"}
        async with BenchProduct(settings) as product:
            stage = Stage(product, target, await Ledger.open(product.database_url), is_quick=is_quick)
            try:
                yield stage
            finally:
                await stage.ledger.close()


class TargetProcess:
    """`cli.bench.target` as a process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._start()
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
        if self._process:
            self._process.communicate()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli.bench.target"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        if self._process.stdout is not None:
            self.port = int(self._process.stdout.readline())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process else 0

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def report(self) -> Report:
        """What it has seen since the last reset."""
        return await self._ask("/bench/report")

    async def settle(self) -> None:
        """Wait until whoever has called it has closed its connections: a process has only so many."""
        deadline = time.monotonic() + SETTLE_SECONDS
        # Another process has them: there is no event to wait for, so that it is asked again and again.
        while (await self.report()).connections and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(SETTLE_LOOK_SECONDS)

    async def reset(self) -> None:
        """Count anew."""
        await self._ask("/bench/reset")

    async def _ask(self, path: str) -> Report:
        if self._session is None:
            raise TypeError("the target is not open")
        async with self._session.get(self.url + path) as response:
            return msgspec.json.decode(await response.read(), type=Report)


class Noise:
    """How busy others kept the machine during a block, in percent of one core."""

    percent = 0.0


@contextlib.contextmanager
def watch_noise(stage: Stage) -> Iterator[Noise]:
    """Compare what the machine did with what we did, over the block."""
    noise = Noise()
    busy, own, began = machine_busy_seconds(), stage.own_cpu_seconds(), time.monotonic()
    yield noise
    others = machine_busy_seconds() - busy - (stage.own_cpu_seconds() - own)
    noise.percent = max(others, 0.0) / (time.monotonic() - began) * 100
