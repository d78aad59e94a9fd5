"""Queries of connections, each within one workspace."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.connections.tables import authorization_table, connection_table

AnyRow = Row[*tuple[Any, ...]]


async def lock_names(connection: AsyncConnection, workspace_id: UUID) -> None:
    """Let nobody else make, rename or delete connections of the workspace until this transaction ends."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 0))"), {"place": f"connections/{workspace_id}"}
    )


async def count_connections(connection: AsyncConnection, workspace_id: UUID) -> int:
    """How many the workspace has."""
    query = select(func.count()).where(connection_table.c.workspace_id == workspace_id)
    return int((await connection.execute(query)).scalar_one())


async def find_by_name(connection: AsyncConnection, workspace_id: UUID, name: str) -> UUID | None:
    """The id of the connection of this name."""
    query = select(connection_table.c.id).where(
        connection_table.c.workspace_id == workspace_id, connection_table.c.name == name
    )
    found: UUID | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def insert_connection(connection: AsyncConnection, **values: Any) -> AnyRow:
    """Add a connection; its row."""
    row: AnyRow = (
        await connection.execute(insert(connection_table).values(**values).returning(connection_table))
    ).one()
    return row


async def list_connections(
    connection: AsyncConnection, workspace_id: UUID, *, after: UUID | None, limit: int
) -> list[AnyRow]:
    """Up to `limit` connections, the newest first."""
    query = select(connection_table).where(connection_table.c.workspace_id == workspace_id)
    if after is not None:
        query = query.where(connection_table.c.id < after)
    return list((await connection.execute(query.order_by(connection_table.c.id.desc()).limit(limit))).all())


async def find_connection(
    connection: AsyncConnection, workspace_id: UUID, connection_id: UUID, *, is_locked: bool = False
) -> AnyRow | None:
    """One of them, locked for a change where that is asked for."""
    query = select(connection_table).where(
        connection_table.c.workspace_id == workspace_id, connection_table.c.id == connection_id
    )
    return (await connection.execute(query.with_for_update() if is_locked else query)).first()


async def update_connection(
    connection: AsyncConnection, workspace_id: UUID, connection_id: UUID, **values: Any
) -> AnyRow:
    """Change a connection that is locked; its row, one revision on."""
    query = (
        update(connection_table)
        .where(connection_table.c.workspace_id == workspace_id, connection_table.c.id == connection_id)
        .values(**values, revision=connection_table.c.revision + 1, updated_at=func.clock_timestamp())
        .returning(connection_table)
    )
    row: AnyRow = (await connection.execute(query)).one()
    return row


async def delete_connection(connection: AsyncConnection, workspace_id: UUID, connection_id: UUID) -> None:
    """Remove it."""
    query = delete(connection_table).where(
        connection_table.c.workspace_id == workspace_id, connection_table.c.id == connection_id
    )
    await connection.execute(query)


async def insert_authorization(connection: AsyncConnection, *, lifetime: timedelta, **values: Any) -> datetime:
    """Note a sign-in that begins, and forget those that are too old by now; until when it may end."""
    await connection.execute(delete(authorization_table).where(authorization_table.c.expires_at <= func.now()))
    query = (
        insert(authorization_table)
        .values(**values, expires_at=func.now() + lifetime)
        .returning(authorization_table.c.expires_at)
    )
    expires_at: datetime = (await connection.execute(query)).scalar_one()
    return expires_at


async def take_authorization(connection: AsyncConnection, state_hash: bytes) -> AnyRow | None:
    """The sign-in that has begun with this state: once, and not after its time. The state itself is its credential."""
    query = (
        delete(authorization_table)
        .where(authorization_table.c.state_hash == state_hash)
        .returning(*authorization_table.c, (authorization_table.c.expires_at > func.now()).label("is_living"))
    )
    row = (await connection.execute(query)).first()
    return row if row is not None and row.is_living else None
