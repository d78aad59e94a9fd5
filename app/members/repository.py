"""Queries of members and invitations, each within one workspace but for the one that a secret token opens."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys.tables import api_key
from app.auth.tables import membership, refresh_token, user_account, user_session
from app.members.tables import invitation

AnyRow = Row[*tuple[Any, ...]]

_MEMBER = (
    user_account.c.id,
    user_account.c.email,
    user_account.c.name,
    membership.c.role,
    membership.c.created_at.label("joined_at"),
)
_OPEN = (
    invitation.c.accepted_at.is_(None),
    invitation.c.revoked_at.is_(None),
    invitation.c.expires_at > func.now(),
)


async def list_members(
    connection: AsyncConnection, workspace_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """Members, the newest users first."""
    query = (
        select(*_MEMBER)
        .join(membership, membership.c.user_id == user_account.c.id)
        .where(membership.c.workspace_id == workspace_id)
        .order_by(user_account.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(user_account.c.id < before)
    return (await connection.execute(query)).mappings().all()


async def find_last_seen(
    connection: AsyncConnection, workspace_id: UUID, user_ids: Sequence[UUID]
) -> Mapping[UUID, datetime]:
    """When sign-ins to the workspace last got tokens, by user; of whom no sign-in is kept, nothing is known."""
    latest = func.max(func.coalesce(refresh_token.c.created_at, user_session.c.created_at))
    query = (
        select(user_session.c.user_id, latest.label("last_seen_at"))
        .outerjoin(refresh_token, refresh_token.c.session_id == user_session.c.id)
        .where(user_session.c.workspace_id == workspace_id, user_session.c.user_id.in_(user_ids))
        .group_by(user_session.c.user_id)
    )
    return {row.user_id: row.last_seen_at for row in await connection.execute(query)}


async def lock_member(connection: AsyncConnection, workspace_id: UUID, user_id: UUID) -> RowMapping | None:
    """A member; nobody else changes or removes members of the workspace until this transaction ends."""
    everybody = select(membership.c.user_id).where(membership.c.workspace_id == workspace_id)
    await connection.execute(everybody.order_by(membership.c.user_id).with_for_update())
    query = (
        select(*_MEMBER)
        .join(membership, membership.c.user_id == user_account.c.id)
        .where(membership.c.workspace_id == workspace_id, user_account.c.id == user_id)
    )
    return (await connection.execute(query)).mappings().first()


async def count_owners(connection: AsyncConnection, workspace_id: UUID) -> int:
    """How many owners the workspace has."""
    query = select(func.count()).where(membership.c.workspace_id == workspace_id, membership.c.role == "owner")
    return int(await connection.scalar(query) or 0)


async def update_role(connection: AsyncConnection, workspace_id: UUID, user_id: UUID, role: str) -> None:
    """Give a member another role."""
    await connection.execute(
        update(membership)
        .where(membership.c.workspace_id == workspace_id, membership.c.user_id == user_id)
        .values(role=role)
    )


async def revoke_invitations_by(connection: AsyncConnection, workspace_id: UUID, user_id: UUID) -> None:
    """Take back what a member has invited to and nobody has accepted yet."""
    await connection.execute(
        update(invitation)
        .where(invitation.c.workspace_id == workspace_id, invitation.c.invited_by == user_id, *_OPEN)
        .values(revoked_at=func.now())
    )


async def delete_member(connection: AsyncConnection, workspace_id: UUID, user_id: UUID) -> Sequence[UUID]:
    """Remove a member, and end their sign-ins to the workspace and their API keys, whose ids are told."""
    revoke_keys = (
        update(api_key)
        .where(api_key.c.workspace_id == workspace_id, api_key.c.created_by == user_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(api_key.c.id)
    )
    key_ids: Sequence[UUID] = (await connection.execute(revoke_keys)).scalars().all()
    await connection.execute(
        delete(membership).where(membership.c.workspace_id == workspace_id, membership.c.user_id == user_id)
    )
    await connection.execute(
        update(user_session)
        .where(
            user_session.c.workspace_id == workspace_id,
            user_session.c.user_id == user_id,
            user_session.c.revoked_at.is_(None),
        )
        .values(revoked_at=func.now(), revoked_reason="membership_ended")
    )
    return key_ids


async def is_member(connection: AsyncConnection, workspace_id: UUID, email: str) -> bool:
    """Whether somebody with this email is a member."""
    query = (
        select(membership.c.user_id)
        .join(user_account, user_account.c.id == membership.c.user_id)
        .where(membership.c.workspace_id == workspace_id, user_account.c.email == email)
    )
    return (await connection.execute(query)).first() is not None


async def insert_invitation(connection: AsyncConnection, lifetime: timedelta, **values: Any) -> AnyRow:
    """Add an invitation in the place of an earlier one to the same address."""
    await connection.execute(
        update(invitation)
        .where(
            invitation.c.workspace_id == values["workspace_id"],
            invitation.c.email == values["email"],
            invitation.c.accepted_at.is_(None),
            invitation.c.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
    )
    statement = insert(invitation).values(**values, expires_at=func.now() + lifetime).returning(invitation)
    row: AnyRow = (await connection.execute(statement)).one()
    return row


async def list_invitations(
    connection: AsyncConnection, workspace_id: UUID, *, before: UUID | None, limit: int
) -> list[AnyRow]:
    """Open invitations, the newest first."""
    query = (
        select(invitation)
        .where(invitation.c.workspace_id == workspace_id, *_OPEN)
        .order_by(invitation.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(invitation.c.id < before)
    return list((await connection.execute(query)).all())


async def revoke_invitation(connection: AsyncConnection, workspace_id: UUID, invitation_id: UUID) -> AnyRow | None:
    """Take an open invitation back: its `email`, `role` and `expires_at`; None where there is none."""
    query = (
        update(invitation)
        .where(invitation.c.workspace_id == workspace_id, invitation.c.id == invitation_id, *_OPEN)
        .values(revoked_at=func.now())
        .returning(invitation.c.email, invitation.c.role, invitation.c.expires_at)
    )
    return (await connection.execute(query)).first()


async def find_invited(connection: AsyncConnection, token_hash: bytes) -> AnyRow | None:
    """An open invitation's `email` and `workspace_id`; `user_id` and `password_hash` of who has an account with it."""
    query = (
        select(
            invitation.c.email,
            invitation.c.workspace_id,
            user_account.c.id.label("user_id"),
            user_account.c.password_hash,
        )
        .outerjoin(user_account, user_account.c.email == invitation.c.email)
        .where(invitation.c.token_hash == token_hash, *_OPEN)
    )
    return (await connection.execute(query)).first()


async def use_invitation(connection: AsyncConnection, token_hash: bytes) -> AnyRow | None:
    """Use an open invitation up, once: its `workspace_id` and `role`."""
    query = (
        update(invitation)
        .where(invitation.c.token_hash == token_hash, *_OPEN)
        .values(accepted_at=func.now())
        .returning(invitation.c.workspace_id, invitation.c.role)
    )
    return (await connection.execute(query)).first()


async def add_member(connection: AsyncConnection, workspace_id: UUID, user_id: UUID, role: str) -> None:
    """Make a user a member; who is one already keeps their role."""
    statement = upsert(membership).values(workspace_id=workspace_id, user_id=user_id, role=role)
    await connection.execute(statement.on_conflict_do_nothing())
