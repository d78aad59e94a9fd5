"""The second net: without any condition of the queries' own, a bound transaction has one workspace's rows."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec import Struct

from cli.isolation import CHILDREN, POLICY, SHARED
from engine.infra.ids import new_id
from engine.store.isolation import NAME_OF_ROLE
from tests.integration.plans import bind

_TABLES = """
SELECT relname AS name, relrowsecurity AS is_on, oid,
       EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = $1) AS has_policy,
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'workspace_id') AS is_owned,
       has_any_column_privilege($2, oid, 'SELECT') OR has_any_column_privilege($2, oid, 'UPDATE')
           OR has_any_column_privilege($2, oid, 'INSERT') OR has_table_privilege($2, oid, 'DELETE') AS has_rights
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""
_COLUMNS = """
SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attidentity = ''
  AND (attnotnull AND NOT atthasdef OR attname = 'workspace_id')
"""
_CHECKS = """
SELECT conrelid::regclass::text AS table, conname AS name FROM pg_constraint
WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND conislocal
"""
_NUMBERS = itertools.count(1)
_VALUES: dict[str, Callable[[], Any]] = {
    "uuid": new_id,
    "text": lambda: str(new_id()),
    "bytea": lambda: new_id().bytes,
    "integer": lambda: next(_NUMBERS),
    "bigint": lambda: next(_NUMBERS),
    "smallint": lambda: next(_NUMBERS),
    "double precision": lambda: 1.0,
    "boolean": lambda: False,
}


class Place(Struct):
    """A workspace with one row in every table: the ids of those that others lead to."""

    id: UUID
    ids: dict[str, UUID]


@pytest.fixture
async def connection(clean_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables, in a transaction that leaves nothing behind."""
    opened = await asyncpg.connect(clean_database)
    transaction = opened.transaction()
    await transaction.start()
    yield opened
    await transaction.rollback()
    await opened.close()


async def read_tables(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    role = await connection.fetchval(NAME_OF_ROLE)
    return list(await connection.fetch(_TABLES, POLICY, role))


async def guarded(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """The tables of what workspaces own, parents first."""
    tables = [table for table in await read_tables(connection) if table["is_owned"] or table["name"] in CHILDREN]
    return sorted(tables, key=lambda table: table["name"] in CHILDREN)


async def add_row(connection: asyncpg.Connection, table: asyncpg.Record, place: Place) -> None:
    """A row of the workspace, with a value in all that must have one."""
    values: dict[str, Any] = {}
    for name, kind in await connection.fetch(_COLUMNS, table["oid"]):
        values[name] = "now()" if kind.startswith("timestamp") else _VALUES[kind]()
    if "id" in values and isinstance(values["id"], UUID):
        values["id"] = place.ids.setdefault(table["name"], values["id"])
    if table["is_owned"]:
        values["workspace_id"] = place.id
    if table["name"] in CHILDREN:
        for column, parent in reversed(CHILDREN[table["name"]]):
            values[column] = place.ids[parent]
    given = [value for value in values.values() if value != "now()"]
    numbers = iter(range(1, len(given) + 1))
    marks = ["now()" if value == "now()" else f"${next(numbers)}" for value in values.values()]
    columns = ", ".join(values)
    await connection.execute(f"INSERT INTO {table['name']} ({columns}) VALUES ({', '.join(marks)})", *given)  # noqa: S608 - names of the catalogue


async def furnish(connection: asyncpg.Connection) -> tuple[Place, Place]:
    """Two workspaces, each with a row in every table; rules that only matter to real rows are put aside."""
    await connection.execute("SET LOCAL session_replication_role = replica")
    for check in await connection.fetch(_CHECKS):
        await connection.execute(f"ALTER TABLE {check['table']} DROP CONSTRAINT {check['name']}")
    places = Place(new_id(), {}), Place(new_id(), {})
    for place in places:
        await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", place.id)
        for table in await guarded(connection):
            await add_row(connection, table, place)
    return places


async def count(connection: asyncpg.Connection, tables: list[str]) -> dict[str, int]:
    """How many rows of each table there are to be seen."""
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables}  # noqa: S608 - names of the catalogue


@asynccontextmanager
async def trying(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A savepoint, behind which the transaction is as bound as before."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        yield
    finally:
        await attempt.rollback()


async def test_every_table_of_what_workspaces_own_has_a_policy(connection: asyncpg.Connection) -> None:
    tables = await read_tables(connection)
    owned = {table["name"] for table in tables if table["is_owned"]} | CHILDREN.keys() | {"workspace"}
    assert owned == {table["name"] for table in tables if table["is_on"] and table["has_policy"]}
    reachable = {table["name"] for table in tables if table["has_rights"]}
    assert reachable == owned | SHARED.keys(), "a bound transaction reaches nothing else"


async def test_no_partition_can_be_reached_past_its_table(connection: asyncpg.Connection) -> None:
    role = await connection.fetchval(NAME_OF_ROLE)
    reached = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' "
        "AND has_any_column_privilege($1, oid, 'SELECT')",
        role,
    )
    assert reached == []


async def test_rows_of_other_workspaces_are_invisible_in_every_table(connection: asyncpg.Connection) -> None:
    mine, theirs = await furnish(connection)
    tables = [*(table["name"] for table in await guarded(connection)), "workspace"]
    everything = await count(connection, tables)
    assert set(everything.values()) == {2}, everything
    for place in (mine, theirs):
        await bind(connection, place.id)
        seen = await count(connection, tables)
        assert set(seen.values()) == {1}, seen
        assert await connection.fetchval("SELECT id FROM run") == place.ids["run"]
        assert await connection.fetchval("SELECT run_id FROM journal") == place.ids["run"]
        await connection.execute("RESET ROLE")
    await bind(connection, "")
    unbound = await count(connection, tables)
    assert set(unbound.values()) == {0}, "without a workspace there is nothing"


async def test_rows_of_other_workspaces_are_not_changed_in_any_table(connection: asyncpg.Connection) -> None:
    mine, _ = await furnish(connection)
    await bind(connection, mine.id)
    for table in await guarded(connection):
        column = CHILDREN[table["name"]][0][0] if table["name"] in CHILDREN else "workspace_id"
        change, remove = f"UPDATE {table['name']} SET {column} = {column}", f"DELETE FROM {table['name']}"  # noqa: S608 - names of the catalogue
        is_log = table["name"].startswith("audit_")
        for statement in (change, remove):
            async with trying(connection):
                if is_log and not (table["name"] == "audit_head" and statement == change):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                        await connection.execute(statement)
                else:
                    assert (await connection.execute(statement)).endswith(" 1"), statement


async def test_nothing_is_written_into_other_workspaces_in_any_table(connection: asyncpg.Connection) -> None:
    mine, theirs = await furnish(connection)
    tables = await guarded(connection)
    await bind(connection, mine.id)
    for table in tables:
        ids = dict(theirs.ids)
        # A new row, not the one that is there.
        ids.pop(table["name"], None)
        async with trying(connection):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await add_row(connection, table, Place(theirs.id, ids))
        async with trying(connection):
            if table["is_owned"] and table["name"] != "audit_entry":
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(f"UPDATE {table['name']} SET workspace_id = $1", theirs.id)  # noqa: S608 - names of the catalogue
        async with trying(connection):
            # What is one's own may be added, but where there is only one: it is the workspace that was refused.
            own = {name: row_id for name, row_id in mine.ids.items() if name != table["name"]}
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await add_row(connection, table, Place(mine.id, own))


async def test_a_bound_transaction_reads_no_password_and_no_key(connection: asyncpg.Connection) -> None:
    await bind(connection, new_id())
    for query in (
        "SELECT password_hash FROM user_account",
        "SELECT * FROM signing_key",
        "SELECT * FROM refresh_token",
        "SELECT * FROM worker",
    ):
        async with trying(connection):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await connection.execute(query)
