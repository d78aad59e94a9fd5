"""The SQL of connections, as they are read to be used."""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.infra.envelopes import Sealed
from engine.infra.kept_connections import KeptConnection, KeptToken

# What the key is derived for that wraps data keys.
CONNECTION_PURPOSE: Final = "connections"


class ConnectionName(NamedTuple):
    """By what steps name a connection."""

    workspace_id: UUID
    name: str


class ConnectionRow(Struct, frozen=True, kw_only=True):
    """A connection, its secret sealed, with the tokens that it has for this very secret."""

    id: UUID
    workspace_id: UUID
    name: str
    type: str
    secret: bytes
    wrapped_key: bytes
    secret_version: int
    allowed_hosts: list[str]
    revision: int
    token: KeptToken | None = None

    @property
    def kept(self) -> KeptConnection:
        """The connection as it is opened."""
        return KeptConnection(
            id=self.id,
            workspace_id=self.workspace_id,
            name=self.name,
            type=self.type,
            sealed=Sealed(wrapped_key=self.wrapped_key, value=self.secret),
            place=place_of_secret(self.workspace_id, self.id, self.secret_version),
            secret_version=self.secret_version,
            allowed_hosts=self.allowed_hosts,
            revision=self.revision,
            token=self.token,
        )


# What tells of tokens, by the database's clock; `token_holder` is null where there are none for this secret.
COLUMNS_OF_TOKENS: Final = """
    token.connection_id AS token_holder, token.token_id, token.tokens, token.wrapped_key AS tokens_key,
    token.is_refreshable, token.refused_at IS NOT NULL AS is_refused, token.failure,
    extract(epoch FROM token.usable_until - clock_timestamp())::float8 AS usable_seconds,
    extract(epoch FROM token.expires_at - clock_timestamp())::float8 AS left_seconds
"""
_COLUMNS = f"""
    connection.id, connection.workspace_id, connection.name, connection.type, connection.secret, connection.wrapped_key,
    connection.secret_version, connection.allowed_hosts, connection.revision, {COLUMNS_OF_TOKENS}
"""
_WITH_TOKENS = """
LEFT JOIN connection_token AS token
    ON token.connection_id = connection.id AND token.secret_version = connection.secret_version
"""
_READ = f"""
SELECT {_COLUMNS}
FROM connection JOIN unnest($1::uuid[], $2::text[]) AS asked (workspace_id, name) USING (workspace_id, name)
{_WITH_TOKENS}
"""  # noqa: S608 - put together of constants of this module
_READ_ONE = f"""
SELECT {_COLUMNS} FROM connection {_WITH_TOKENS} WHERE connection.workspace_id = $1 AND connection.id = $2
"""  # noqa: S608 - put together of constants of this module
_NAMES = "SELECT name FROM connection WHERE workspace_id = $1 AND name = ANY ($2::text[])"


def place_of_secret(workspace_id: UUID, connection_id: UUID, secret_version: int) -> str:
    """What a secret is bound to."""
    return f"connection/{workspace_id}/{connection_id}/{secret_version}"


async def read_connections(
    pool: asyncpg.Pool | asyncpg.Connection, names: Collection[ConnectionName]
) -> dict[ConnectionName, ConnectionRow]:
    """Those of the connections that there are, as they are now."""
    rows = await pool.fetch(_READ, [each.workspace_id for each in names], [each.name for each in names])
    return {ConnectionName(row["workspace_id"], row["name"]): _read_row(row) for row in rows}


async def find_connection_names(connection: asyncpg.Connection, workspace_id: UUID, names: Collection[str]) -> set[str]:
    """Those of the names that are connections of the workspace."""
    return {row["name"] for row in await connection.fetch(_NAMES, workspace_id, list(names))}


async def read_connection(
    pool: asyncpg.Pool | asyncpg.Connection, workspace_id: UUID, connection_id: UUID
) -> ConnectionRow | None:
    """One connection of the workspace, as it is now."""
    row = await pool.fetchrow(_READ_ONE, workspace_id, connection_id)
    return None if row is None else _read_row(row)


def read_token(row: asyncpg.Record) -> KeptToken | None:
    """What a row tells of tokens."""
    if row["token_holder"] is None:
        return None
    is_there = row["token_id"] is not None
    return KeptToken(
        token_id=row["token_id"],
        sealed=Sealed(wrapped_key=row["tokens_key"], value=row["tokens"]) if is_there else None,
        is_refreshable=row["is_refreshable"],
        is_refused=row["is_refused"],
        failure=row["failure"],
        usable_seconds=row["usable_seconds"],
        left_seconds=row["left_seconds"],
    )


def _read_row(row: asyncpg.Record) -> ConnectionRow:
    own = {name: row[name] for name in ConnectionRow.__struct_fields__ if name != "token"}
    return ConnectionRow(**own, token=read_token(row))
