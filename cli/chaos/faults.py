"""What a fault is, what it acts on, and how long it takes until the work goes on."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import asyncpg
from msgspec import Struct

from cli.chaos.cluster import Cluster
from cli.chaos.processes import Process
from cli.chaos.queries import read_ports_in_use
from cli.chaos.waiting import wait_until
from engine.infra.database import DATABASE_ERRORS
from engine.store.outbox import RELAY_LOCK

# How recovery from a fault is measured:
# - hand_over: until nothing that the victim owned is left with it or lies idle;
# - first_commit: until the first transition that was committed afterwards;
# - late_start: the longest time that a run accepted meanwhile had to wait for its start;
# - late_answer: the longest time that a start sent meanwhile took until it was accepted;
# - come_back: until the victim has had a statement answered again.
Measure = Literal["hand_over", "first_commit", "late_start", "late_answer", "come_back"]
HAND_OVER_SECONDS = 40.0
# What does not happen within so long is told, and the fault is over.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.03

_VICTIMS = """
SELECT worker.id, worker.pid, array_agg(run.id) FILTER (WHERE run.id IS NOT NULL) AS runs
FROM worker LEFT JOIN run ON run.owner = worker.id
WHERE worker.alive GROUP BY worker.id ORDER BY count(run.id) DESC, worker.id
"""
# What the victims took between the look at them and the fault is theirs as well.
_NOT_IN_HAND = """
SELECT EXISTS (SELECT FROM run WHERE owner = ANY ($2)) OR EXISTS (
    SELECT FROM run WHERE id = ANY ($1) AND finished_at IS NULL
        AND owner IS NULL AND (wake_at IS NULL OR wake_at <= now())
)
"""
# Other duties of relays are led by locks of their own.
_LEADER = """
SELECT activity.client_port FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
    AND (held.classid::bigint << 32 | held.objid::bigint) = $1
"""
_IS_FENCED = "SELECT NOT alive FROM worker WHERE id = $1"


class Owner(Struct, frozen=True):
    """A worker process that owns runs, as the database sees it."""

    process: Process
    worker_id: int
    run_ids: Sequence[object]


class Shot(Struct, kw_only=True):
    """A fault that was done: to whom, when, and from when on recovery counts. Times of the machine's clock.

    It has not fired where there was nothing that it could hit.
    """

    fault: str
    victim: str
    at: float
    counts_from: float
    until: float = 0.0
    seconds: float | None = None
    note: str = ""
    has_fired: bool = True
    # What the product did wrong right then.
    complaint: str = ""


class Kill(Struct, frozen=True, kw_only=True):
    """A process that was killed beside a fault, and when by the machine's clock."""

    role: str
    at: float


class Scene:
    """What faults act on. `random` is seeded; `is_long` asks for the full length of outages."""

    def __init__(self, cluster: Cluster, chance: random.Random, *, is_long: bool) -> None:
        self.cluster = cluster
        self.random = chance
        self.is_long = is_long
        self._connection: asyncpg.Connection | None = None

    async def database(self) -> asyncpg.Connection:
        """A connection of the nemesis's own, made anew after the server was away."""
        while self._connection is None or self._connection.is_closed():
            try:
                self._connection = await self.cluster.connect()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(LOOK_SECONDS)
        return self._connection

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.terminate()

    async def owners(self) -> list[Owner]:
        """The living workers, the one with the most runs first."""
        connection = await self.database()
        pids = {process.pid: process for process in self.cluster.of("worker") if process.pid}
        return [
            Owner(pids[row["pid"]], row["id"], row["runs"] or [])
            for row in await connection.fetch(_VICTIMS)
            if row["pid"] in pids
        ]

    async def busiest(self) -> Owner:
        """The worker that owns the most runs; waits for one that owns any."""
        while True:
            owners = await self.owners()
            if owners and owners[0].run_ids:
                return owners[0]
            await asyncio.sleep(LOOK_SECONDS)

    async def leading_relay(self) -> Process:
        """The relay that publishes; waits for one."""
        while True:
            port = await (await self.database()).fetchval(_LEADER, RELAY_LOCK)
            for relay in self.cluster.of("relay"):
                if port in relay.postgres.ports:
                    return relay
            await asyncio.sleep(LOOK_SECONDS)

    async def is_fenced(self, owner: Owner) -> bool:
        """Whether this incarnation of a worker was declared dead."""
        with contextlib.suppress(*DATABASE_ERRORS):
            return bool(await (await self.database()).fetchval(_IS_FENCED, owner.worker_id))
        return False

    async def wait_for_fence(self, owner: Owner) -> str:
        """Wait until it was; the complaint where it never is."""
        if await wait_until(lambda: self.is_fenced(owner), seconds=PATIENCE_SECONDS):
            return ""
        return f"{owner.process.name} was not declared dead within {PATIENCE_SECONDS:.0f} s"

    async def come_back(self, process: Process, since: float) -> float:
        """Seconds since a moment of the machine's clock until a statement of this process's was answered again."""

        async def is_back() -> bool:
            with contextlib.suppress(*DATABASE_ERRORS):
                return bool(process.postgres.ports.keys() & await read_ports_in_use(await self.database(), since))
            return False

        await wait_until(is_back, seconds=PATIENCE_SECONDS)
        return time.time() - since

    async def hand_over(self, owners: Sequence[Owner], began: float) -> float | None:
        """Seconds since `began` (monotonic) until every run of these owners is in other hands, has ended, or rests.

        None where they owned nothing.
        """
        run_ids = [run_id for owner in owners for run_id in owner.run_ids]
        if not run_ids:
            return None
        workers = [owner.worker_id for owner in owners]
        while time.monotonic() - began < HAND_OVER_SECONDS:
            try:
                if not await (await self.database()).fetchval(_NOT_IN_HAND, run_ids, workers):
                    return time.monotonic() - began
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                continue
            await asyncio.sleep(LOOK_SECONDS)
        return HAND_OVER_SECONDS

    async def wait_for_worker(self, process: Process) -> None:
        """Wait until this process has a living incarnation again."""
        while True:
            if process.pid and any(owner.process is process for owner in await self.owners()):
                return
            await asyncio.sleep(LOOK_SECONDS)


class Fault(Struct, frozen=True, kw_only=True):
    """A kind of fault. `number` is that of the fault matrix; `goal` in seconds of its measure."""

    name: str
    number: str
    text: str
    measure: Measure
    goal: float
    inject: Callable[[Scene], Awaitable[Shot]]
    # Why it cannot be done on this machine; None where it can.
    obstacle: Callable[[], str | None] = lambda: None
    # Something acknowledged is lost by it, as must be seen: it is done where it is named, and not by default.
    loses: bool = False


def begin(fault: str, victim: str) -> Shot:
    """A shot that begins now."""
    now = time.time()
    return Shot(fault=fault, victim=victim, at=now, counts_from=now)
