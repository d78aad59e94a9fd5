"""Schedules over a real database: each due time starts one run, whoever fires it and whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import asyncpg
import pytest

from engine.infra.settings import Settings
from engine.relay.scheduler import BATCH_SCHEDULES, Scheduler
from engine.store.schedules import Move, move_schedules, take_due
from engine.triggers.schedule_plan import GRACE
from tests.integration.relay.triggers import Workspace

HOURLY = {"every_seconds": 3600}


@pytest.fixture
async def connection(clean_database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(clean_database)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(connection: asyncpg.Connection) -> Workspace:
    return await Workspace(connection).open()


@pytest.fixture
def scheduler(relay_settings: Settings) -> Scheduler:
    return Scheduler(relay_settings)


async def until_runs(workspace: Workspace, count: int) -> None:
    async with asyncio.timeout(60):
        while len(await workspace.runs()) < count:
            await asyncio.sleep(0.02)


async def test_a_due_schedule_starts_a_run_with_its_due_time_and_a_receipt(
    workspace: Workspace, scheduler: Scheduler
) -> None:
    trigger_id = await workspace.add_schedule(await workspace.publish(), HOURLY)
    due_at = await workspace.next_due(trigger_id)
    assert await scheduler.fire(workspace.connection) == 1
    (run,) = await workspace.runs(trigger_id)
    assert due_at is not None
    assert datetime.fromisoformat(run["due_at"]) == due_at
    assert (run["type"], run["run_type"], run["missed"]) == ("schedule", "schedule", False)
    assert await workspace.receipts(trigger_id) == [("started", run["run_id"])]
    assert await workspace.next_due(trigger_id) == due_at + timedelta(hours=1)
    assert await scheduler.fire(workspace.connection) == 0


async def test_what_is_not_due_starts_nothing(workspace: Workspace, scheduler: Scheduler) -> None:
    await workspace.add_schedule(await workspace.publish(), HOURLY, due_ago=-timedelta(minutes=5))
    assert await scheduler.fire(workspace.connection) == 0
    assert await workspace.runs() == []


async def test_many_schedulers_at_once_start_one_run_a_due_time(workspace: Workspace, relay_settings: Settings) -> None:
    workflow_id, count = await workspace.publish(), 2 * BATCH_SCHEDULES + 50
    expected = {await workspace.add_schedule(workflow_id, HOURLY) for _ in range(count)}

    async def fire_all() -> int:
        # None of them asks for the lock that makes one the leader.
        fired, mine = 0, await asyncpg.connect(relay_settings.database_url)
        try:
            while taken := await Scheduler(relay_settings).fire(mine):
                fired += taken
        finally:
            await mine.close()
        return fired

    assert sum(await asyncio.gather(*(fire_all() for _ in range(4)))) == count
    rows = await workspace.connection.fetch("SELECT trigger_id FROM run")
    assert len(rows) == count
    assert {row["trigger_id"] for row in rows} == expected


async def test_a_due_time_that_has_its_run_gets_no_other(workspace: Workspace, scheduler: Scheduler) -> None:
    trigger_id = await workspace.add_schedule(await workspace.publish(), HOURLY)
    due_at = await workspace.next_due(trigger_id)
    await scheduler.fire(workspace.connection)
    # As if the row had been set back: by hand, or by a copy of the database that knows less.
    await workspace.connection.execute("UPDATE schedule SET next_due_at = $1", due_at)
    assert await scheduler.fire(workspace.connection) == 1
    assert len(await workspace.runs(trigger_id)) == 1
    assert [outcome for outcome, _ in await workspace.receipts(trigger_id)] == ["started", "duplicate"]


async def test_one_that_dies_in_the_middle_loses_and_doubles_nothing(
    workspace: Workspace, relay_settings: Settings, scheduler: Scheduler
) -> None:
    workflow_id = await workspace.publish()
    trigger_ids = [await workspace.add_schedule(workflow_id, HOURLY) for _ in range(20)]
    dying = await asyncpg.connect(relay_settings.database_url)
    pid = dying.get_server_pid()
    transaction = dying.transaction()
    await transaction.start()
    try:
        # It has started runs and moved its schedules on, and is killed before its commit.
        taken = await take_due(dying, 10, grace=GRACE)
        assert len(taken) == 10
        await dying.execute(
            "UPDATE schedule SET next_due_at = now() + interval '1 day' WHERE trigger_id = $1", taken[0].trigger_id
        )
        assert await scheduler.fire(workspace.connection) == 10, "the others are not kept up"
        await workspace.connection.execute("SELECT pg_terminate_backend($1)", pid)
    finally:
        dying.terminate()
    fired = 10
    async with asyncio.timeout(60):
        while fired < len(trigger_ids):
            fired += await scheduler.fire(workspace.connection)
    assert sorted([len(await workspace.runs(trigger_id)) for trigger_id in trigger_ids]) == [1] * 20


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", []),
        ("run_once", [(1, True)]),
        ("run_all", [(3, True), (2, True), (1, True)]),
    ],
)
async def test_after_a_downtime_the_policy_decides(
    workspace: Workspace, scheduler: Scheduler, missed: str, expected: list[tuple[int, bool]]
) -> None:
    ago = timedelta(hours=3, minutes=30)
    config = {**HOURLY, "missed": missed, "missed_limit": 3}
    trigger_id = await workspace.add_schedule(await workspace.publish(), config, due_ago=ago)
    first = await workspace.next_due(trigger_id)
    assert first is not None
    await scheduler.fire(workspace.connection)
    # Of the four that were missed, counted from the last one.
    seen = [(datetime.fromisoformat(run["due_at"]), run["missed"]) for run in await workspace.runs(trigger_id)]
    assert sorted(seen) == [(first + timedelta(hours=4 - number), is_missed) for number, is_missed in expected]
    assert await workspace.next_due(trigger_id) == first + timedelta(hours=4)
    assert await workspace.skip_reason(trigger_id) == "missed"


async def test_a_schedule_of_an_unpublished_workflow_passes_over_its_due_times(
    workspace: Workspace, scheduler: Scheduler
) -> None:
    workflow_id = await workspace.publish(is_published=False)
    trigger_id = await workspace.add_schedule(workflow_id, {**HOURLY, "missed": "run_all"}, due_ago=timedelta(hours=5))
    assert await scheduler.fire(workspace.connection) == 1
    assert await workspace.runs() == []
    due_at = await workspace.next_due(trigger_id)
    assert due_at is not None
    assert due_at > datetime.now(UTC)
    assert await workspace.skip_reason(trigger_id) == "not_published"
    await workspace.connection.execute("UPDATE workflow SET published_version = 1")
    assert await scheduler.fire(workspace.connection) == 0, "what went by before is not made up for"


async def test_the_schedule_of_a_deleted_workflow_is_never_due_again(
    workspace: Workspace, scheduler: Scheduler
) -> None:
    trigger_id = await workspace.add_schedule(await workspace.publish(), HOURLY)
    await workspace.connection.execute("UPDATE workflow SET deleted_at = now()")
    assert await scheduler.fire(workspace.connection) == 1
    assert (await workspace.runs(), await workspace.next_due(trigger_id)) == ([], None)


async def test_whoever_changes_a_schedule_has_the_last_word(workspace: Workspace) -> None:
    trigger_id = await workspace.add_schedule(await workspace.publish(), HOURLY)
    async with workspace.connection.transaction():
        (row,) = await take_due(workspace.connection, 10, grace=GRACE)
    # A change commits between the reading and the moving.
    await workspace.connection.execute("UPDATE workflow_trigger SET updated_at = clock_timestamp()")
    move = Move(trigger_id=trigger_id, trigger_updated_at=row.updated_at, next_due_at=None)
    await move_schedules(workspace.connection, [move])
    assert await workspace.next_due(trigger_id) == row.next_due_at


async def test_one_that_cannot_be_fired_keeps_nobody_up(workspace: Workspace, scheduler: Scheduler) -> None:
    workflow_id = await workspace.publish()
    broken = await workspace.add_schedule(workflow_id, b"\xff", due_ago=timedelta(seconds=10))
    sound = [await workspace.add_schedule(workflow_id, HOURLY) for _ in range(5)]
    due_at = await workspace.next_due(broken)
    assert await scheduler.fire(workspace.connection) == 6
    assert [len(await workspace.runs(trigger_id)) for trigger_id in sound] == [1] * 5
    assert await scheduler.fire(workspace.connection) == 0, "it is left alone for a while"
    assert await workspace.next_due(broken) == due_at


async def test_runs_of_schedules_are_announced_like_any_other(workspace: Workspace, scheduler: Scheduler) -> None:
    trigger_id = await workspace.add_schedule(await workspace.publish(), HOURLY)
    await scheduler.fire(workspace.connection)
    rows = await workspace.connection.fetch("SELECT kind, run_id FROM outbox")
    (run,) = await workspace.runs(trigger_id)
    assert [(row["kind"], row["run_id"]) for row in rows] == [("dispatch", run["run_id"])]


async def test_a_scheduler_hears_of_new_schedules_and_another_takes_over_when_it_ends(
    workspace: Workspace, relay_settings: Settings
) -> None:
    workflow_id = await workspace.publish()
    first, second = Scheduler(relay_settings), Scheduler(relay_settings)
    lives = [asyncio.create_task(one.run()) for one in (first, second)]
    try:
        await workspace.add_schedule(workflow_id, HOURLY)
        await until_runs(workspace, 1)
        await workspace.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
        await workspace.add_schedule(workflow_id, HOURLY)
        await until_runs(workspace, 2)
        first.stop()
        await workspace.add_schedule(workflow_id, {"every_seconds": 86_400})
        await until_runs(workspace, 3)
    finally:
        first.stop()
        second.stop()
        async with asyncio.timeout(30):
            await asyncio.gather(*lives)


async def test_a_deleted_trigger_takes_its_schedule_along(workspace: Workspace, scheduler: Scheduler) -> None:
    trigger_id: UUID = await workspace.add_schedule(await workspace.publish(), HOURLY)
    await workspace.connection.execute("DELETE FROM workflow_trigger WHERE id = $1", trigger_id)
    assert await scheduler.fire(workspace.connection) == 0
    assert await workspace.connection.fetchval("SELECT count(*) FROM schedule") == 0


async def test_who_has_much_to_make_up_for_comes_in_turns_and_behind_those_on_time(
    workspace: Workspace, scheduler: Scheduler
) -> None:
    workflow_id = await workspace.publish()
    config = {"every_seconds": 60, "missed": "run_all", "missed_limit": 1000}
    late = [await workspace.add_schedule(workflow_id, config, due_ago=timedelta(hours=2)) for _ in range(60)]
    await workspace.connection.execute(
        "UPDATE schedule SET next_due_at = date_trunc('hour', now()) - interval '2 hours'"
    )
    punctual = await workspace.add_schedule(workflow_id, HOURLY)
    await scheduler.fire(workspace.connection)
    assert len(await workspace.runs(punctual)) == 1
    assert len(await workspace.runs()) < 1200, "not all at once"
    async with asyncio.timeout(120):
        while await scheduler.fire(workspace.connection):
            pass
    seen = [sorted(run["due_at"] for run in await workspace.runs(trigger_id)) for trigger_id in late]
    assert all(len(set(due)) == len(due) for due in seen)
    for due in seen:
        moments = [datetime.fromisoformat(text) for text in due]
        assert all(later - earlier == timedelta(minutes=1) for earlier, later in pairwise(moments))
        assert len(moments) >= 120
