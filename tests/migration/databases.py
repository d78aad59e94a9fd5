"""Databases at any revision, and what is in them."""

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from cli.migrations import SCRIPTS
from engine.infra.database import create_engine
from engine.infra.ids import new_id
from engine.infra.settings import Settings

# The last revision whose runs, journal and payloads are not yet in partitions by time.
BEFORE_PARTITIONS = "0005"


async def go_to(settings: Settings, revision: str) -> None:
    """Bring the database up, or down, to the revision."""
    engine = create_engine(settings, name="test")
    async with engine.connect() as connection:
        current = await connection.run_sync(_current)
        await connection.rollback()
        await connection.run_sync(_move, revision, is_up=current < revision)
    await engine.dispose()


async def fill(settings: Settings, runs: int) -> None:
    """Runs of all kinds, with their histories and payloads, as any revision takes them."""
    connection = await asyncpg.connect(settings.database_url)
    place = new_id()
    ids = [new_id() for _ in range(runs)]
    await connection.execute(
        """
        INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, wake_at, finished_at)
        SELECT id, $2, $2, $2, 1, 'api', (ARRAY['queued', 'waiting', 'succeeded'])[number % 3 + 1],
               CASE WHEN number % 3 = 1 THEN now() + interval '1 day' END, CASE WHEN number % 3 = 2 THEN now() END
        FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, number)
        """,
        ids,
        place,
    )
    await connection.execute(
        "INSERT INTO journal (run_id, seq, kind, at, payload) "
        "SELECT id, seq, 'x', now(), convert_to(id::text, 'UTF8') "
        "FROM unnest($1::uuid[]) AS id, generate_series(1, 3) AS seq",
        ids,
    )
    await connection.execute(
        "INSERT INTO payload (run_id, id, data) SELECT id, id, '\\x00' FROM unnest($1::uuid[]) AS id", ids
    )
    await connection.close()


async def digest(settings: Settings) -> list[str]:
    """A digest of every row of runs, journal and payloads."""
    connection = await asyncpg.connect(settings.database_url)
    query = "SELECT md5(string_agg(row::text, '' ORDER BY row::text)) FROM {} AS row"
    found = [await connection.fetchval(query.format(table)) for table in ("run", "journal", "payload")]
    await connection.close()
    return found


async def describe(settings: Settings) -> list[str]:
    """Every table, column, index and constraint there is."""
    connection = await asyncpg.connect(settings.database_url)
    rows = await connection.fetch(
        """
        SELECT format('%s.%s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT format('%s %s', indexdef, indexname) FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s', oid::regclass, reloptions) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        """
    )
    await connection.close()
    return sorted(row[0] for row in rows)


def _current(connection: Connection) -> str:
    found = connection.exec_driver_sql(
        "SELECT CASE WHEN to_regclass('alembic_version') IS NULL THEN '' ELSE 'known' END"
    ).scalar()
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()) if found else ""


def _move(connection: Connection, revision: str, *, is_up: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    (command.upgrade if is_up else command.downgrade)(config, revision)
