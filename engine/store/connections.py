"""The SQL of connections, as workers read them and as keys are rotated."""

from collections.abc import Collection, Sequence
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
_WRAPPED_OTHERWISE = """
SELECT id, workspace_id, secret_version, wrapped_key FROM connection
WHERE substring(wrapped_key FROM 2 FOR 8) <> $1 AND id > $2 ORDER BY id LIMIT $3
"""
# A secret that was changed meanwhile has a data key that is wrapped anew already.
_WRAP = "UPDATE connection SET wrapped_key = $3 WHERE id = $1 AND wrapped_key = $2"


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


async def list_wrapped_otherwise(
    connection: asyncpg.Connection, key_id: bytes, after: UUID, limit: int
) -> Sequence[asyncpg.Record]:
    """Up to `limit` connections whose data key is wrapped by another secret key than this one, by their ids."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(_WRAPPED_OTHERWISE, key_id, after, limit)
    return rows


async def wrap_again(connection: asyncpg.Connection, connection_id: UUID, old: bytes, new: bytes) -> bool:
    """Replace a wrapped data key, unless it was replaced meanwhile; whether it was done."""
    return str(await connection.execute(_WRAP, connection_id, old, new)) == "UPDATE 1"


async def read_connection(
    pool: asyncpg.Pool | asyncpg.Connection, workspace_id: UUID, connection_id: UUID
) -> ConnectionRow | None:
    """One connection of the workspace, as it is now."""
    row = await pool.fetchrow(_READ_ONE, workspace_id, connection_id)
    return None if row is None else ConnectionRow(**row)
