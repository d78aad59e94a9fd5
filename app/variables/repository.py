"""Queries of variables, each within one workspace."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.variables.tables import variable

AnyRow = Row[*tuple[Any, ...]]


async def lock_variables(connection: AsyncConnection, workspace_id: UUID) -> None:
    """Let nobody else change the workspace's variables until this transaction ends: their sum is bounded."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 0))"), {"place": f"variables/{workspace_id}"}
    )


async def list_variables(connection: AsyncConnection, workspace_id: UUID) -> list[AnyRow]:
    """All of them, by name."""
    query = select(variable).where(variable.c.workspace_id == workspace_id).order_by(variable.c.name)
    return list((await connection.execute(query)).all())


async def find_variable(connection: AsyncConnection, workspace_id: UUID, name: str) -> AnyRow | None:
    """One of them."""
    query = select(variable).where(variable.c.workspace_id == workspace_id, variable.c.name == name)
    return (await connection.execute(query)).first()


async def measure_others(connection: AsyncConnection, workspace_id: UUID, name: str) -> tuple[int, int]:
    """How many variables there are beside this one, and how many bytes they have together."""
    query = select(func.count(), func.coalesce(func.sum(func.length(variable.c.value)), 0)).where(
        variable.c.workspace_id == workspace_id, variable.c.name != name
    )
    count, size = (await connection.execute(query)).one()
    return int(count), int(size)


async def put_variable(
    connection: AsyncConnection, workspace_id: UUID, name: str, value: bytes, by: UUID
) -> tuple[AnyRow, bool]:
    """Set a variable while they are locked; its row, and whether it is new."""
    now = func.clock_timestamp()
    statement = insert(variable).values(
        workspace_id=workspace_id, name=name, value=value, updated_by=by, updated_at=now
    )
    query = statement.on_conflict_do_update(
        index_elements=[variable.c.workspace_id, variable.c.name],
        set_={"value": value, "updated_by": by, "updated_at": now},
    ).returning(*variable.c, literal_column("xmax = 0").label("is_new"))
    row: AnyRow = (await connection.execute(query)).one()
    return row, bool(row.is_new)


async def delete_variable(connection: AsyncConnection, workspace_id: UUID, name: str) -> None:
    """Remove a variable."""
    query = delete(variable).where(variable.c.workspace_id == workspace_id, variable.c.name == name)
    await connection.execute(query)
