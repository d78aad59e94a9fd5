"""Whatever is held, it is released in short transactions, and nothing is written where nothing changes."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from engine.infra.settings import Settings
from engine.relay import held_pieces, releaser
from engine.relay.releaser import release_due
from engine.store.held import find_next_release
from engine.store.receipts import find_receipt
from tests.integration.relay.yard import Yard
from tests.product import PATIENCE_SECONDS

LARGE = "x" * 1_500_000


@pytest.fixture
async def yard(settings: Settings, clean_database: str) -> AsyncIterator[Yard]:
    opened = Yard(await asyncpg.connect(clean_database), clean_database)
    yield opened
    await opened.connection.close()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of so few events and groups that a test can make many."""
    monkeypatch.setattr(releaser, "MOST_EVENTS", 4)
    monkeypatch.setattr(held_pieces, "MOST_NOTED", 4)
    monkeypatch.setattr(held_pieces, "MOST_REVIEWED", 4)


async def read_versions(connection: asyncpg.Connection) -> list[tuple[Any, ...]]:
    """What tells whether anybody has written a group since."""
    return [tuple(row) for row in await connection.fetch("SELECT xmin, ctid, key FROM held_group ORDER BY key")]


@pytest.mark.usefixtures("small_pieces")
async def test_a_debounce_of_very_many_events_starts_one_run_at_once_and_the_rest_is_noted_in_pieces(
    yard: Yard,
) -> None:
    await yard.open(debounce={"period": 60})
    ids = await yard.hold(*range(10))
    await yard.pass_(61)
    assert await release_due(yard.connection)
    assert await yard.bodies() == [[9]]
    assert await yard.started() == {ids[-1]}
    await yard.assert_accounted(accepted=10, started=1, pending=9)
    # What comes now is not among those of the run that has started.
    late = await yard.hold("late")
    seen = []
    while await release_due(yard.connection):
        seen.append(len(await yard.started()))
    assert seen[:2] == [5, 9]
    assert await yard.started() == set(ids)
    assert len({run_id for _, run_id in await yard.outcomes(ids)}) == 1
    assert await yard.outcomes(late) == [("pending", None)]
    await yard.pass_(61)
    assert await yard.release() == 2
    assert sorted(await yard.bodies(), key=str) == [["late"], [9]]
    await yard.assert_accounted(accepted=11, started=11, pending=0)
    assert await yard.left() == (0, 0)


@pytest.mark.usefixtures("small_pieces")
async def test_what_a_run_has_started_of_is_noted_though_the_trigger_is_deleted_meanwhile(yard: Yard) -> None:
    await yard.open(debounce={"period": 60})
    ids = await yard.hold(*range(10))
    await yard.pass_(61)
    assert await release_due(yard.connection)
    late = await yard.hold("late")
    await yard.connection.execute("DELETE FROM workflow_trigger")
    await yard.pass_(61)
    assert await yard.release() == 1
    assert await yard.started() == set(ids)
    assert await yard.outcomes(late) == [("filtered", None)]
    await yard.assert_accounted(accepted=11, started=10, filtered=1, pending=0)


async def test_an_event_takes_its_place_once_its_group_is_its_own(yard: Yard) -> None:
    await yard.open(debounce={"period": 60})
    await yard.hold(1)
    other = await asyncpg.connect(yard.url)
    try:
        async with yard.connection.transaction():
            await yard.connection.execute("SELECT FROM held_group FOR UPDATE")
            pid = other.get_server_pid()
            coming = asyncio.create_task(yard.over(other).hold(2))
            async with asyncio.timeout(PATIENCE_SECONDS):
                blocked = "SELECT cardinality(pg_blocking_pids($1)) > 0"
                while not await yard.connection.fetchval(blocked, pid):
                    await asyncio.sleep(0.01)
            sequence = "SELECT nextval(pg_get_serial_sequence('held_event', 'place'))"
            before = await yard.connection.fetchval(sequence)
        (event_id,) = await coming
    finally:
        await other.close()
    place = await yard.connection.fetchval("SELECT place FROM held_event WHERE event_id = $1", event_id)
    assert place > before, "who has the group locked sees all that is before a place"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"throttle": {"limit": 5, "per": 60, "key": "trigger.body.n"}}, id="throttle"),
        pytest.param({"batch": {"size": 1, "period": 60, "key": "trigger.body.n"}}, id="batch"),
        pytest.param({"debounce": {"period": 60, "key": "trigger.body.n"}}, id="debounce"),
    ],
)
async def test_no_more_bytes_are_read_at_once_than_a_process_should_hold(
    yard: Yard, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releaser, "MOST_BYTES_AT_ONCE", 3_500_000)
    await yard.open(**config)
    for n in range(6):
        await yard.hold({"n": n, "large": LARGE})
    await yard.pass_(61)
    runs = [0]
    while await release_due(yard.connection):
        runs.append(await yard.connection.fetchval("SELECT count(*) FROM run"))
    steps = [after - before for before, after in pairwise(runs)]
    assert max(steps) <= 3, "two fit, and of a debounce the last one may go beyond"
    assert runs[-1] == 6
    await yard.assert_accounted(accepted=6, started=6, pending=0)


@pytest.mark.usefixtures("small_pieces")
async def test_a_change_of_a_trigger_locks_no_group_and_is_heard_piece_by_piece(yard: Yard) -> None:
    await yard.open(batch={"size": 100, "period": 3600, "key": "string(trigger.body)"})
    await yard.hold(*range(10))
    other = await asyncpg.connect(yard.url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM held_group FOR UPDATE")
            async with asyncio.timeout(PATIENCE_SECONDS):
                await yard.change("config = '{}'")
    finally:
        await other.close()
    assert await find_next_release(yard.connection, PATIENCE_SECONDS) == 0
    due = "SELECT count(*) FROM held_group WHERE due_at <= now()"
    pieces = []
    while await held_pieces.review_piece(yard.connection):
        pieces.append(await yard.connection.fetchval(due))
    assert pieces == [4, 8, 10]
    assert await yard.release() == 10
    await yard.assert_accounted(accepted=10, started=10)


async def test_what_waits_for_a_trigger_that_is_switched_off_is_written_once_and_let_be(yard: Yard) -> None:
    await yard.open(throttle={"limit": 1, "per": 60, "key": "string(trigger.body)"})
    ids = await yard.hold(1, 2, 3)
    await yard.change("enabled = false")
    await yard.release()
    paused = await read_versions(yard.connection)
    assert await find_next_release(yard.connection, PATIENCE_SECONDS) is None, "nobody looks at it any more"
    await yard.pass_(10_000)
    moved = await read_versions(yard.connection)
    assert moved != paused
    assert not await release_due(yard.connection)
    assert await read_versions(yard.connection) == moved
    receipt = await find_receipt(yard.connection, ids[0], yard.workspace_id)
    assert receipt is not None
    assert (receipt["outcome"], receipt["due_at"]) == ("pending", None)
    await yard.change("enabled = true")
    assert await yard.release() == 3
    await yard.assert_accounted(accepted=3, started=3, pending=0)


@pytest.mark.usefixtures("small_pieces")
async def test_groups_that_have_to_wait_for_the_next_transaction_are_not_written(yard: Yard) -> None:
    await yard.open(batch={"size": 3, "period": 3600, "key": "string(trigger.body % 4)"})
    await yard.hold(*range(12))
    before = await read_versions(yard.connection)
    assert await release_due(yard.connection)
    after = await read_versions(yard.connection)
    assert len(after) == 3
    assert set(after) < set(before)
    assert await yard.release() == 4
