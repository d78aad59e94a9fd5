"""What the product's own database says became of the runs: the judge of every figure."""

import asyncio
import time
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
# Two looks into small indexes: the count would cost more than what is measured.
_BUSY = """
SELECT EXISTS (SELECT FROM run WHERE owner IS NOT NULL)
    OR EXISTS (SELECT FROM run WHERE owner IS NULL AND status IN ('queued', 'running'))
"""
_STEPS = """
SELECT count(*) FROM journal JOIN run ON run.id = journal.run_id
WHERE run.workflow_id = $1 AND journal.kind = 'step.succeeded'
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
