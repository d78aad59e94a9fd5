"""Write a backup: everything as it is at one moment, while the product goes on."""

import asyncio
import contextlib
import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import IO

import asyncpg

from cli.backup.archive import CHUNK, Label, write_label
from cli.backup.halves import make_half, remove_abandoned
from cli.backup.place import name_key
from cli.backup.programs import address, find_program
from cli.connections import explain_database
from engine.infra.database import connect
from engine.infra.settings import SettingError, Settings
from engine.store.partitions import PARTITION_LOCK

# A partition that is being dropped takes moments.
_PATIENCE = "60s"

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""


def save(settings: Settings, path: Path) -> Label:
    """Write the backup to a new file that only its owner may read; raises SettingError in one line."""
    half: Path | None = None
    try:
        _refuse_existing(path)
        remove_abandoned(path)
        file, half = make_half(path)
        # Until it is in its place it is held: else another backup would take it for one that was left.
        with file:
            label = asyncio.run(_dump(settings, file))
            write_label(file, label)
            file.flush()
            os.fsync(file.fileno())
            _refuse_existing(path)
            half.replace(path)
        _keep_names(path.parent)
    except OSError as error:
        raise SettingError(f"{path} cannot be written: {error.strerror}. Name a place with enough room.") from error
    finally:
        if half is not None:
            half.unlink(missing_ok=True)
    return label


async def count_rows(connection: asyncpg.Connection) -> dict[str, int]:
    """The number of rows of every table."""
    names = [row["relname"] for row in await connection.fetch(_TABLES)]
    # A table's name cannot be an argument; these come from PostgreSQL's own catalogue, and are quoted.
    count = 'SELECT count(*) FROM "{}"'
    return {name: await connection.fetchval(count.format(name)) for name in names}


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise SettingError(f"{path} is there already. Name another file, or remove it.")


def _keep_names(folder: Path) -> None:
    """Have the names in a folder on its disk: a file that nobody finds after a power cut is no backup."""
    # Some file systems of networks know no such thing, and some folders may not be read: the backup is whole anyway.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def _dump(settings: Settings, file: IO[bytes]) -> Label:
    try:
        # The snapshot is held for as long as the dump takes.
        connection = await connect(settings, name="backup", idle_in_transaction_session_timeout="0")
    except Exception as error:
        raise explain_database(error, settings) from error
    try:
        program = find_program("pg_dump", connection.get_server_version().major)
        # No partition is made or dropped meanwhile: pg_dump first lists the tables, and then locks them.
        await connection.execute(f"SET lock_timeout = '{_PATIENCE}'")
        await connection.fetchval("SELECT pg_advisory_lock($1)", PARTITION_LOCK)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
                raise SettingError("There is nothing to back up: the database has no tables of FlowForge.")
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
            made_at: datetime = await connection.fetchval("SELECT now()")
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            size, digest = await _stream(settings, program, snapshot, file)
            rows = await count_rows(connection)
        version = connection.get_server_version()
    except asyncpg.LockNotAvailableError:
        raise SettingError("Another backup, or a change of partitions, has gone on for a minute. Try again.") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise explain_database(error, settings) from error
    finally:
        await connection.close()
    return Label(
        made_at=made_at.isoformat(),
        revision=str(revision),
        server=f"{version.major}.{version.micro}",
        size=size,
        sha256=digest,
        rows=rows,
        key=name_key(settings),
    )


async def _stream(settings: Settings, program: Path, snapshot: str, file: IO[bytes]) -> tuple[int, str]:
    url, environment = address(settings)
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={url}",
        f"--snapshot={snapshot}",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        limit=CHUNK,
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("pg_dump has no output")
    complaints = asyncio.create_task(process.stderr.read())
    digest, size = hashlib.sha256(), 0
    try:
        while chunk := await process.stdout.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
        text = (await complaints).decode(errors="replace").strip()
        if await process.wait() != 0:
            raise SettingError(f"pg_dump failed: {' '.join(text.split()) or 'it gave no reason'}.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return size, digest.hexdigest()
