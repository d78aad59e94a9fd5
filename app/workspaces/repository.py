"""Queries of a user's workspaces."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
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
