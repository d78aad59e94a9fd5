"""The claimer: takes announced runs in batches, as many as fit into memory, and sweeps for unannounced ones.

Whichever way runs are found, their workspaces are served in turn, and none gets more than its share of the places.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice, zip_longest
from math import inf
from uuid import UUID

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS
from engine.infra.fair_queue import FairQueue
from engine.infra.shares import Shares
from engine.store.runs import (
    NO_WORKSPACE,
    ClaimedRun,
    RunOfWorkspace,
    claim_runs,
    find_addressed,
    find_due,
    find_due_by_workspace,
    find_queued,
    find_workspaces,
    reading_in_order,
)
from engine.worker.probation import Probation

# While one batch is claimed and loaded, the next one waits: so it is a small one.
BATCH = 100
# Workspaces with runnable runs that one sweep looks at.
WORKSPACES = 100
# Ids that are kept until they are claimed, in all and of one workspace; and for how many it is asked whose they are.
ANNOUNCED_LIMIT = 10_000
LINE_LIMIT = 500
ASKED_AT_ONCE = 1000
RECONCILE_SECONDS = 10.0
# Above this many entries before the flusher, further runs would only wait in memory.
FLUSHER_LIMIT = 2000
# Of one workspace.
UNCOMMITTED_LIMIT = 64

_log = structlog.get_logger()


class Claimer:
    """Owns the worker's housekeeping connection: claims, sweeps and looks after other workers on it, in turn."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        worker_id: int,
        places: Shares,
        may_claim: Callable[[], bool],
        count_claimable: Callable[[int], int],
        take: Callable[[asyncpg.Connection, list[ClaimedRun]], Awaitable[None]],
        look_after: Callable[[asyncpg.Connection], Awaitable[int]],
        reconcile: Callable[[asyncpg.Connection], Awaitable[None]],
        on_reconnect: Callable[[float], None],
        sweep_seconds: float,
    ) -> None:
        self._connect = connect
        self._worker_id = worker_id
        self._places = places
        self._may_claim = may_claim
        self._count_claimable = count_claimable
        self._take = take
        self._look_after = look_after
        self._reconcile = reconcile
        self._on_reconnect = on_reconnect
        self._sweep_seconds = sweep_seconds
        self._announced: dict[UUID, None] = {}
        self._lined_up: FairQueue[UUID] = FairQueue()
        self._probation = Probation()
        self._wake = asyncio.Event()
        self._must_sweep = True
        self._must_look_after = True
        self._queued_after = self._due_after = NO_WORKSPACE
        # Whether runs were left behind for want of a place, and how many have ended: in all, and before the last sweep.
        self._has_left = False
        self._ended = self._ended_before_sweep = 0
        self._reconciled_at = time.monotonic()
        self._connection: asyncpg.Connection | None = None
        self._lost_at: float | None = None

    def announce(self, run_ids: Iterable[UUID]) -> None:
        """These runs may be runnable. What does not fit is dropped: the sweep finds it when there is room."""
        if len(self._announced) < ANNOUNCED_LIMIT:
            self._announced.update(dict.fromkeys(run_ids))
            self._wake.set()
        else:
            self._has_left = True

    def note_durable(self, run_ids: Iterable[UUID]) -> None:
        """Something of these runs was committed: runs that waited for that may be claimed now."""
        if waiting := self._probation.end(run_ids):
            self.announce(waiting)
        if self._lined_up or self._announced:
            self._wake.set()

    def claim_soon(self) -> None:
        """A workspace may have more than before: go on with what waits here, or look for what was left behind."""
        if not self._lined_up and self._has_left:
            self._must_sweep = True
        self._wake.set()

    def note_end(self) -> None:
        """A run has left its place: where others are known to wait for one, and enough are free, look for them."""
        self._ended += 1
        self._sweep_for_room()

    def _sweep_for_room(self) -> None:
        enough = min(BATCH, max(self._places.limit // 8, 1))
        if not self._lined_up and self._places.free > self._places.limit // 2:
            # Nothing is there to go on with until then: the last of a batch may take long to end.
            enough = max(enough // 4, 1)
        if self._has_left and self._ended - self._ended_before_sweep >= enough:
            self.sweep_soon()

    def reconcile_soon(self) -> None:
        """Compare what the database holds for ours with what is known here, with the next look after the others."""
        self._reconciled_at = -RECONCILE_SECONDS

    def sweep_soon(self) -> None:
        """Look for runnable runs without being told of any."""
        self._must_sweep = True
        self._wake.set()

    async def run(self) -> None:
        """Claim and sweep until cancelled."""
        sweeper = asyncio.create_task(self._tick())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._turn(await self._connected())
                except DATABASE_ERRORS as error:
                    _log.warning("claiming_interrupted", error=repr(error))
                    self._disconnect()
                    self._lost_at = self._lost_at or time.monotonic()
                    # A claim may have been made whose answer is lost.
                    self.reconcile_soon()
                    await asyncio.sleep(0.2)
                    self.sweep_soon()
        finally:
            sweeper.cancel()
            self._disconnect()

    async def _tick(self) -> None:
        while True:
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - it only keeps many workers from sweeping in step
            await asyncio.sleep(self._sweep_seconds * jitter)
            self._must_look_after = True
            self.sweep_soon()

    async def _turn(self, connection: asyncpg.Connection) -> None:
        await self._claim_announced(connection)
        if self._must_look_after:
            self._must_look_after = False
            if await self._look_after(connection):
                # Whoever died may have owed others something.
                self.reconcile_soon()
            if time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
                await self._reconcile(connection)
                self._reconciled_at = time.monotonic()
        if self._must_sweep:
            self._must_sweep = self._has_left = False
            # What ends from now on, the sweep may not have seen.
            self._ended_before_sweep = self._ended
            if self._may_claim():
                await self._sweep(connection)
                await self._claim_announced(connection)
                self._sweep_for_room()

    async def _claim_announced(self, connection: asyncpg.Connection) -> None:
        while (self._announced or self._lined_up) and self._may_claim():
            run_ids = list(islice(self._announced, ASKED_AT_ONCE))
            for run_id in run_ids:
                del self._announced[run_id]
            if run_ids and not self._announced and self._is_roomy(len(run_ids)):
                await self._claim(connection, run_ids)
                continue
            if run_ids:
                self._line_up(await find_workspaces(connection, run_ids))
            if not await self._claim_in_turn(connection) and not self._announced:
                break
        # What has no place now is found by the sweep; the rest waits here until those before it have begun.
        if any(not self._places.may_take(workspace) for workspace in self._lined_up.workspaces):
            self._has_left = True
            self._lined_up.drop(lambda workspace: not self._places.may_take(workspace))

    def _line_up(self, runs: Iterable[RunOfWorkspace]) -> None:
        for run in runs:
            workspace = run.workspace_id.int
            if self._lined_up.count(workspace) < LINE_LIMIT and len(self._lined_up) < ANNOUNCED_LIMIT:
                self._lined_up.push(workspace, run.id)
            else:
                self._has_left = True

    def _is_roomy(self, count: int) -> bool:
        """Whether so many runs can be claimed at once, whosever they are: that spares a look at whose they are."""
        return count <= BATCH and not self._lined_up and self._places.free > self._places.limit // 2 + BATCH

    async def _sweep(self, connection: asyncpg.Connection) -> None:
        """Line up runs that nobody announced, some of each workspace."""
        if self._places.free <= 0:
            self._has_left = True
            return
        full = [UUID(int=workspace) for workspace in self._places.full()]
        async with reading_in_order(connection):
            queued, self._queued_after = await find_queued(
                connection, self._queued_after, workspaces=WORKSPACES, limit=BATCH, full=full
            )
            due = await find_due(connection, BATCH)
            if len(due) == BATCH:
                # Perhaps all of one workspace: those of others may lie behind them.
                due, self._due_after = await find_due_by_workspace(
                    connection, self._due_after, workspaces=WORKSPACES, limit=BATCH, full=full
                )
        addressed = await find_addressed(connection, BATCH, full=full)
        # What is lined up already would be found again.
        served = set(self._lined_up.workspaces)
        self._line_up(run for run in _alternate(due, addressed, queued) if run.workspace_id.int not in served)
        metrics.RUNS_SWEPT.inc(len(due) + len(addressed) + len(queued))
        if full or BATCH in (len(due), len(addressed)) or len(queued) >= BATCH:
            self._has_left = True
        if self._queued_after != NO_WORKSPACE or self._due_after != NO_WORKSPACE:
            self.sweep_soon()

    async def _claim_in_turn(self, connection: asyncpg.Connection) -> int:
        """Claim a batch of what is lined up, as far as there are places; how many runs that were."""
        picked: Counter[int] = Counter()
        run_ids: list[UUID] = []

        def may_have(workspace: int) -> bool:
            return self._places.may_take(workspace) and picked[workspace] < self._count_claimable(workspace)

        try:
            while len(run_ids) < BATCH and (one := self._lined_up.pop_where(may_have)) is not None:
                workspace, run_id = one
                self._places.take(workspace)
                picked[workspace] += 1
                run_ids.append(run_id)
            if run_ids:
                await self._claim(connection, run_ids)
            return len(run_ids)
        finally:
            # Those that were claimed have taken places of their own by now.
            for workspace in picked.elements():
                self._places.give_back(workspace)

    async def _claim(self, connection: asyncpg.Connection, run_ids: list[UUID]) -> None:
        is_open = self._probation.is_open
        claimed = await claim_runs(connection, self._worker_id, run_ids, len(run_ids), on_probation=is_open)
        self._probation.note_claim(run_ids, claimed)
        metrics.RUNS_CLAIMED.inc(len(claimed))
        if claimed:
            # Who has few of them comes first: each takes time to load.
            counts = Counter(run.workspace_id for run in claimed)
            claimed.sort(key=lambda run: counts[run.workspace_id])
            await self._take(connection, claimed)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            is_first = self._connection is None and self._lost_at is None
            self._connection = await self._connect()
            if not is_first:
                # One that was closed while it was idle may have been so for long.
                self._on_reconnect(inf if self._lost_at is None else time.monotonic() - self._lost_at)
                self._lost_at = None
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _alternate(*lists: list[RunOfWorkspace]) -> Iterator[RunOfWorkspace]:
    """Of each list the first, of each the second, and so on."""
    return (run for row in zip_longest(*lists) for run in row if run is not None)
