"""Schedules that are due come in turn: nobody is kept up for good, by those on time or by those with much to do."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from engine.infra.settings import Settings
from engine.relay import scheduler as module
from engine.relay.scheduler import Scheduler
from tests.integration.relay.triggers import Workspace

# More than two turns to make up for.
LONG_LATE = {"every_seconds": 60, "missed": "run_all", "missed_limit": 1000}
HOURLY = {"every_seconds": 3600}


class Turns:
    """Schedules of one workflow, and whose turn it was."""

    def __init__(self, workspace: Workspace, scheduler: Scheduler, workflow_id: UUID) -> None:
        self._workspace = workspace
        self._scheduler = scheduler
        self._workflow_id = workflow_id
        self._names: dict[UUID, str] = {}

    async def add(self, name: str, config: object, due_ago: timedelta) -> None:
        """A schedule that has been due for so long."""
        self._names[await self._workspace.add_schedule(self._workflow_id, config, due_ago=due_ago)] = name

    async def fire(self) -> set[str]:
        """Fire one batch; those that had their turn in it."""
        before = await self._due_times()
        assert await self._scheduler.fire(self._workspace.connection)
        after = await self._due_times()
        return {self._names[one] for one, due_at in after.items() if due_at != before[one]}

    async def _due_times(self) -> dict[UUID, datetime | None]:
        rows = await self._workspace.connection.fetch("SELECT trigger_id, next_due_at FROM schedule")
        return {row["trigger_id"]: row["next_due_at"] for row in rows}


@pytest.fixture
async def turns(clean_database: str, relay_settings: Settings) -> AsyncIterator[Turns]:
    connection = await asyncpg.connect(clean_database)
    workspace = await Workspace(connection).open()
    yield Turns(workspace, Scheduler(relay_settings), await workspace.publish())
    await connection.close()


async def test_who_waits_longest_comes_first_and_has_another_turn_once_all_had_theirs(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_SCHEDULES", 1)
    for name, hours in (("third", 2), ("first", 4), ("second", 3)):
        await turns.add(name, LONG_LATE, timedelta(hours=hours))
    order = [await turns.fire() for _ in range(6)]
    assert order == [{"first"}, {"second"}, {"third"}] * 2


async def test_of_those_on_time_who_waits_longest_comes_first(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    # However long this test is on its way.
    monkeypatch.setattr(module, "GRACE", timedelta(days=1))
    monkeypatch.setattr(module, "BATCH_SCHEDULES", 1)
    for name, seconds in (("second", 20), ("third", 10), ("first", 30)):
        await turns.add(name, HOURLY, timedelta(seconds=seconds))
    assert [await turns.fire() for _ in range(3)] == [{"first"}, {"second"}, {"third"}]


async def test_others_that_are_due_again_and_again_keep_nobody_up_who_is_late(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", timedelta(minutes=90))
    monkeypatch.setattr(module, "BATCH_SCHEDULES", 4)
    for name in ("late", "as late"):
        await turns.add(name, LONG_LATE, timedelta(hours=3))
    seen = []
    for number in range(4):
        for name in ("x", "y", "z"):
            await turns.add(f"{name}{number}", HOURLY, timedelta(0))
        seen.append(await turns.fire())
    # Those on time have half of each batch, as long as anybody is late; in the second round as in the first.
    assert [len(names & {"late", "as late"}) for names in seen[:1]] == [2]
    assert sum("late" in names for names in seen) >= 2
    assert sum("as late" in names for names in seen) >= 2
    assert all(len(names - {"late", "as late"}) >= 2 for names in seen)


async def test_who_is_on_time_waits_for_nobody_who_is_late(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", timedelta(minutes=90))
    monkeypatch.setattr(module, "BATCH_SCHEDULES", 2)
    for number in range(5):
        await turns.add(f"late{number}", LONG_LATE, timedelta(hours=3))
    await turns.add("punctual", HOURLY, timedelta(0))
    assert "punctual" in await turns.fire()
