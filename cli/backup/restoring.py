"""Restore a backup: into an empty database only, all or nothing, and looked at afterwards."""

import asyncio
from pathlib import Path

import asyncpg
from alembic.script import ScriptDirectory

from cli.backup.archive import CHUNK, Label, read_label
from cli.backup.programs import address, find_program
from cli.backup.saving import count_rows
from cli.connections import check_database, explain_database, without_password
from cli.migrations import SCRIPTS
from engine.infra.database import connect
from engine.infra.settings import SettingError, Settings

_CONTENTS = """
SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
"""

# No worker of then lives: its runs are free at once, and its death is none that they could have caused.
_FREE = (
    "UPDATE run SET owner = NULL WHERE owner IS NOT NULL",
    "UPDATE worker SET alive = false WHERE alive",
)


def examine(path: Path) -> Label:
    """The label of a file that this FlowForge can restore; raises SettingError in one line."""
    label = read_label(path)
    if label.revision not in {script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()}:
        raise SettingError(
            f"{path} is of revision {label.revision}, which this FlowForge does not know. Restore it with a newer one."
        )
    return label


async def restore(settings: Settings, path: Path, label: Label) -> None:
    """Restore an examined file into the empty database of `settings`; raises SettingError in one line."""
    await check_database(settings)
    connection = await connect(settings, name="restore")
    try:
        if await connection.fetchval(_CONTENTS):
            raise SettingError(
                f"FLOWFORGE_DATABASE_URL={without_password(settings.database_url)} is not empty. A backup is restored "
                "into an empty database only: create one, or name another data folder by --data-dir."
            )
        await _pour(settings, find_program("pg_restore", connection.get_server_version().major), path, label)
        await _verify(connection, label)
        async with connection.transaction():
            for statement in _FREE:
                await connection.execute(statement)
        await connection.execute("ANALYZE")
    except asyncpg.PostgresError as error:
        raise explain_database(error, settings) from error
    finally:
        await connection.close()


async def _pour(settings: Settings, program: Path, path: Path, label: Label) -> None:
    url, environment = address(settings)
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={url}",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    if process.stdin is None or process.stderr is None:
        raise RuntimeError("pg_restore has no input")
    complaints = asyncio.create_task(process.stderr.read())
    try:
        with path.open("rb") as file:
            left = label.size
            while chunk := file.read(min(CHUNK, left)):
                left -= len(chunk)
                process.stdin.write(chunk)
                await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        # It has ended before its input did, and says why.
        pass
    text = (await complaints).decode(errors="replace").strip()
    if await process.wait() != 0:
        raise SettingError(f"pg_restore failed, and nothing was restored: {' '.join(text.split())}.")


async def _verify(connection: asyncpg.Connection, label: Label) -> None:
    rows = await count_rows(connection)
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    wrong = sorted(name for name in {*rows, *label.rows} if rows.get(name) != label.rows.get(name))
    if wrong or revision != label.revision:
        raise SettingError(
            f"What was restored is not what was backed up: {', '.join(wrong) or 'the revision'} differ. "
            "Do not use this database."
        )
