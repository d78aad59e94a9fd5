"""Queries of identity. Sessions and users stand above workspaces; what belongs to one names it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, RowMapping, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.devices import Device
from app.auth.tables import membership, refresh_token, user_account, user_session, workspace

AnyRow = Row[*tuple[Any, ...]]

# Serialises first set-ups; any constant of our own.
_SETUP_LOCK = 5_077_011_432


async def has_users(connection: AsyncConnection) -> bool:
    """Whether the first set-up is done."""
    return bool(await connection.scalar(select(exists().where(user_account.c.id.is_not(None)))))


async def lock_setup(connection: AsyncConnection) -> None:
    """Let no other set-up decide until this transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SETUP_LOCK})


async def insert_user(connection: AsyncConnection, user_id: UUID, email: str, name: str, password_hash: str) -> None:
    """Add a user; the email is in lower case."""
    await connection.execute(
        insert(user_account).values(id=user_id, email=email, name=name, password_hash=password_hash)
    )


async def insert_workspace(connection: AsyncConnection, workspace_id: UUID, name: str) -> None:
    """Add a workspace."""
    await connection.execute(insert(workspace).values(id=workspace_id, name=name))


async def insert_membership(connection: AsyncConnection, workspace_id: UUID, user_id: UUID, role: str) -> None:
    """Make a user a member of a workspace."""
    await connection.execute(insert(membership).values(workspace_id=workspace_id, user_id=user_id, role=role))


async def find_login(connection: AsyncConnection, email: str) -> AnyRow | None:
    """`id`, `password_hash` and the oldest membership's `workspace_id` of an active user, or None."""
    query = (
        select(user_account.c.id, user_account.c.password_hash, membership.c.workspace_id)
        .join(membership, membership.c.user_id == user_account.c.id)
        .where(user_account.c.email == email, user_account.c.is_active)
        .order_by(membership.c.created_at, membership.c.workspace_id)
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def update_password_hash(connection: AsyncConnection, user_id: UUID, password_hash: str) -> None:
    """Keep a hash made at today's cost."""
    await connection.execute(
        update(user_account).where(user_account.c.id == user_id).values(password_hash=password_hash)
    )


async def insert_session(
    connection: AsyncConnection,
    session_id: UUID,
    user_id: UUID,
    workspace_id: UUID,
    lifetime: timedelta,
    device: Device,
    within: UUID | None = None,
) -> None:
    """Begin a session; one that goes on from another (`within`) ends when that one would."""
    end: ColumnElement[Any] = func.now() + lifetime
    if within is not None:
        first = select(user_session.c.expires_at).where(user_session.c.id == within, user_session.c.user_id == user_id)
        end = func.least(end, first.scalar_subquery())
    await connection.execute(
        insert(user_session).values(
            id=session_id,
            user_id=user_id,
            workspace_id=workspace_id,
            expires_at=end,
            address=device.address,
            user_agent=device.user_agent,
        )
    )


async def note_device(connection: AsyncConnection, session_id: UUID, device: Device) -> None:
    """Keep what a session is used from now; nothing is written where that is as before."""
    told = {"address": device.address, "user_agent": device.user_agent}
    is_other = or_(*(user_session.c[name].is_distinct_from(value) for name, value in told.items()))
    await connection.execute(update(user_session).where(user_session.c.id == session_id, is_other).values(**told))


async def delete_expired_sessions(connection: AsyncConnection, limit: int) -> None:
    """Delete up to `limit` sessions that ended over a day ago, with their tokens."""
    expired = (
        select(user_session.c.id)
        .where(user_session.c.expires_at < func.now() - timedelta(days=1))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    await connection.execute(delete(user_session).where(user_session.c.id.in_(expired)))


async def find_session_role(
    connection: AsyncConnection, session_id: UUID, user_id: UUID, workspace_id: UUID, *, is_held: bool = False
) -> str | None:
    """The role in the workspace of a session's user, or None where session, user or membership have ended.

    Where it `is_held`, nobody changes or ends the membership until this transaction ends.
    """
    query = (
        select(membership.c.role)
        .join(user_account, user_account.c.id == membership.c.user_id)
        .join(
            user_session,
            (user_session.c.user_id == membership.c.user_id)
            & (user_session.c.workspace_id == membership.c.workspace_id),
        )
        .where(
            user_session.c.id == session_id,
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > func.now(),
            membership.c.user_id == user_id,
            membership.c.workspace_id == workspace_id,
            user_account.c.is_active,
        )
    )
    if is_held:
        query = query.with_for_update(read=True, of=membership)
    role: str | None = await connection.scalar(query)
    return role


async def hold_sign_ins(connection: AsyncConnection, user_id: UUID) -> str | None:
    """An active user's password hash. Until this transaction ends nobody else ends all of their sessions.

    Who begins a session knows by it that those who end sessions see the new one as well.
    """
    query = (
        select(user_account.c.password_hash)
        .where(user_account.c.id == user_id, user_account.c.is_active)
        .with_for_update(read=True, key_share=True)
    )
    password_hash: str | None = await connection.scalar(query)
    return password_hash


async def revoke_session(connection: AsyncConnection, session_id: UUID, reason: str) -> None:
    """End a session and with it all its tokens; an ended one stays as it is."""
    await connection.execute(
        update(user_session)
        .where(user_session.c.id == session_id, user_session.c.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_reason=reason)
    )


async def insert_refresh_token(
    connection: AsyncConnection, token_hash: bytes, session_id: UUID, lifetime: timedelta
) -> bool:
    """Keep the hash of a refresh token; False where it is there already."""
    statement = upsert(refresh_token).values(
        token_hash=token_hash, session_id=session_id, expires_at=func.now() + lifetime
    )
    return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


async def is_refresh_token_used(connection: AsyncConnection, token_hash: bytes) -> bool:
    """Whether a refresh token that is there was used by now."""
    query = select(refresh_token.c.used_at.is_not(None)).where(refresh_token.c.token_hash == token_hash)
    return bool(await connection.scalar(query))


async def use_refresh_token(connection: AsyncConnection, token_hash: bytes, leeway: timedelta) -> AnyRow | None:
    """Mark an unused token of a living session and member as used, once: `session_id`, `user_id`, `workspace_id`.

    Where there is a `leeway`, one that was first used that short a time ago counts as unused.
    """
    is_unused = refresh_token.c.used_at.is_(None)
    query = (
        update(refresh_token)
        .where(
            refresh_token.c.token_hash == token_hash,
            or_(is_unused, refresh_token.c.used_at > func.now() - leeway) if leeway else is_unused,
            refresh_token.c.expires_at > func.now(),
            refresh_token.c.session_id == user_session.c.id,
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > func.now(),
            user_account.c.id == user_session.c.user_id,
            user_account.c.is_active,
            membership.c.user_id == user_session.c.user_id,
            membership.c.workspace_id == user_session.c.workspace_id,
        )
        .values(used_at=func.coalesce(refresh_token.c.used_at, func.now()))
        .returning(refresh_token.c.session_id, user_session.c.user_id, user_session.c.workspace_id)
    )
    return (await connection.execute(query)).first()


async def find_reused_session(connection: AsyncConnection, token_hash: bytes) -> AnyRow | None:
    """The living session of a token that was used before: `session_id`, `user_id`, `workspace_id`; or None.

    Of one that has ended, its tokens are worth nothing: how often they come again tells nobody anything.
    """
    query = (
        select(refresh_token.c.session_id, user_session.c.user_id, user_session.c.workspace_id)
        .join(user_session, user_session.c.id == refresh_token.c.session_id)
        .where(
            refresh_token.c.token_hash == token_hash,
            refresh_token.c.used_at.is_not(None),
            user_session.c.revoked_at.is_(None),
        )
    )
    return (await connection.execute(query)).first()


async def find_me(connection: AsyncConnection, user_id: UUID, workspace_id: UUID) -> AnyRow:
    """The user's and the workspace's names, of a membership that was just checked."""
    query = (
        select(
            user_account.c.id.label("user_id"),
            user_account.c.email,
            user_account.c.name,
            user_account.c.password_hash.is_not(None).label("has_password"),
            workspace.c.id.label("workspace_id"),
            workspace.c.name.label("workspace_name"),
        )
        .join(membership, membership.c.user_id == user_account.c.id)
        .join(workspace, workspace.c.id == membership.c.workspace_id)
        .where(user_account.c.id == user_id, workspace.c.id == workspace_id)
    )
    return (await connection.execute(query)).one()


async def find_user_name(connection: AsyncConnection, user_id: UUID) -> str | None:
    """The name of a user, or None."""
    name: str | None = await connection.scalar(select(user_account.c.name).where(user_account.c.id == user_id))
    return name


async def has_membership(connection: AsyncConnection, user_id: UUID, workspace_id: UUID) -> bool:
    """Whether the user is a member of the workspace."""
    query = select(exists().where(membership.c.user_id == user_id, membership.c.workspace_id == workspace_id))
    return bool(await connection.scalar(query))


async def find_password_hash(connection: AsyncConnection, user_id: UUID) -> str | None:
    """The hash of a user's password; None for one who has none."""
    password_hash: str | None = await connection.scalar(
        select(user_account.c.password_hash).where(user_account.c.id == user_id)
    )
    return password_hash


async def list_sessions(
    connection: AsyncConnection, user_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """A user's sessions that go on, in every workspace, the newest first; with `before`, those that are older."""
    latest = select(func.max(refresh_token.c.created_at)).where(refresh_token.c.session_id == user_session.c.id)
    query = (
        select(
            user_session.c.id,
            user_session.c.workspace_id,
            user_session.c.created_at,
            user_session.c.expires_at,
            user_session.c.address,
            user_session.c.user_agent,
            func.coalesce(latest.scalar_subquery(), user_session.c.created_at).label("last_used_at"),
        )
        .where(
            user_session.c.user_id == user_id,
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > func.now(),
        )
        .order_by(user_session.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(user_session.c.id < before)
    return (await connection.execute(query)).mappings().all()


async def revoke_own_session(connection: AsyncConnection, user_id: UUID, session_id: UUID) -> bool:
    """End one of a user's sessions; False where it is not theirs or has ended."""
    query = (
        update(user_session)
        .where(user_session.c.id == session_id, user_session.c.user_id == user_id, user_session.c.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_reason="signed_out")
    )
    return bool((await connection.execute(query)).rowcount)


async def revoke_other_sessions(connection: AsyncConnection, user_id: UUID, session_id: UUID, reason: str) -> None:
    """End all of a user's sessions but this one; those that begin at this moment have begun before, or after it."""
    await connection.execute(select(user_account.c.id).where(user_account.c.id == user_id).with_for_update())
    await connection.execute(
        update(user_session)
        .where(user_session.c.user_id == user_id, user_session.c.id != session_id, user_session.c.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_reason=reason)
    )
