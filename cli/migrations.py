"""Bring the database to the newest revision: one at a time over all processes, without long locks."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cli.connections import check_database, explain_database
from cli.isolation import weave
from cli.report import progress
from engine.infra.database import connect, create_engine
from engine.infra.settings import SettingError, Settings

SCRIPTS = Path(__file__).resolve().parent.parent / "alembic"
# Any constant that no other program on the same database uses.
_LOCK = 5_077_011_422
_LOCK_PATIENCE_SECONDS = 300.0
# A migration that waits longer for a table's lock lets everybody behind it go first, and tries again. Long enough for
# PostgreSQL to send an autovacuum away that is in the way.
_LOCK_TIMEOUT_MS = 2000
_TABLE_PATIENCE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 5.0
# Lock not available, deadlock detected.
_IN_THE_WAY = ("55P03", "40P01")
# Transactions that are worth naming when a table cannot be had.
_OLD_TRANSACTIONS = """
SELECT string_agg(format('pid %s (%s, for %s s)', pid, coalesce(nullif(application_name, ''), 'unnamed'),
                         round(extract(epoch FROM now() - xact_start))), ', ' ORDER BY xact_start)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - interval '1 second'
"""


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing and return the revisions applied, oldest first; raises SettingError in one line."""
    return asyncio.run(_migrate(settings))


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head() or ""


async def current_revision(settings: Settings) -> str:
    """The revision that the database is at; empty before the first migration."""
    connection = await connect(settings, name="migrate")
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
            return ""
        return str(await connection.fetchval("SELECT version_num FROM alembic_version") or "")
    finally:
        await connection.close()


async def _migrate(settings: Settings) -> list[str]:
    await check_database(settings)
    engine = create_engine(settings, name="migrate")
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_upgrade)
    except SettingError:
        raise
    except Exception as error:
        # Alembic and SQLAlchemy wrap the driver's error: the innermost says what happened.
        cause: BaseException = error
        while (inner := getattr(cause, "orig", None) or cause.__cause__) is not None:
            cause = inner
        raise explain_database(cause, settings) from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> list[str]:
    _take_lock(connection)
    scripts = ScriptDirectory(str(SCRIPTS))
    before = MigrationContext.configure(connection).get_current_heads()
    connection.commit()
    if before == (scripts.get_current_head(),):
        _apply(connection, lambda: None)
        return []
    known = {script.revision for script in scripts.walk_revisions()}
    if unknown := set(before) - known:
        raise SettingError(
            f"FLOWFORGE_DATABASE_URL: the database is at revision {', '.join(unknown)}, which this FlowForge does not "
            "know. It was used with a newer version: run that one."
        )
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    applied: list[str] = []
    config.attributes["connection"] = connection
    config.attributes["on_apply"] = lambda step, **_: applied.append(
        f"{step.up_revision.revision}: {step.up_revision.doc}"
    )
    _apply(connection, lambda: command.upgrade(config, "head"))
    return applied


def _apply(connection: Connection, upgrade: Callable[[], None]) -> None:
    """Apply what is missing, each revision in its transaction, for as often as others hold a table that it needs.

    Then row-level security is made for what is new. Where it cannot be, that is told and all else goes on.
    """
    deadline = time.monotonic() + _TABLE_PATIENCE_SECONDS
    pause = 0.5
    while True:
        connection.execute(
            text("SELECT set_config('lock_timeout', :timeout, false)"), {"timeout": str(_LOCK_TIMEOUT_MS)}
        )
        connection.commit()
        try:
            upgrade()
            if trouble := weave(connection):
                progress(trouble)
        except DBAPIError as error:
            connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                raise
            if time.monotonic() > deadline:
                raise _explain_holders(connection) from error
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return


def _explain_holders(connection: Connection) -> SettingError:
    holders = connection.scalar(text(_OLD_TRANSACTIONS)) or "nobody at this moment"
    return SettingError(
        "FLOWFORGE_DATABASE_URL: a table that the migration needs was held by others for "
        f"{_TABLE_PATIENCE_SECONDS:.0f} s; what was applied so far stays, the rest waits. "
        f"Long transactions: {holders}. End them, then migrate again."
    )


def _take_lock(connection: Connection) -> None:
    # A session's lock: it is given back when the connection closes, however this process ends.
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
        connection.rollback()
        if time.monotonic() > deadline:
            raise SettingError(
                f"FLOWFORGE_DATABASE_URL: another process has been migrating for {_LOCK_PATIENCE_SECONDS:.0f} s. "
                "Wait for it, or look for a stuck one in pg_stat_activity (flowforge-migrate)."
            )
        time.sleep(0.1)
