"""Retention over a real PostgreSQL, whose time is moved on: partitions are made and dropped, and old rows deleted."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from cli.migrations import migrate
from engine.infra.database import connect
from engine.infra.ids import moment_of, new_id
from engine.store.partitions import (
    PARTITION_LOCK,
    TABLES,
    find_latest_beyond,
    is_over,
    list_partitions,
    release_partitions,
    try_partitions,
)
from engine.store.partitions import drop_runs as drop_runs_of
from engine.store.retention import RETENTION_LOCK
from engine.worker import retention as duty
from engine.worker.retention import Retention, partition_width
from tests.integration.worker.retained import ALL, NOTHING, NOW, PLACE, Place
from tests.migration.databases import go_to


@pytest.mark.parametrize("days", [0, 1, 7, 30, 365, 3650])
async def test_partitions_are_made_ahead_and_few(place: Place, days: int) -> None:
    for day in range(0, min(2 * days, 60) + 20, 2):
        await place.pass_(day, retention_days=days)
    partitions = await list_partitions(place.connection)
    assert partitions[-1].upper > new_id(place.now + 2 * partition_width(days))
    assert all(one.upper == other.lower for one, other in pairwise(partitions)), "no gap"
    assert len(partitions) <= duty.PARTITIONS_KEPT + 8
    for table in TABLES:
        # The first partition of the past is one as well.
        assert await list_partitions(place.connection, table) == partitions


async def test_a_partition_in_which_every_run_is_old_is_dropped_whole(place: Place) -> None:
    old, young = await place.run(0), await place.run(30)
    assert await place.pass_(38)
    assert "first" not in await place.names()
    assert await place.names() == await place.names("journal") == await place.names("payload")
    assert await place.left(old) == NOTHING
    assert await place.left(young) == ALL


async def test_runs_are_kept_to_the_day_even_though_their_partition_began_before(place: Place) -> None:
    run_id = await place.run(6.5)
    await place.pass_(36.4)
    assert await place.left(run_id) == ALL
    await place.pass_(38.1)
    assert await place.left(run_id) == NOTHING


async def test_an_unfinished_run_keeps_its_partition_and_nothing_else_of_it(place: Place) -> None:
    waiting = await place.run(0, status="waiting")
    ended = [await place.run(0) for _ in range(5)]
    assert await place.pass_(60, retention_batch_rows=2)
    assert "first" in await place.names()
    assert await place.left(waiting) == ALL
    assert [await place.left(run_id) for run_id in ended] == [NOTHING] * 5
    # It ends at last: from then on it is kept as long as any other.
    end = "UPDATE run SET status = 'failed', finished_at = $2 WHERE id = $1"
    await place.connection.execute(end, waiting, NOW + timedelta(days=61))
    await place.pass_(90)
    assert await place.left(waiting) == ALL
    await place.pass_(92)
    assert await place.left(waiting) == NOTHING
    assert "first" not in await place.names()


@pytest.mark.parametrize(
    "change",
    [
        "status = 'queued', finished_at = NULL",
        "status = 'waiting', finished_at = NULL, wake_at = now()",
        "status = 'running', finished_at = NULL, owner = 1",
        "finished_at = now()",
    ],
    ids=["queued again", "waits already", "runs already", "ended anew"],
)
async def test_a_run_that_is_retried_at_the_last_moment_is_not_dropped(place: Place, change: str) -> None:
    run_id = await place.run(0)
    before = datetime.now(UTC)
    assert await is_over(place.connection, "first", before)
    await place.connection.execute(f"UPDATE run SET {change} WHERE id = $1", run_id)  # noqa: S608 - of the cases
    assert not await drop_runs_of(place.connection, "first", before)
    assert await place.left(run_id) == ALL


async def test_runs_that_found_no_partition_are_deleted_and_do_not_keep_others_from_being_made(place: Place) -> None:
    stray = await place.run(100)
    assert await find_latest_beyond(place.connection, (await list_partitions(place.connection))[-1].upper, NOW) is None
    await place.pass_(100.5)
    partitions = await list_partitions(place.connection)
    newest = [one for one in partitions if one.lower is not None and moment_of(one.lower) > NOW + timedelta(days=99)]
    assert newest
    assert all(one.lower is not None and one.lower > stray for one in newest)
    assert await place.left(stray) == ALL
    await place.pass_(131)
    assert await place.left(stray) == NOTHING


async def test_history_that_strayed_from_its_run_goes_too(place: Place) -> None:
    run_id = new_id(NOW + timedelta(days=100))
    await place.connection.execute(
        "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, 1, 'x', now(), '')", run_id
    )
    await place.pass_(129)
    assert await place.count("journal") == 1
    await place.pass_(131)
    assert await place.count("journal") == 0


async def test_nobody_waits_for_a_partition_that_is_in_use(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "TRIES", 1)
    old = await place.run(0)
    reader = await connect(place.settings, name="reader")
    async with reader.transaction():
        await reader.fetch("SELECT id FROM run")
        await asyncio.wait_for(place.pass_(38), 10)
        assert "first" in await place.names()
    await reader.close()
    assert await place.left(old) == ALL, "nor are its rows deleted one by one"
    await place.pass_(38)
    assert "first" not in await place.names()
    assert await place.left(old) == NOTHING


async def test_a_backup_keeps_partitions_as_they_are(place: Place) -> None:
    before, old = await place.names(), await place.run(0)
    other = await connect(place.settings, name="backup")
    await other.execute("SELECT pg_advisory_lock($1)", PARTITION_LOCK)
    await place.pass_(38)
    assert await place.names() == before
    assert await place.left(old) == ALL
    await other.close()
    assert await try_partitions(place.connection)
    await release_partitions(place.connection)


async def test_partitions_are_left_to_a_migration_that_is_under_way(place: Place) -> None:
    await go_to(place.settings, "0011")
    before = await place.names()
    await place.pass_(38)
    assert (await place.names(), await place.names("journal")) == (before, [])
    await asyncio.to_thread(migrate, place.settings)
    await place.pass_(38)
    assert await place.names() == await place.names("payload") != before


async def test_without_retention_runs_stay_and_keys_go(place: Place) -> None:
    run_id = await place.run(0)
    await place.connection.execute(
        "INSERT INTO dedup_key (scope, key, run_id, created_at) VALUES ($1, 'k', $1, $2)", PLACE, NOW
    )
    await place.pass_(3000, retention_days=0)
    assert await place.left(run_id) == ALL
    assert await place.count("dedup_key") == 0


async def test_a_parent_finds_its_child_for_as_long_as_it_may_start_it(place: Place) -> None:
    parent, ended = await place.run(0, status="waiting"), await place.run(0)
    for scope in (parent, ended, PLACE):
        await place.connection.execute(
            "INSERT INTO dedup_key (scope, key, run_id, created_at) VALUES ($1, 'step#1', $2, $3)", scope, parent, NOW
        )
    await place.pass_(2.9)
    assert await place.count("dedup_key") == 3
    await place.pass_(3.1)
    assert await place.connection.fetchval("SELECT array_agg(scope) FROM dedup_key") == [parent]


async def test_an_output_of_a_child_is_kept_until_its_parent_has_it(place: Place) -> None:
    child, other = await place.run(0), await place.run(0, status="waiting")
    parent = await place.run(9, status="waiting")
    await place.connection.execute(
        "INSERT INTO inbox (run_id, kind, payload, created_at) VALUES ($1, 'child', '', $2)", parent, NOW
    )
    # Neither with its partition, nor by itself from one that is kept.
    await place.pass_(38)
    assert await place.left(child) == ALL
    await place.connection.execute("UPDATE run SET status = 'failed', finished_at = $2 WHERE id = $1", other, NOW)
    await place.pass_(38)
    assert await place.left(child) == ALL
    await place.connection.execute("DELETE FROM inbox WHERE kind = 'child'")
    await place.pass_(38)
    assert await place.left(child) == NOTHING


async def test_what_is_still_of_use_stays_however_old_it_is(place: Place) -> None:
    owned = await place.run(0, status="running")
    for alive in (True, False):
        await place.connection.execute(
            "INSERT INTO worker (name, host, pid, alive, heartbeat_at) VALUES ('w', '', 1, $1, $2)", alive, NOW
        )
    await place.connection.execute("UPDATE run SET owner = 2 WHERE id = $1", owned)
    await place.connection.execute("INSERT INTO signing_key (kid, public_key, sealed_private_key) VALUES ('k', '', '')")
    await place.pass_(400)
    assert (await place.count("worker"), await place.count("signing_key")) == (2, 1)


_HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1"


async def test_another_worker_takes_over(place: Place) -> None:
    async def find_holder(*others: int) -> int:
        for _ in range(1000):
            pid: int | None = await place.connection.fetchval(_HOLDER, RETENTION_LOCK)
            if pid is not None and pid not in others:
                return pid
            await asyncio.sleep(0.01)
        raise AssertionError("nobody does it")

    quick = msgspec.structs.replace(place.settings, retention_interval_seconds=0.05)
    first = asyncio.create_task(Retention(quick).run())
    holder = await find_holder()
    second = asyncio.create_task(Retention(quick).run())
    assert await find_holder() == holder
    await place.connection.execute("SELECT pg_terminate_backend($1)", holder)
    successor = await find_holder(holder)
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert successor != holder
