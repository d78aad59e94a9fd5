"""Events that are held back start their runs when they are due: each once, whoever releases them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.relay.releaser import Releaser, release_due
from engine.store.keeping import Kept, keep_events
from engine.triggers.flow import FlowConfig, make_hold
from tests.integration.relay.yard import Yard


@pytest.fixture
async def yard(settings: Settings, clean_database: str) -> AsyncIterator[Yard]:
    opened = Yard(await asyncpg.connect(clean_database), clean_database)
    yield opened
    await opened.connection.close()


async def test_a_debounce_starts_one_run_with_the_last_event_once_none_came_for_its_period(yard: Yard) -> None:
    await yard.open(debounce={"period": 60})
    ids = await yard.hold(1, 2)
    await yard.pass_(50)
    ids += await yard.hold(3)
    assert await yard.release() == 0
    await yard.pass_(50)
    assert await yard.release() == 0, "the period begins anew with each event"
    await yard.assert_accounted(accepted=3, pending=3)
    await yard.pass_(11)
    assert await yard.release() == 1
    assert await yard.bodies() == [[3]]
    ((outcome, run_id),) = set(await yard.outcomes(ids))
    assert outcome == "started"
    assert run_id == await yard.connection.fetchval("SELECT id FROM run")
    assert await yard.left() == (0, 0)
    await yard.assert_accounted(accepted=3, started=3, pending=0)


async def test_keys_are_held_apart(yard: Yard) -> None:
    await yard.open(debounce={"period": 60, "key": "trigger.body.customer"})
    await yard.hold(*({"customer": name, "n": n} for n, name in enumerate("abab")), {"customer": None})
    await yard.pass_(61)
    assert await yard.release() == 3
    assert sorted(body["n"] for (body,) in await yard.bodies() if "n" in body) == [2, 3]


async def test_a_batch_starts_one_run_for_its_size_and_the_rest_after_its_period(yard: Yard) -> None:
    await yard.open(batch={"size": 3, "period": 60})
    ids = await yard.hold(1, 2)
    assert await yard.release() == 0
    ids += await yard.hold(3, 4, 5, 6, 7)
    assert await yard.release() == 2
    assert sorted(await yard.bodies()) == [[1, 2, 3], [4, 5, 6]]
    await yard.assert_accounted(accepted=7, started=6, pending=1)
    await yard.connection.execute("UPDATE held_group SET first_at = first_at - interval '61s', due_at = now()")
    assert await yard.release() == 3
    assert sorted(await yard.bodies()) == [[1, 2, 3], [4, 5, 6], [7]]
    runs = [run_id for _, run_id in await yard.outcomes(ids)]
    assert [runs.index(run_id) for run_id in runs] == [0, 0, 0, 3, 3, 3, 6]
    assert await yard.left() == (0, 0)


async def test_the_run_of_a_batch_sees_its_events_as_they_came(yard: Yard) -> None:
    await yard.open(batch={"size": 2, "period": 60})
    await yard.hold({"a": 1}, [2.50])
    await yard.release()
    (trigger,) = await yard.triggers()
    assert trigger == {
        "type": "webhook",
        "events": [{"type": "webhook", "body": {"a": 1}}, {"type": "webhook", "body": [2.5]}],
    }


async def test_a_batch_of_large_events_is_split_and_none_is_left_out(yard: Yard) -> None:
    await yard.open(batch={"size": 10, "period": 60})
    large = "x" * 1_500_000
    ids = await yard.hold(*([large] * 6))
    for runs in (1, 2, 3):
        await yard.pass_(61)
        assert await yard.release() == runs
    assert [len(bodies) for bodies in await yard.bodies()] == [2, 2, 2]
    assert {outcome for outcome, _ in await yard.outcomes(ids)} == {"started"}


async def test_a_throttle_starts_no_more_than_its_limit_in_any_period_and_all_in_their_order(yard: Yard) -> None:
    await yard.open(throttle={"limit": 2, "per": 60})
    ids = await yard.hold(1, 2, 3, 4, 5)
    assert await yard.release() == 2
    assert await yard.started() == set(ids[:2])
    await yard.pass_(30)
    ids += await yard.hold(6)
    assert await yard.release() == 2
    await yard.pass_(31)
    assert await yard.release() == 4
    assert await yard.started() == set(ids[:4])
    await yard.assert_accounted(accepted=6, started=4, pending=2)
    await yard.pass_(61)
    assert await yard.release() == 6
    assert sorted(await yard.bodies()) == [[n] for n in range(1, 7)]
    assert len({run_id for _, run_id in await yard.outcomes(ids)}) == 6
    assert await yard.left() == (0, 1), "the last starts are still counted"
    await yard.hold(7)
    assert await yard.release() == 6
    await yard.pass_(61)
    assert await yard.release() == 7
    await yard.pass_(61)
    await yard.release()
    assert await yard.left() == (0, 0)


async def test_a_repeat_of_a_held_event_is_a_duplicate_that_knows_its_run_later(yard: Yard) -> None:
    await yard.open(debounce={"period": 60})
    await yard.hold(1, key="order-1")
    row = await yard.connection.fetchrow("SELECT updated_at, clock_timestamp() AS now FROM workflow_trigger")
    repeat = Kept(
        event_id=new_id(row["now"]),
        workspace_id=yard.workspace_id,
        workflow_id=yard.workflow_id,
        trigger_id=yard.trigger_id,
        trigger_updated_at=row["updated_at"],
        at=row["now"],
        hold=make_hold(msgspec.convert({"debounce": {"period": 60}}, FlowConfig), {}),
        dedup_key="order-1",
    )
    (outcome,) = await keep_events(yard.connection, [repeat])
    assert (outcome.outcome, outcome.run_id) == ("duplicate", None)
    await yard.pass_(61)
    await yard.release()
    run_id = await yard.connection.fetchval("SELECT id FROM run")
    assert await yard.connection.fetchval("SELECT run_id FROM dedup_key") == run_id
    await yard.assert_accounted(accepted=2, started=1, duplicate=1, pending=0)


async def test_events_written_again_after_a_lost_answer_are_held_once(yard: Yard) -> None:
    await yard.open(batch={"size": 2, "period": 60})
    row = await yard.connection.fetchrow("SELECT updated_at, clock_timestamp() AS now FROM workflow_trigger")
    config = msgspec.convert({"batch": {"size": 2, "period": 60}}, FlowConfig)
    events = [
        Kept(
            event_id=new_id(row["now"]),
            workspace_id=yard.workspace_id,
            workflow_id=yard.workflow_id,
            trigger_id=yard.trigger_id,
            trigger_updated_at=row["updated_at"],
            at=row["now"],
            hold=make_hold(config, {}),
            dedup_key=key,
            trigger=b"{}",
        )
        for key in ("a", "b", "a")
    ]
    first = await keep_events(yard.connection, events)
    assert await keep_events(yard.connection, events) == first
    assert [outcome.outcome for outcome in first] == ["pending", "pending", "duplicate"]
    assert await yard.left() == (2, 1)
    await yard.assert_accounted(accepted=3, pending=2, duplicate=1)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"debounce": {"period": 60}}, [[4]]),
        ({"batch": {"size": 10, "period": 60}}, [[1, 2, 3, 4]]),
        ({"throttle": {"limit": 1, "per": 60}}, [[1], [2], [3], [4]]),
    ],
    ids=["debounce", "batch", "throttle"],
)
async def test_what_is_held_starts_at_once_when_the_rule_is_taken_away(
    yard: Yard, config: dict[str, Any], expected: list[list[int]]
) -> None:
    await yard.open(**config)
    await yard.hold(1, 2, 3, 4)
    await yard.change("config = '{}'")
    assert await yard.release() == len(expected)
    assert sorted(await yard.bodies()) == expected
    await yard.assert_accounted(accepted=4, started=4, pending=0)


async def test_a_changed_rule_holds_for_what_is_held_already(yard: Yard) -> None:
    await yard.open(throttle={"limit": 1, "per": 3600})
    await yard.hold(*range(5))
    assert await yard.release() == 1
    await yard.change("""config = '{"throttle": {"limit": 4, "per": 60}}'""")
    assert await yard.release() == 4
    await yard.change("""config = '{"throttle": {"limit": 4, "per": 1}}'""")
    await yard.pass_(1.5)
    assert await yard.release() == 5


@pytest.mark.parametrize("what", ["trigger", "workflow"])
async def test_what_is_held_waits_while_its_trigger_or_workflow_is_switched_off(yard: Yard, what: str) -> None:
    await yard.open(batch={"size": 2, "period": 60})
    ids = await yard.hold(1, 2)
    table = "workflow_trigger" if what == "trigger" else "workflow"
    switch = f"UPDATE {table} SET enabled = $1"  # noqa: S608 - a constant
    await yard.connection.execute(switch, False)
    assert await yard.release() == 0
    await yard.assert_accounted(accepted=2, pending=2)
    await yard.connection.execute(switch, True)
    await yard.connection.execute("UPDATE held_group SET due_at = now()")
    assert await yard.release() == 1
    assert {outcome for outcome, _ in await yard.outcomes(ids)} == {"started"}


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM workflow_trigger", "trigger_deleted"),
        ("UPDATE workflow SET deleted_at = now()", "workflow_deleted"),
    ],
)
async def test_what_is_held_is_filtered_once_its_trigger_or_workflow_is_deleted(
    yard: Yard, statement: str, reason: str
) -> None:
    await yard.open(debounce={"period": 60})
    await yard.hold(1, 2)
    await yard.connection.execute(statement)
    await yard.pass_(61)
    assert await yard.release() == 0
    assert await yard.left() == (0, 0)
    found = await yard.connection.fetch("SELECT DISTINCT outcome, reason FROM inbound_event")
    assert [tuple(row) for row in found] == [("filtered", reason)]
    await yard.assert_accounted(accepted=2, filtered=2, pending=0)


@pytest.mark.parametrize(
    "config",
    [
        {"throttle": {"limit": 1000, "per": 0.1, "key": "string(trigger.body % 7)"}},
        {"batch": {"size": 7, "period": 0.1, "key": "string(trigger.body % 3)"}},
        {"debounce": {"period": 0.1, "key": "string(trigger.body % 5)"}},
    ],
    ids=["throttle", "batch", "debounce"],
)
async def test_many_that_release_at_once_while_events_come_start_every_event_once(
    yard: Yard, config: dict[str, Any]
) -> None:
    await yard.open(**config)
    over = asyncio.Event()

    async def keep_releasing() -> None:
        connection = await asyncpg.connect(yard.url)
        while not over.is_set():
            await release_due(connection)
            await asyncio.sleep(0)
        await connection.close()

    async def keep_coming(numbers: range) -> None:
        connection = await asyncpg.connect(yard.url)
        for number in numbers:
            await yard.over(connection).hold(number, number + 100, number + 200)
        await connection.close()

    releasing = [asyncio.create_task(keep_releasing()) for _ in range(4)]
    await asyncio.gather(*(keep_coming(range(first, 100, 3)) for first in range(3)))
    async with asyncio.timeout(60):
        while await yard.connection.fetchval("SELECT count(*) FROM held_event"):
            await asyncio.sleep(0.02)
    over.set()
    await asyncio.gather(*releasing)
    await yard.assert_accounted(accepted=300, started=300, pending=0)
    bodies = [body for run in await yard.bodies() for body in run]
    if "debounce" in config:
        assert len(bodies) == len(set(bodies)) == await yard.connection.fetchval("SELECT count(*) FROM run")
    else:
        assert sorted(bodies) == list(range(300))
    runs = await yard.connection.fetchval("SELECT count(DISTINCT run_id) FROM inbound_event")
    assert runs == await yard.connection.fetchval("SELECT count(*) FROM run")


async def test_more_than_a_transaction_should_hold_is_released_in_several(yard: Yard) -> None:
    await yard.open(throttle={"limit": 1, "per": 3600, "key": "string(trigger.body % 60)"})
    await yard.hold(*range(2400))
    assert await yard.release() == 60
    await yard.change("config = '{}'")
    assert await release_due(yard.connection)
    at_once = await yard.connection.fetchval("SELECT count(*) FROM run")
    assert 60 < at_once <= 60 + 1000
    assert await yard.release() == 2400
    assert sorted(body for run in await yard.bodies() for body in run) == list(range(2400))
    await yard.assert_accounted(accepted=2400, started=2400, pending=0)


async def test_many_batches_that_are_due_at_once_are_all_released(yard: Yard) -> None:
    await yard.open(batch={"size": 30, "period": 60, "key": "string(trigger.body % 25)"})
    await yard.hold(*range(500))
    await yard.pass_(61)
    assert await yard.release() == 25
    assert sorted(body for run in await yard.bodies() for body in run) == list(range(500))
    assert await yard.left() == (0, 0)


async def test_one_group_that_cannot_be_released_keeps_no_other_up(yard: Yard) -> None:
    await yard.open(batch={"size": 1, "period": 60, "key": "trigger.body"})
    await yard.hold("a", "broken", "c")
    await yard.connection.execute("UPDATE held_event SET trigger = 'no JSON' WHERE key = 'broken'")
    assert await yard.release() == 2
    assert await yard.left() == (1, 1)
    seconds = await yard.connection.fetchval("SELECT extract(epoch FROM min(due_at) - now())::float8 FROM held_group")
    assert seconds > 0
    await yard.assert_accounted(accepted=3, started=2, pending=1)


async def test_a_release_that_is_broken_off_leaves_everything_as_it_was(yard: Yard) -> None:
    await yard.open(batch={"size": 2, "period": 60})
    await yard.hold(1, 2)
    other = await asyncpg.connect(yard.url)
    await other.execute("BEGIN")
    await other.execute("LOCK TABLE inbound_event")
    breaking = asyncio.create_task(release_due(yard.connection))
    async with asyncio.timeout(30):
        while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
    yard.connection.terminate()
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await breaking
    await other.execute("ROLLBACK")
    yard.connection = other
    async with asyncio.timeout(30):
        while not await yard.release():
            await asyncio.sleep(0.02)
    assert await yard.bodies() == [[1, 2]]
    await yard.assert_accounted(accepted=2, started=2)


async def test_the_releaser_hears_of_what_is_due_and_sleeps_until_the_next(settings: Settings, yard: Yard) -> None:
    await yard.open(batch={"size": 2, "period": 3600})
    releaser = Releaser(settings)
    running = asyncio.create_task(releaser.run())
    await yard.hold(1, 2)
    await yard.connection.execute("NOTIFY flowforge_held")
    async with asyncio.timeout(60):
        while not await yard.connection.fetchval("SELECT count(*) FROM run"):
            await asyncio.sleep(0.01)
    releaser.stop()
    async with asyncio.timeout(30):
        await running
    assert await yard.bodies() == [[1, 2]]
