"""Migrations as processes run them: many at once, broken off, and held up by others."""

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from cli import migrations
from cli.migrations import SCRIPTS, current_revision, head, migrate
from engine.infra.ids import new_id
from engine.infra.settings import SettingError, Settings
from tests.migration.databases import BEFORE_PARTITIONS, describe, digest, fill, go_to
from tests.product import PATIENCE_SECONDS, TRIES

RUNNERS = 10
REVISIONS = sorted(script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions())


async def migrate_ten_times(settings: Settings) -> list[bool]:
    """Whether each of ten runners, all at once, had anything to do."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(RUNNERS) as executor:
        applied = await asyncio.gather(*(loop.run_in_executor(executor, migrate, settings) for _ in range(RUNNERS)))
    assert await current_revision(settings) == head()
    return sorted(map(bool, applied))


ONE_OF_TEN = [False] * (RUNNERS - 1) + [True]


async def test_of_ten_at_once_on_an_empty_database_one_migrates(empty: Settings) -> None:
    assert await migrate_ten_times(empty) == ONE_OF_TEN


async def test_of_ten_at_once_on_a_full_database_one_migrates_and_nothing_is_lost(older: Settings) -> None:
    before = await digest(older)
    assert await migrate_ten_times(older) == ONE_OF_TEN
    assert await digest(older) == before


def with_revision(folder: Path, statements: str) -> Path:
    """The migrations, and one more after the last."""
    shutil.copytree(SCRIPTS, folder / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "alembic" / "versions" / "9000_another.py").write_text(
        f"""
from alembic import op

revision = "9000"
down_revision = "{head()}"


def upgrade() -> None:
    {statements}
"""
    )
    return folder / "alembic"


async def test_a_migration_that_fails_leaves_nothing_half_done(
    older: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(migrate, older)
    before = await describe(older)
    statements = "op.execute('CREATE TABLE half (id int)'); op.execute('ALTER TABLE run DROP COLUMN status'); 1 / 0"
    monkeypatch.setattr(migrations, "SCRIPTS", with_revision(tmp_path, statements))
    with pytest.raises(SettingError, match="division by zero"):
        await asyncio.to_thread(migrate, older)
    assert await describe(older) == before
    assert await current_revision(older) == REVISIONS[-1]


async def test_what_was_broken_off_goes_on_where_it_was(older: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await digest(older)
    for revision in REVISIONS[REVISIONS.index(BEFORE_PARTITIONS) + 1 :]:
        # As after a crash in any of them: the next process begins anew.
        await go_to(older, revision)
        await fill(older, 1)
        before = await digest(older)
    assert await asyncio.to_thread(migrate, older) == []
    assert await digest(older) == before


async def test_an_index_that_was_left_half_built_is_built_anew(older: Settings) -> None:
    await go_to(older, "0009")
    connection = await asyncpg.connect(older.database_url)
    await connection.execute("CREATE INDEX run_default_finished_at_idx ON run_default (finished_at)")
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'run_default_finished_at_idx'::regclass"
    )
    await asyncio.to_thread(migrate, older)
    method = "SELECT amname FROM pg_am JOIN pg_class ON relam = pg_am.oid WHERE relname = 'run_first_finished_at_idx'"
    assert await connection.fetchval(method) == "brin"
    assert await connection.fetchval("SELECT bool_and(indisvalid) FROM pg_index")
    await connection.close()


@pytest.mark.parametrize("revision", REVISIONS[REVISIONS.index(BEFORE_PARTITIONS) + 1 :])
async def test_down_and_up_again_nothing_is_lost(older: Settings, revision: str) -> None:
    await go_to(older, revision)
    rows, schema = await digest(older), await describe(older)
    await go_to(older, REVISIONS[REVISIONS.index(revision) - 1])
    assert await digest(older) == rows
    await go_to(older, revision)
    assert await digest(older) == rows
    assert [line for line in await describe(older) if "_bound" not in line] == [
        line for line in schema if "_bound" not in line
    ]


async def test_rows_of_every_partition_come_back_into_one(empty: Settings) -> None:
    await asyncio.to_thread(migrate, empty)
    connection = await asyncpg.connect(empty.database_url)
    await fill(empty, 10)
    await connection.execute(
        "UPDATE run SET id = overlay(id::text placing 'ffff' from 1)::uuid WHERE status = 'queued'"
    )
    await connection.close()
    before = await digest(empty)
    await go_to(empty, BEFORE_PARTITIONS)
    assert await digest(empty) == before


_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def test_everybody_goes_first_while_a_table_is_held(older: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT_MS", 200)
    reader, writer = [await asyncpg.connect(older.database_url) for _ in range(2)]
    hold = reader.transaction()
    await hold.start()
    await reader.fetch("SELECT count(*) FROM journal")
    migrating = asyncio.create_task(asyncio.to_thread(migrate, older))
    waits: list[float] = []
    # It tries again and again: what held one of the tries up says nothing about the others.
    while not waits or (min(waits) >= 1 and len(waits) < TRIES):
        started = time.monotonic()
        await writer.execute(
            "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, 1, 'x', now(), '')", new_id()
        )
        waited = time.monotonic() - started
        if waited > 0.1:
            waits.append(waited)
        await asyncio.sleep(0.01)
        assert not migrating.done()
    assert min(waits) < 1, "it waited for a moment, and then gave way"
    await hold.rollback()
    assert await asyncio.wait_for(migrating, PATIENCE_SECONDS)
    await reader.close()
    await writer.close()


async def test_who_is_in_the_way_for_too_long_is_named(older: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr(migrations, "_TABLE_PATIENCE_SECONDS", 1.2)
    before = await digest(older)
    reader = await asyncpg.connect(older.database_url, server_settings={"application_name": "report"})
    async with reader.transaction():
        await reader.fetch("SELECT count(*) FROM run")
        with pytest.raises(SettingError, match=rf"pid {reader.get_server_pid()} \(report, for \d+ s\)"):
            await asyncio.to_thread(migrate, older)
    await reader.close()
    assert await current_revision(older) == "0006"
    # PostgreSQL takes longer than that to send an autovacuum away.
    monkeypatch.undo()
    assert await asyncio.to_thread(migrate, older)
    assert await digest(older) == before


async def test_an_error_of_another_kind_is_not_tried_again(
    empty: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    def upgrade(*_arguments: object) -> None:
        nonlocal tried
        tried += 1
        raise DBAPIError("x", None, RuntimeError("no space"))

    monkeypatch.setattr("cli.migrations.command.upgrade", upgrade)
    with pytest.raises(SettingError, match="no space"):
        await asyncio.to_thread(migrate, empty)
    assert tried == 1
