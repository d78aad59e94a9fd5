"""What the product's own database says became of the runs: the judge of every figure."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

import asyncpg
from msgspec import Struct

from cli.bench.figures import BenchFailed

LOOK_SECONDS = 0.05

_STATE = """
SELECT count(*) AS runs, count(finished_at) AS ended, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
       min(started_at) AS first_start, max(finished_at) AS last_end
FROM run WHERE workflow_id = $1
"""
# Looks into small indexes: the count would cost more than what is measured.
_BUSY = """
SELECT EXISTS (SELECT FROM run WHERE owner IS NOT NULL)
    OR EXISTS (SELECT FROM run WHERE owner IS NULL AND status IN ('queued', 'running'))
    OR EXISTS (SELECT FROM run WHERE owner IS NULL AND wake_at <= now())
"""
_STEPS = """
SELECT count(*) FROM journal JOIN run ON run.id = journal.run_id
WHERE run.workflow_id = $1 AND journal.kind = 'step.succeeded'
"""
_SLEEPERS = """
SELECT count(*) FROM run WHERE workflow_id = $1 AND owner IS NULL AND wake_at IS NOT NULL
"""
_UNFINISHED = "SELECT EXISTS (SELECT FROM run WHERE workflow_id = $1 AND finished_at IS NULL)"
_STEP_ENDS = "SELECT at FROM journal WHERE run_id = $1 AND kind = 'step.succeeded' ORDER BY seq"
_SESSIONS = """
SELECT pid, application_name AS name FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_LIVES = "SELECT id, started_at, finished_at FROM run WHERE id = ANY ($1::uuid[])"
_LATENESS = """
SELECT extract(epoch FROM done.at - (convert_from(asked.payload, 'UTF8')::json ->> 'due_at')::timestamptz)::float8
    * 1000
FROM run
JOIN journal AS asked ON asked.run_id = run.id AND asked.kind = 'step.waiting'
JOIN journal AS done ON done.run_id = run.id AND done.kind = 'step.succeeded'
WHERE run.workflow_id = $1
"""


class State(Struct, frozen=True):
    """All runs of one workflow."""

    runs: int
    ended: int
    succeeded: int
    first_start: datetime | None
    last_end: datetime | None


class Ledger:
    """A connection of the bench's own to the product's database; it only reads."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to the product's database."""
        return cls(await asyncpg.connect(url, server_settings={"application_name": "flowforge-bench"}))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def version(self) -> str:
        """PostgreSQL's version."""
        return str(await self._connection.fetchval("SHOW server_version")).split()[0]

    async def state(self, workflow_id: str) -> State:
        """How far the runs of a workflow are."""
        return State(*await self._connection.fetchrow(_STATE, UUID(workflow_id)))

    async def count_steps(self, workflow_id: str) -> int:
        """How many steps of a workflow's runs have durably succeeded."""
        return int(await self._connection.fetchval(_STEPS, UUID(workflow_id)))

    async def wait(self, workflow_id: str, runs: int, *, seconds: float) -> State:
        """The state once no run is under way: so many have `succeeded`. Raises BenchFailed."""
        deadline = time.monotonic() + seconds
        while await self._connection.fetchval(_BUSY):
            if time.monotonic() > deadline:
                state = await self.state(workflow_id)
                raise BenchFailed(f"{state.ended} of {runs} runs had ended after {seconds:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)
        state = await self.state(workflow_id)
        if state.succeeded != runs or state.runs != runs:
            raise BenchFailed(f"{state.succeeded} of {state.runs} runs succeeded; {runs} were started")
        return state

    async def wait_for_sleepers(self, workflow_id: UUID, runs: int, *, seconds: float) -> None:
        """Wait until exactly so many runs of a workflow are suspended. Raises BenchFailed."""
        deadline = time.monotonic() + seconds
        while (asleep := await self._connection.fetchval(_SLEEPERS, workflow_id)) != runs:
            if time.monotonic() > deadline:
                raise BenchFailed(f"{asleep} runs were suspended after {seconds:.0f} s, and should be {runs}")
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_for_end(self, workflow_id: UUID, *, seconds: float) -> None:
        """Wait until every run of a workflow has ended. Raises BenchFailed."""
        deadline = time.monotonic() + seconds
        while await self._connection.fetchval(_UNFINISHED, workflow_id):
            if time.monotonic() > deadline:
                raise BenchFailed(f"not all runs had ended after {seconds:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)

    async def ended_at(self, run_id: UUID) -> datetime:
        """When a run that has ended did so."""
        moment: datetime = await self._connection.fetchval("SELECT finished_at FROM run WHERE id = $1", run_id)
        return moment

    async def lives(self, run_ids: Sequence[UUID]) -> dict[UUID, tuple[datetime, datetime]]:
        """When runs that have ended began and ended."""
        rows = await self._connection.fetch(_LIVES, list(run_ids))
        return {row["id"]: (row["started_at"], row["finished_at"]) for row in rows}

    async def step_ends(self, run_id: UUID) -> list[datetime]:
        """When the steps of a run succeeded, in order."""
        return [row["at"] for row in await self._connection.fetch(_STEP_ENDS, run_id)]

    async def sessions(self) -> dict[int, str]:
        """The product's sessions by process id, each by the name it goes by; not the bench's own."""
        rows = await self._connection.fetch(_SESSIONS)
        return {row["pid"]: row["name"].removeprefix("flowforge-") for row in rows}

    async def count_transactions(self) -> int:
        """How many transactions there were so far, as far as sessions have told; some are this one's own."""
        return int(await self._connection.fetchval(_TRANSACTIONS))

    async def delay_lateness(self, workflow_id: UUID) -> list[float]:
        """By how many ms the delays of a workflow's runs ended after their time."""
        return [row[0] for row in await self._connection.fetch(_LATENESS, workflow_id)]
