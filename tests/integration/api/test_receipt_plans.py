"""A page of receipts costs a page, whatever is asked for and however many receipts there are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.infra.ids import floor_id, new_id
from engine.store.receipts import ReceiptFilter, choose, list_receipts, reading_along_indexes
from tests.integration.plans import Cost, add_workflow, bind, measure

NOW = datetime.now(UTC)
MANY, LIMIT = 15_000, 21
# For each of the few indexes that are asked, a few pages down to its leaves, and one for each row that is read.
PAGES = 200

_FILL = """
INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, received_at)
SELECT overlay($1::uuid::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, $3, $4, now()
FROM generate_series(1, $5::int) AS n
"""


class Archive:
    """A workspace with very many receipts of one trigger, and few of others before and after them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.workspace_id, self.stranger_id = new_id(), new_id()
        self.busy, self.quiet, self.other = new_id(), new_id(), new_id()
        self.workflows: dict[UUID, UUID] = {}

    async def fill(self) -> None:
        """The quiet workflow's receipts are the oldest, and the flood after them is of another one."""
        for workspace_id in (self.workspace_id, self.stranger_id):
            await self.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", workspace_id)
        for trigger_id in (self.busy, self.quiet, self.other):
            self.workflows[trigger_id] = await self._add_workflow(trigger_id)
        await self._receive(9, self.quiet, "started", 30)
        await self._receive(9, self.quiet, "duplicate", 30, first=100)
        await self._receive(8, self.busy, "started", MANY)
        await self._receive(7, self.busy, "filtered", MANY)
        await self._receive(6, new_id(), "started", MANY, workspace_id=self.stranger_id)

    async def _add_workflow(self, trigger_id: UUID) -> UUID:
        workflow_id = await add_workflow(self.connection, self.workspace_id)
        await self.connection.execute(
            "INSERT INTO workflow_trigger (id, workspace_id, workflow_id, type, config) "
            "VALUES ($1, $2, $3, 'webhook', '{}')",
            trigger_id,
            self.workspace_id,
            workflow_id,
        )
        return workflow_id

    async def _receive(
        self,
        hours_ago: int,
        trigger_id: UUID,
        outcome: str,
        count: int,
        *,
        workspace_id: UUID | None = None,
        first: int = 0,
    ) -> None:
        floor = floor_id(NOW - timedelta(hours=hours_ago, seconds=first))
        await self.connection.execute(_FILL, floor, workspace_id or self.workspace_id, trigger_id, outcome, count)

    async def read_page(self, chosen: ReceiptFilter) -> tuple[list[dict[str, Any]], Cost]:
        """A page, and what it cost: bound, as callers are."""
        statement, values = choose(self.workspace_id, chosen, None, LIMIT)
        async with self.connection.transaction():
            await bind(self.connection, self.workspace_id)
            async with reading_along_indexes(self.connection):
                cost = await measure(self.connection, statement, *values)
            found = await list_receipts(self.connection, self.workspace_id, chosen, before=None, limit=LIMIT)
        return found, cost


@pytest.fixture
async def archive(clean_database: str) -> AsyncIterator[Archive]:
    connection = await asyncpg.connect(clean_database)
    opened = Archive(connection)
    await opened.fill()
    yield opened
    await connection.close()


@pytest.mark.parametrize("plans", ["force_generic_plan", "force_custom_plan"])
async def test_a_page_of_receipts_costs_a_page_whatever_is_asked_for(archive: Archive, plans: str) -> None:
    quiet, other = archive.workflows[archive.quiet], archive.workflows[archive.other]
    expected = [
        (ReceiptFilter(), LIMIT),
        (ReceiptFilter(workflow_id=quiet), LIMIT),
        (ReceiptFilter(workflow_id=other), 0),
        (ReceiptFilter(workflow_id=archive.workflows[archive.busy]), LIMIT),
        (ReceiptFilter(trigger_id=archive.quiet), LIMIT),
        (ReceiptFilter(trigger_id=archive.quiet, workflow_id=other), 0),
        (ReceiptFilter(outcomes=["duplicate"]), LIMIT),
        (ReceiptFilter(outcomes=["pending", "rejected"]), 0),
        (ReceiptFilter(workflow_id=archive.workflows[archive.busy], outcomes=["pending", "duplicate"]), 0),
        (ReceiptFilter(workflow_id=quiet, outcomes=["duplicate", "started"]), LIMIT),
        (ReceiptFilter(trigger_id=archive.busy, outcomes=["duplicate"]), 0),
        (ReceiptFilter(workflow_id=quiet, until=floor_id(NOW - timedelta(hours=8, minutes=30))), LIMIT),
        (ReceiptFilter(workflow_id=quiet, since=floor_id(NOW - timedelta(hours=8, minutes=30))), 0),
    ]
    await archive.connection.execute(f"SET plan_cache_mode = {plans}")
    # What the planner knows of the table: nothing, by a poor sample, by the usual one.
    for look in ("SELECT", "SET default_statistics_target = 1; ANALYZE inbound_event", "RESET ALL; ANALYZE"):
        await archive.connection.execute(look)
        await archive.connection.execute(f"SET plan_cache_mode = {plans}")
        for chosen, count in expected:
            found, cost = await archive.read_page(chosen)
            assert len(found) == count, chosen
            assert cost.pages <= PAGES, (chosen, cost.plan)


async def test_pages_follow_each_other_without_a_gap(archive: Archive) -> None:
    chosen = ReceiptFilter(workflow_id=archive.workflows[archive.quiet], outcomes=["started", "duplicate"])
    seen: list[UUID] = []
    before: UUID | None = None
    while page := await list_receipts(archive.connection, archive.workspace_id, chosen, before=before, limit=7):
        seen += [receipt["id"] for receipt in page]
        before = seen[-1]
    assert len(seen) == 60
    assert seen == sorted(set(seen), reverse=True)


async def test_receipts_of_another_workspace_are_not_listed(archive: Archive) -> None:
    for chosen in (
        ReceiptFilter(trigger_id=archive.quiet),
        ReceiptFilter(workflow_id=archive.workflows[archive.quiet]),
        ReceiptFilter(trigger_id=archive.quiet, outcomes=["duplicate"]),
    ):
        assert await list_receipts(archive.connection, archive.stranger_id, chosen, before=None, limit=LIMIT) == []
