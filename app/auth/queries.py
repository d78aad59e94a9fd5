"""Queries of those who are here already: whether what they came by still stands."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys.tables import api_key
from app.auth.tables import membership, user_account, user_session


async def find_roles_of_sessions(
    connection: AsyncConnection, session_ids: Collection[UUID]
) -> dict[tuple[UUID, UUID, UUID], str]:
    """Of these sessions those that go on, each with its user and workspace: the role that it acts in."""
    query = (
        select(user_session.c.id, user_session.c.user_id, user_session.c.workspace_id, membership.c.role)
        .join(user_account, user_account.c.id == user_session.c.user_id)
        .join(
            membership,
            (membership.c.user_id == user_session.c.user_id)
            & (membership.c.workspace_id == user_session.c.workspace_id),
        )
        .where(
            user_session.c.id == any_(literal(list(session_ids), ARRAY(Uuid))),
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > func.now(),
            user_account.c.is_active,
        )
    )
    rows = (await connection.execute(query)).all()
    return {(session_id, user_id, workspace_id): role for session_id, user_id, workspace_id, role in rows}


async def find_roles_of_keys(connection: AsyncConnection, key_ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Of these keys the living ones, as `find_api_key` has it: the role of each, and its maker's."""
    query = (
        select(api_key.c.id, api_key.c.role, membership.c.role)
        .join(
            membership,
            (membership.c.user_id == api_key.c.created_by) & (membership.c.workspace_id == api_key.c.workspace_id),
        )
        .join(user_account, user_account.c.id == api_key.c.created_by)
        .where(
            api_key.c.id == any_(literal(list(key_ids), ARRAY(Uuid))),
            api_key.c.revoked_at.is_(None),
            or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > func.now()),
            user_account.c.is_active,
        )
    )
    rows = (await connection.execute(query)).all()
    return {key_id: (role, makers_role) for key_id, role, makers_role in rows}
