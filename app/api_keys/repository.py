"""Queries of API keys, each within one workspace but for the one that finds out whose a key is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, RowMapping, and_, false, func, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys.tables import api_key
from app.auth.tables import membership, user_account

AnyRow = Row[*tuple[Any, ...]]

# How exactly the last use is told: a write for every request would cost more than it tells.
USE_PRECISION: Final = timedelta(minutes=1)

_SHOWN = (
    api_key.c.id,
    api_key.c.name,
    api_key.c.role,
    api_key.c.prefix,
    api_key.c.created_by,
    api_key.c.created_at,
    api_key.c.expires_at,
    api_key.c.last_used_at,
)


async def insert_api_key(connection: AsyncConnection, **values: Any) -> RowMapping:
    """Add a key; what may be shown of it."""
    return (await connection.execute(insert(api_key).values(**values).returning(*_SHOWN))).mappings().one()


async def list_api_keys(
    connection: AsyncConnection, workspace_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """Keys that are not revoked, the newest first; expired ones are among them, so that one sees why they fail."""
    query = (
        select(*_SHOWN)
        .where(api_key.c.workspace_id == workspace_id, api_key.c.revoked_at.is_(None))
        .order_by(api_key.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(api_key.c.id < before)
    return (await connection.execute(query)).mappings().all()


async def revoke_api_key(connection: AsyncConnection, workspace_id: UUID, key_id: UUID) -> AnyRow | None:
    """Revoke a key: its `name`, `role`, `prefix` and `expires_at`; None where there is none.

    Its row stays, for what it did is told by its name.
    """
    query = (
        update(api_key)
        .where(api_key.c.workspace_id == workspace_id, api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(api_key.c.name, api_key.c.role, api_key.c.prefix, api_key.c.expires_at)
    )
    return (await connection.execute(query)).first()


async def find_api_key(connection: AsyncConnection, key_hash: bytes) -> AnyRow | None:
    """A key: `id`, `name`, `workspace_id`, `created_by`, its `role`, its maker's, when it ends, and `is_living`.

    Living is one that is not revoked or expired, and whose maker is active and a member.
    """
    is_expired = func.coalesce(api_key.c.expires_at <= func.now(), false())
    is_living = and_(
        api_key.c.revoked_at.is_(None),
        not_(is_expired),
        membership.c.role.is_not(None),
        func.coalesce(user_account.c.is_active, false()),
    )
    query = (
        select(
            api_key.c.id,
            api_key.c.name,
            api_key.c.workspace_id,
            api_key.c.created_by,
            api_key.c.role,
            api_key.c.expires_at,
            api_key.c.revoked_at,
            membership.c.role.label("makers_role"),
            is_expired.label("is_expired"),
            is_living.label("is_living"),
        )
        .outerjoin(
            membership,
            (membership.c.user_id == api_key.c.created_by) & (membership.c.workspace_id == api_key.c.workspace_id),
        )
        .outerjoin(user_account, user_account.c.id == api_key.c.created_by)
        .where(api_key.c.key_hash == key_hash)
    )
    return (await connection.execute(query)).first()


async def hold_roles(connection: AsyncConnection, workspace_id: UUID, key_id: UUID) -> tuple[str, str] | None:
    """The role of a living key and its maker's, which nobody changes until this transaction ends; None if it ended."""
    query = (
        select(api_key.c.role, membership.c.role)
        .join(
            membership,
            (membership.c.user_id == api_key.c.created_by) & (membership.c.workspace_id == api_key.c.workspace_id),
        )
        .join(user_account, user_account.c.id == api_key.c.created_by)
        .where(
            api_key.c.id == key_id,
            api_key.c.workspace_id == workspace_id,
            api_key.c.revoked_at.is_(None),
            or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > func.now()),
            user_account.c.is_active,
        )
        .with_for_update(read=True, of=membership)
    )
    found = (await connection.execute(query)).first()
    return None if found is None else (found[0], found[1])


async def note_use(connection: AsyncConnection, key_id: UUID) -> None:
    """Remember that the key was used, to the minute."""
    await connection.execute(
        update(api_key)
        .where(
            api_key.c.id == key_id,
            or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < func.now() - USE_PRECISION),
        )
        .values(last_used_at=func.now())
    )


async def read_time(connection: AsyncConnection) -> datetime:
    """The database's time."""
    now: datetime = (await connection.execute(select(func.now()))).scalar_one()
    return now
