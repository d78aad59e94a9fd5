"""Loading a claimed run: its version's graph, its journal as state; and the end of a run that cannot be loaded."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.core.events import (
    ErrorInfo,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunQueued,
    RunSucceeded,
    RunTimedOut,
    StepSucceeded,
    decode_event,
)
from engine.core.graph import Graph
from engine.core.payloads import find_needed, sum_payloads
from engine.core.replay import replay
from engine.core.statuses import RunStatus
from engine.core.transitions import InvalidTransition
from engine.infra.database import create_pool
from engine.infra.settings import Settings
from engine.steps.compilation import compile_definition
from engine.store.journal import read_journal
from engine.store.payloads import read_payload, read_payloads
from engine.store.runs import ClaimedRun, load_definition
from engine.store.variables import read_variables
from engine.worker.driver import Driver
from engine.worker.entries import make_entry
from engine.worker.flusher import Entry
from engine.worker.handover import until_committed
from engine.worker.host import Host

MAX_CRASHES = 3
CACHED_GRAPHS = 256
LOADED_AT_ONCE = 8


class BrokenRun(Exception):
    """A run that no worker can go on with."""

    def __init__(self, reason: str, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.reason = reason
        self.error = error


class RunLoader:
    """Makes drivers of claimed runs. Graphs are immutable, so that each version is compiled once and kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._graphs: dict[UUID, Graph] = {}
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def load_all(
        self, host: Host, runs: Sequence[ClaimedRun]
    ) -> tuple[list[tuple[Driver, dict[str, Any]]], list[tuple[ClaimedRun, BrokenRun]]]:
        """Drivers of claimed runs with the variables that they read, and those runs that no worker can go on with."""
        drivers, broken = [], []
        for number, run in enumerate(runs, start=1):
            if number % LOADED_AT_ONCE == 0:
                # What else there is to do comes in between.
                await asyncio.sleep(0)
            try:
                drivers.append(await self.load(host, run, {}))
            except BrokenRun as error:
                broken.append((run, error))
        variables = await self.read_variables(drivers)
        return [(driver, variables.get(driver.run.id, {})) for driver in drivers], broken

    async def load(self, host: Host, run: ClaimedRun, refused: dict[tuple[str, int], ErrorInfo]) -> Driver:
        """The driver of a run as its journal left it. Raises BrokenRun."""
        if run.crashes >= MAX_CRASHES:
            message = f"{run.crashes} workers died while they had the run, so it is not tried again"
            raise BrokenRun("worker_crashed", ErrorInfo(code="worker_crashed", message=message))
        return await self._make_driver(host, run, refused)

    async def load_to_end(self, host: Host, run: ClaimedRun) -> Driver:
        """The driver of a run that is to be ended, and no more. Raises BrokenRun.

        What killed its workers may be the size of its outputs: then it comes without the large ones.
        """
        try:
            return await self._make_driver(host, run, {}, is_bare=run.crashes >= MAX_CRASHES)
        except BrokenRun:
            return await self._make_driver(host, run, {}, is_bare=True)

    async def _make_driver(
        self, host: Host, run: ClaimedRun, refused: dict[tuple[str, int], ErrorInfo], *, is_bare: bool = False
    ) -> Driver:
        """The driver of a run; a bare one knows nothing of its large outputs, and can only end it."""
        try:
            graph = self._graphs.get(run.version_id) or await self._load_graph(run.version_id)
            events = [decode_event(payload) for _, payload in run.journal]
            payload_bytes = sum_payloads(events)
            if payload_bytes and not is_bare:
                events = await self._fill_in(run.id, graph, events)
            state = replay(graph, events, run_id=str(run.id), attempt=run.attempt, is_bare=is_bare)
        except (InvalidTransition, msgspec.MsgspecError, KeyError, ValueError) as error:
            message = f"the run's journal or its definition cannot be read: {error!r}"
            raise BrokenRun("internal_error", ErrorInfo(code="internal_error", message=message)) from error
        queued = events[0]
        if not isinstance(queued, RunQueued):
            message = "the run's journal has no beginning"
            raise BrokenRun("internal_error", ErrorInfo(code="internal_error", message=message))
        return Driver(host, run, graph, state, queued, refused, payload_bytes)

    async def _fill_in(self, run_id: UUID, graph: Graph, events: list[RunEvent]) -> list[RunEvent]:
        """The events with the large outputs that may still be read; raises KeyError where one is gone."""
        needed = find_needed(graph, events)
        data = await read_payloads(await self.connected(), run_id, [ref.ref for ref in needed.values()])
        return [
            msgspec.structs.replace(event, output=msgspec.json.decode(data[event.output_ref.ref]))
            if isinstance(event, StepSucceeded) and event.output_ref is not None and event.step in needed
            else event
            for event in events
        ]

    async def read_journal(self, run_id: UUID) -> list[tuple[int, bytes]]:
        """The run's journal as it stands."""
        return [(row["seq"], row["payload"]) for row in await read_journal(await self.connected(), run_id)]

    async def read_anew(self, driver: Driver) -> ClaimedRun:
        """The run as its journal has it, once nothing of its abandoned driver is under way to it any more."""
        await until_committed(driver)
        return msgspec.structs.replace(driver.run, journal=await self.read_journal(driver.run.id))

    async def read_payload(self, run_id: UUID, ref: str) -> Any:
        """The value of an output that lies in a payload; raises KeyError where it is gone."""
        data = await read_payload(await self.connected(), run_id, ref)
        if data is None:
            raise KeyError(ref)
        return msgspec.json.decode(data)

    async def read_variables(self, drivers: Sequence[Driver]) -> dict[UUID, dict[str, Any]]:
        """By run, the variables of its workspace that its expressions name, as runs that start now see them.

        One query for all; none where nobody is to start that reads any.
        """
        readers = [driver for driver in drivers if driver.state.status is RunStatus.QUEUED and _reads_variables(driver)]
        if not readers:
            return {}
        kept = await read_variables(await self.connected(), list({driver.run.workspace_id for driver in readers}))
        return {driver.run.id: _pick_variables(driver, kept[driver.run.workspace_id]) for driver in readers}

    def has_ended(self, run: ClaimedRun) -> bool:
        """Whether the run's journal has its end already."""
        try:
            last = decode_event(run.journal[-1][1])
        except msgspec.MsgspecError:
            return False
        return isinstance(last, RunSucceeded | RunFailed | RunCancelled | RunTimedOut)

    def failure_entry(self, run: ClaimedRun, broken: BrokenRun, at: datetime) -> Entry:
        """The entry that ends a run which cannot be driven."""
        event = RunFailed(at=at, error=broken.error, reason=broken.reason)
        return make_entry(run, run.journal[-1][0], [event], traceparent=None)

    async def close(self) -> None:
        """Give the connections up."""
        if self._pool is not None:
            self._pool.terminate()

    async def _load_graph(self, version_id: UUID) -> Graph:
        raw = await load_definition(await self.connected(), version_id)
        # A megabyte of expressions takes many seconds, in which the lease must be renewed and other runs go on.
        graph = await asyncio.to_thread(compile_definition, raw)
        if len(self._graphs) >= CACHED_GRAPHS:
            self._graphs.pop(next(iter(self._graphs)))
        self._graphs[version_id] = graph
        return graph

    async def connected(self) -> asyncpg.Pool:
        """Connections for what happens beside the hot path."""
        # Used for the first run of a version and after refusals only: opened when it is needed, by whoever comes first.
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await create_pool(self._settings, name="worker-load", size=2)
        return self._pool


def _reads_variables(driver: Driver) -> bool:
    return driver.graph.variables is None or bool(driver.graph.variables)


def _pick_variables(driver: Driver, kept: dict[str, bytes]) -> dict[str, Any]:
    named = kept if driver.graph.variables is None else kept.keys() & driver.graph.variables
    return {name: msgspec.json.decode(kept[name]) for name in sorted(named)}
