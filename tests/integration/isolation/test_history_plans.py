"""A bound transaction reads a run's history at the price of an unbound one, however many runs there are."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from engine.infra.ids import new_id
from engine.store import histories, journal, reads
from tests.integration.plans import add_workflow, bind, measure

# More pages than `SLACK`, should somebody go through all of them.
RUNS: Final = 20_000
# A run of two thousand steps.
EVENTS: Final = 6_000
# What binding, opening the run and planning may touch beyond the rows themselves.
SLACK: Final = 100

_RUNS = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status)
SELECT overlay($1::uuid::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, $3, $3, 1, 'api', 'queued'
FROM generate_series(1, $4::int) AS n
"""
_EVENTS = """
INSERT INTO journal (run_id, seq, kind, at, payload)
SELECT $1, n, 'step.succeeded', now(), convert_to('{"type":"step.succeeded","step":"s' || n || '"}', 'UTF8')
FROM generate_series(1, $2::int) AS n
"""


class Archive:
    """A workspace with very many runs, of which one has a long history."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.workspace_id, self.run_id = new_id(), new_id()

    async def fill(self) -> None:
        await self.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", self.workspace_id)
        workflow_id = await add_workflow(self.connection, self.workspace_id)
        await self.connection.execute(_RUNS, new_id(), self.workspace_id, workflow_id, RUNS)
        await self.connection.execute(
            "INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status) "
            "VALUES ($1, $2, $3, $3, 1, 'api', 'queued')",
            self.run_id,
            self.workspace_id,
            workflow_id,
        )
        await self.connection.execute(_EVENTS, self.run_id, EVENTS)

    async def count_pages(self, statement: str, *values: Any, is_bound: bool, opens: UUID | None = None) -> int:
        """The pages of the disk that a statement looks at."""
        async with self.connection.transaction():
            if is_bound:
                await bind(self.connection, self.workspace_id)
            if opens is not None:
                assert await reads.open_run(self.connection, opens, self.workspace_id) is not None
            return (await measure(self.connection, statement, *values)).pages


@pytest.fixture
async def archive(clean_database: str) -> AsyncIterator[Archive]:
    connection = await asyncpg.connect(clean_database)
    opened = Archive(connection)
    await opened.fill()
    yield opened
    await connection.close()


@pytest.mark.parametrize("look", ["SELECT", "ANALYZE"], ids=["before statistics", "with statistics"])
async def test_a_long_history_costs_a_bound_reader_what_it_costs_others(archive: Archive, look: str) -> None:
    await archive.connection.execute(look)
    run_id = archive.run_id
    for statement, values in (
        (histories._TOP_LEVEL, (run_id,)),
        (journal._READ, (run_id, 0, 1_000)),
        (histories._TIMINGS, (run_id, 20_000)),
    ):
        free = await archive.count_pages(statement, *values, is_bound=False)
        bound = await archive.count_pages(statement, *values, is_bound=True, opens=run_id)
        assert bound <= free + SLACK, (statement, free, bound)


@pytest.mark.parametrize("look", ["SELECT", "ANALYZE"], ids=["before statistics", "with statistics"])
async def test_an_event_is_seen_through_its_run_without_going_through_all_runs(archive: Archive, look: str) -> None:
    await archive.connection.execute(look)
    one = "SELECT payload FROM journal WHERE run_id = ANY ($1::uuid[]) AND seq = 1"
    pages = await archive.count_pages(one, [archive.run_id], is_bound=True)
    assert pages <= SLACK
    whole = await archive.count_pages("SELECT count(*) FROM run", is_bound=False)
    assert whole > 2 * SLACK, "to go through all runs would be seen"


@pytest.mark.parametrize("look", ["SELECT", "ANALYZE"], ids=["before statistics", "with statistics"])
async def test_a_page_of_runs_costs_a_bound_reader_a_page(archive: Archive, look: str) -> None:
    await archive.connection.execute(look)
    chosen = reads._arguments(archive.workspace_id, reads.RunFilter(), None, 51)
    free = await archive.count_pages(reads._LIST, *chosen, is_bound=False)
    assert await archive.count_pages(reads._LIST, *chosen, is_bound=True) <= free + SLACK
