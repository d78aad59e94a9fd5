"""Queries of sign-ins through a provider. An identity is an issuer and a subject; nothing is found by an email."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, RowMapping, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.oidc.tables import used_oidc_flow, user_identity
from app.auth.tables import membership, user_account, workspace

AnyRow = Row[*tuple[Any, ...]]

# Tells the locks of newcomers from others; any constant of our own.
_NEWCOMERS: Final = 5_077_011_433
# Longer than a flow can be used.
_KEPT: Final = timedelta(hours=1)
_DELETED_A_FLOW: Final = 20


async def use_flow(connection: AsyncConnection, state_hash: bytes) -> bool:
    """Use a flow up; False where it was used before. Some of the old ones are forgotten meanwhile."""
    old = (
        select(used_oidc_flow.c.state_hash)
        .where(used_oidc_flow.c.used_at < func.now() - _KEPT)
        .limit(_DELETED_A_FLOW)
        .with_for_update(skip_locked=True)
    )
    await connection.execute(delete(used_oidc_flow).where(used_oidc_flow.c.state_hash.in_(old)))
    statement = upsert(used_oidc_flow).values(state_hash=state_hash).on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


async def lock_identity(connection: AsyncConnection, issuer: str, subject: str) -> AnyRow | None:
    """`id`, `user_id`, `is_provisioned`, `is_active` of a known identity, which nobody else changes meanwhile.

    One that is not known nobody else makes known until this transaction ends.
    """
    if (known := await _find_identity(connection, issuer, subject)) is not None:
        return known
    key = func.hashtextextended(func.concat(issuer, "\n", subject), _NEWCOMERS)
    await connection.execute(select(func.pg_advisory_xact_lock(key)))
    return await _find_identity(connection, issuer, subject)


async def _find_identity(connection: AsyncConnection, issuer: str, subject: str) -> AnyRow | None:
    query = (
        select(user_identity.c.id, user_identity.c.user_id, user_identity.c.is_provisioned, user_account.c.is_active)
        .join(user_account, user_account.c.id == user_identity.c.user_id)
        .where(user_identity.c.issuer == issuer, user_identity.c.subject == subject)
        .with_for_update(of=user_identity)
    )
    return (await connection.execute(query)).first()


async def note_use(connection: AsyncConnection, identity_id: UUID, email: str | None) -> None:
    """Note that somebody signed in by it just now, and which email the provider tells."""
    await connection.execute(
        update(user_identity).where(user_identity.c.id == identity_id).values(email=email, last_used_at=func.now())
    )


async def insert_identity(connection: AsyncConnection, **values: Any) -> None:
    """Add an identity of a user; raises IntegrityError where it is somebody's already."""
    await connection.execute(insert(user_identity).values(**values))


async def insert_user(connection: AsyncConnection, user_id: UUID, email: str, name: str) -> None:
    """Add a user without a password; the email is in lower case. Raises IntegrityError where it is taken."""
    await connection.execute(insert(user_account).values(id=user_id, email=email, name=name))


async def is_email_taken(connection: AsyncConnection, email: str) -> bool:
    """Whether there is an account with this email."""
    return bool(await connection.scalar(select(exists().where(user_account.c.email == email))))


async def find_workspace(connection: AsyncConnection, workspace_id: UUID | None) -> UUID | None:
    """The workspace of this id, or the oldest one where none is named; None where it is not there."""
    query = select(workspace.c.id).order_by(workspace.c.created_at, workspace.c.id).limit(1)
    if workspace_id is not None:
        query = query.where(workspace.c.id == workspace_id)
    found: UUID | None = await connection.scalar(query)
    return found


async def find_home(connection: AsyncConnection, user_id: UUID) -> UUID | None:
    """The workspace of a user's oldest membership, as with a password; None for who is a member of none."""
    query = (
        select(membership.c.workspace_id)
        .where(membership.c.user_id == user_id)
        .order_by(membership.c.created_at, membership.c.workspace_id)
        .limit(1)
    )
    found: UUID | None = await connection.scalar(query)
    return found


async def list_identities(connection: AsyncConnection, user_id: UUID) -> Sequence[RowMapping]:
    """A user's identities, the newest first."""
    query = (
        select(
            user_identity.c.id,
            user_identity.c.issuer,
            user_identity.c.email,
            user_identity.c.is_provisioned,
            user_identity.c.created_at,
            user_identity.c.last_used_at,
        )
        .where(user_identity.c.user_id == user_id)
        .order_by(user_identity.c.id.desc())
    )
    return (await connection.execute(query)).mappings().all()


async def lock_user(connection: AsyncConnection, user_id: UUID) -> bool:
    """Let nobody else link or unlink anything of a user's meanwhile; whether they have a password."""
    query = select(user_account.c.password_hash).where(user_account.c.id == user_id).with_for_update()
    return await connection.scalar(query) is not None


async def delete_identity(connection: AsyncConnection, user_id: UUID, identity_id: UUID) -> str | None:
    """Take an identity from a user: its issuer, None where it is not theirs."""
    query = (
        delete(user_identity)
        .where(user_identity.c.id == identity_id, user_identity.c.user_id == user_id)
        .returning(user_identity.c.issuer)
    )
    issuer: str | None = await connection.scalar(query)
    return issuer
