"""`backup` and `restore` against a real PostgreSQL."""

import asyncio
import errno
import hashlib
import os
import subprocess
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest

from cli.backup import saving
from cli.backup.archive import Label, read_label, write_label
from cli.backup.programs import find_program
from cli.backup.restoring import examine, restore
from cli.backup.saving import count_rows, save
from cli.migrations import head, migrate
from engine.infra.ids import new_id
from engine.infra.settings import SettingError, Settings
from engine.store.partitions import PARTITION_LOCK
from tests.product import run_command

PLACE = new_id()

_FILL = """
WITH made AS (
    INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, owner)
    VALUES ($1, $2, $2, $2, 1, 'api', 'running', 1)
)
INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, 1, 'run.queued', now(), $3)
"""


@pytest.fixture
async def databases(servers: tuple[str, str]) -> AsyncIterator[tuple[Settings, Settings]]:
    """A database at the newest revision with a few rows, and an empty one."""
    server = await asyncpg.connect(servers[0])
    names = ("saved", "restored")
    for name in names:
        await server.execute(f"CREATE DATABASE {name}")
    full, empty = (Settings(database_url=urlunsplit(urlsplit(servers[0])._replace(path=f"/{name}"))) for name in names)
    await asyncio.to_thread(migrate, full)
    connection = await asyncpg.connect(full.database_url)
    await connection.execute("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1)")
    for number in range(20):
        await connection.execute(_FILL, new_id(), PLACE, bytes([number, 0, 255]))
    await connection.close()
    yield full, empty
    for name in names:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


async def contents(settings: Settings, *tables: str) -> list[str]:
    """A digest of every row of the tables."""
    connection = await asyncpg.connect(settings.database_url)
    query = "SELECT coalesce(md5(string_agg(row::text, '' ORDER BY row::text)), '') FROM {} AS row"
    try:
        return [await connection.fetchval(query.format(table)) for table in tables]
    finally:
        await connection.close()


async def test_what_is_restored_is_what_was_backed_up(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    full, empty = databases
    file = tmp_path / "backup"
    label = await asyncio.to_thread(save, full, file)
    assert (label.revision, label.rows["run"], label.rows["journal"]) == (head(), 20, 20)
    assert file.stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(examine, file) == label
    await restore(empty, file, label)
    assert await contents(empty, "journal", "alembic_version") == await contents(full, "journal", "alembic_version")
    assert await asyncio.to_thread(migrate, empty) == []
    connection = await asyncpg.connect(empty.database_url)
    assert await connection.fetchval("SELECT count(*) FROM run WHERE owner IS NULL AND status = 'running'") == 20
    assert await connection.fetchval("SELECT count(*) FROM run WHERE crashes > 0") == 0
    assert await connection.fetchval("SELECT count(*) FROM worker WHERE alive") == 0
    # What counts on goes on counting: no incarnation is used twice.
    assert await connection.fetchval("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1) RETURNING id") == 2
    await connection.close()


async def test_a_backup_is_of_one_moment_while_others_write(
    databases: tuple[Settings, Settings], tmp_path: Path
) -> None:
    full, empty = databases
    writer = await asyncpg.connect(full.database_url)
    written = 0

    async def write() -> None:
        nonlocal written
        while True:
            await writer.execute(_FILL, new_id(), PLACE, b"")
            written += 1

    writing = asyncio.create_task(write())
    while written < 10:
        await asyncio.sleep(0.01)
    label = await asyncio.to_thread(save, full, tmp_path / "backup")
    seen = written
    while written < seen + 10:
        await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await writer.close()
    assert 30 <= label.rows["run"] == label.rows["journal"] <= seen + 21
    await restore(empty, tmp_path / "backup", label)


async def test_a_database_with_anything_in_it_is_refused(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    full, empty = databases
    label = await asyncio.to_thread(save, full, tmp_path / "backup")
    with pytest.raises(SettingError, match="is not empty"):
        await restore(full, tmp_path / "backup", label)
    connection = await asyncpg.connect(empty.database_url)
    await connection.execute("CREATE TABLE theirs (id int)")
    with pytest.raises(SettingError, match="is not empty") as caught:
        await restore(empty, tmp_path / "backup", label)
    assert str(urlsplit(empty.database_url).password) not in str(caught.value)
    assert list(await count_rows(connection)) == ["theirs"]
    await connection.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:], "its checksum is not the one"),
        (lambda content: content[:-1], "its end is missing"),
        (lambda content: content[: len(content) // 2], "its end is missing"),
        (lambda content: content[1:], "has not the length"),
        (lambda _: b"", "its end is missing"),
    ],
    ids=["a bit", "the last byte", "half of it", "the first byte", "all of it"],
)
async def test_a_damaged_file_is_not_taken_for_a_backup(
    databases: tuple[Settings, Settings], tmp_path: Path, damage: object, message: str
) -> None:
    assert callable(damage)
    file = tmp_path / "backup"
    await asyncio.to_thread(save, databases[0], file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(SettingError, match=message):
        examine(file)


async def test_a_restore_that_fails_leaves_nothing_behind(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    full, empty = databases
    good, file = tmp_path / "good", tmp_path / "bad"
    label = await asyncio.to_thread(save, full, good)
    # A whole and checked file whose archive ends in the middle.
    content = good.read_bytes()[: label.size * 2 // 3]
    broken = msgspec.structs.replace(label, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    with file.open("wb") as handle:
        handle.write(content)
        write_label(handle, broken)
    with pytest.raises(SettingError, match="pg_restore failed, and nothing was restored"):
        await restore(empty, file, examine(file))
    connection = await asyncpg.connect(empty.database_url)
    assert await count_rows(connection) == {}
    await connection.close()
    await restore(empty, good, label)


async def test_a_newer_backup_is_left_to_a_newer_product(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    label = await asyncio.to_thread(save, databases[0], tmp_path / "backup")
    for changed, message in (({"revision": "9999"}, "does not know"), ({"format": 9}, "newer FlowForge")):
        file = tmp_path / str(next(iter(changed.values())))
        newer: Label = msgspec.structs.replace(label, **changed)
        with file.open("wb") as handle:
            handle.write((tmp_path / "backup").read_bytes()[: label.size])
            write_label(handle, newer)
        with pytest.raises(SettingError, match=message):
            examine(file)


async def test_a_file_that_is_there_stays(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("older")
    with pytest.raises(SettingError, match="is there already"):
        await asyncio.to_thread(save, databases[0], file)
    assert file.read_text() == "older"


async def test_a_backup_that_fails_leaves_no_file(databases: tuple[Settings, Settings], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no tables of FlowForge"):
        await asyncio.to_thread(save, databases[1], tmp_path / "backup")
    with pytest.raises(SettingError, match="cannot be written: No such file"):
        await asyncio.to_thread(save, databases[0], tmp_path / "missing" / "backup")
    assert list(tmp_path.iterdir()) == []


async def test_a_second_backup_into_the_same_file_leaves_the_first_one_whole(
    databases: tuple[Settings, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup"
    dump = saving._dump
    second_began, first_done = threading.Event(), threading.Event()
    seconds: list[Future[Label]] = []

    async def dump_late(settings: Settings, half: IO[bytes]) -> Label:
        second_began.set()
        assert await asyncio.to_thread(first_done.wait, 60)
        return await dump(settings, half)

    async def dump_beside_another(settings: Settings, half: IO[bytes]) -> Label:
        monkeypatch.setattr(saving, "_dump", dump_late)
        seconds.append(pool.submit(save, settings, file))
        assert await asyncio.to_thread(second_began.wait, 60)
        return await dump(settings, half)

    monkeypatch.setattr(saving, "_dump", dump_beside_another)
    with ThreadPoolExecutor(1) as pool:
        label = await asyncio.to_thread(save, databases[0], file)
        assert await asyncio.to_thread(examine, file) == label
        first_done.set()
        with pytest.raises(SettingError, match="is there already"):
            await asyncio.wrap_future(seconds[0])
    assert await asyncio.to_thread(examine, file) == label
    assert list(tmp_path.iterdir()) == [file]


async def test_a_backup_takes_what_a_killed_one_has_left_half_made_away(
    databases: tuple[Settings, Settings], tmp_path: Path
) -> None:
    (tmp_path / "backup.abcdefgh.part").write_text("half")
    await asyncio.to_thread(save, databases[0], tmp_path / "backup")
    assert list(tmp_path.iterdir()) == [tmp_path / "backup"]


async def test_a_backup_in_a_folder_that_may_not_be_read_is_whole(
    databases: tuple[Settings, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = os.open

    def refuse_folder(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_file(path, flags, *more, **named)

    # As root, on whom no such folder is closed.
    monkeypatch.setattr(os, "open", refuse_folder)
    label = await asyncio.to_thread(save, databases[0], tmp_path / "backup")
    assert await asyncio.to_thread(examine, tmp_path / "backup") == label


async def test_two_backups_do_not_run_at_once(
    databases: tuple[Settings, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "_PATIENCE", "50ms")
    other = await asyncpg.connect(databases[0].database_url)
    await other.execute("SELECT pg_advisory_lock($1)", PARTITION_LOCK)
    with pytest.raises(SettingError, match="Another backup"):
        await asyncio.to_thread(save, databases[0], tmp_path / "backup")
    await other.close()


async def test_the_file_is_an_archive_that_postgres_itself_reads(
    databases: tuple[Settings, Settings], tmp_path: Path
) -> None:
    await asyncio.to_thread(save, databases[0], tmp_path / "backup")
    answer = subprocess.run(
        [find_program("pg_restore", 16), "--list", tmp_path / "backup"], capture_output=True, text=True, check=True
    )
    assert "TABLE DATA public worker" in answer.stdout
    assert read_label(tmp_path / "backup").rows["worker"] == 1


async def test_the_commands_do_it_and_tell_trouble_in_a_line(
    databases: tuple[Settings, Settings], tmp_path: Path
) -> None:
    full, empty = databases
    file = str(tmp_path / "backup")
    answer = await asyncio.to_thread(run_command, "backup", file, FLOWFORGE_DATABASE_URL=full.database_url)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "20 runs" in answer.stderr
    assert "the secret key is not in it" in answer.stderr
    answer = await asyncio.to_thread(run_command, "restore", file, FLOWFORGE_DATABASE_URL=empty.database_url)
    assert answer.returncode == 0, answer.stderr
    answer = await asyncio.to_thread(run_command, "restore", file, FLOWFORGE_DATABASE_URL=empty.database_url)
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1
