"""The SQL of connections, as they are read to be used."""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.infra.envelopes import Sealed
from engine.infra.open_connections import KeptConnection

# What the key is derived for that wraps data keys.
CONNECTION_PURPOSE: Final = "connections"


class ConnectionName(NamedTuple):
    """By what steps name a connection."""

    workspace_id: UUID
    name: str


class ConnectionRow(Struct, frozen=True, kw_only=True):
    """A connection, its secret sealed."""

    id: UUID
    workspace_id: UUID
    name: str
    type: str
    secret: bytes
    wrapped_key: bytes
    secret_version: int
    allowed_hosts: list[str]
    revision: int

    @property
    def kept(self) -> KeptConnection:
        """The connection as it is opened."""
        return KeptConnection(
            id=self.id,
            name=self.name,
            type=self.type,
            sealed=Sealed(wrapped_key=self.wrapped_key, value=self.secret),
            place=place_of_secret(self.workspace_id, self.id, self.secret_version),
            allowed_hosts=self.allowed_hosts,
            revision=self.revision,
        )


_READ = """
SELECT id, workspace_id, name, type, secret, wrapped_key, secret_version, allowed_hosts, revision
FROM connection JOIN unnest($1::uuid[], $2::text[]) AS asked (workspace_id, name) USING (workspace_id, name)
"""
_READ_ONE = """
SELECT id, workspace_id, name, type, secret, wrapped_key, secret_version, allowed_hosts, revision
FROM connection WHERE workspace_id = $1 AND id = $2
"""
_NAMES = "SELECT name FROM connection WHERE workspace_id = $1 AND name = ANY ($2::text[])"


def place_of_secret(workspace_id: UUID, connection_id: UUID, secret_version: int) -> str:
    """What a secret is bound to."""
    return f"connection/{workspace_id}/{connection_id}/{secret_version}"


async def read_connections(
    pool: asyncpg.Pool | asyncpg.Connection, names: Collection[ConnectionName]
) -> dict[ConnectionName, ConnectionRow]:
    """Those of the connections that there are, as they are now."""
    rows = await pool.fetch(_READ, [each.workspace_id for each in names], [each.name for each in names])
    return {ConnectionName(row["workspace_id"], row["name"]): ConnectionRow(**row) for row in rows}


async def find_connection_names(connection: asyncpg.Connection, workspace_id: UUID, names: Collection[str]) -> set[str]:
    """Those of the names that are connections of the workspace."""
    return {row["name"] for row in await connection.fetch(_NAMES, workspace_id, list(names))}


async def read_connection(
    pool: asyncpg.Pool | asyncpg.Connection, workspace_id: UUID, connection_id: UUID
) -> ConnectionRow | None:
    """One connection of the workspace, as it is now."""
    row = await pool.fetchrow(_READ_ONE, workspace_id, connection_id)
    return None if row is None else ConnectionRow(**row)
