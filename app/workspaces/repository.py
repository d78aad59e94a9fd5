"""Queries of a user's workspaces."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.tables import membership, workspace

AnyRow = Row[*tuple[Any, ...]]


async def list_workspaces(connection: AsyncConnection, user_id: UUID) -> list[AnyRow]:
    """The workspaces that the user is a member of, with the role, by name."""
    query = (
        select(workspace.c.id, workspace.c.name, workspace.c.created_at, membership.c.role)
        .join(membership, membership.c.workspace_id == workspace.c.id)
        .where(membership.c.user_id == user_id)
        .order_by(workspace.c.name, workspace.c.id)
    )
    return list((await connection.execute(query)).all())


async def rename_workspace(connection: AsyncConnection, workspace_id: UUID, name: str) -> str:
    """Give the workspace another name; the one that it had."""
    mine = workspace.c.id == workspace_id
    before: str = (await connection.execute(select(workspace.c.name).where(mine).with_for_update())).scalar_one()
    await connection.execute(update(workspace).where(mine).values(name=name))
    return before
