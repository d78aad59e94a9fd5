"""What an invitation offers, for who holds its link and has not accepted it yet."""

import hashlib
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.permissions import Role
from app.auth.tables import user_account, workspace
from app.errors import InvitationGone
from app.members.tables import invitation

_WHY: Final = {
    "unknown": "There is no such invitation: the link is not whole, or is very old.",
    "used": "This invitation has been accepted already: sign in.",
    "revoked": "This invitation was taken back, or a newer one took its place. Ask for another one.",
    "expired": "This invitation has expired. Ask for another one.",
}


class InvitationToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands behind the `#` of an invitation's link."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]


class InvitationOffer(Struct, frozen=True, kw_only=True):
    """What an open invitation offers, and to whom; `has_account`: this email has an account here already.

    `has_password`: and a password to join with; without one, it joins through the provider.
    """

    email: str
    workspace: str
    role: Role
    expires_at: datetime
    has_account: bool
    has_password: bool


async def read_offer(connection: AsyncConnection, token: str) -> InvitationOffer:
    """What the invitation of this token offers; raises InvitationGone, whose member `reason` tells why."""
    query = (
        select(
            invitation.c.email,
            workspace.c.name.label("workspace"),
            invitation.c.role,
            invitation.c.expires_at,
            user_account.c.id.is_not(None).label("has_account"),
            user_account.c.password_hash.is_not(None).label("has_password"),
            invitation.c.accepted_at,
            invitation.c.revoked_at,
            (invitation.c.expires_at <= func.now()).label("is_expired"),
        )
        .join(workspace, workspace.c.id == invitation.c.workspace_id)
        .outerjoin(user_account, user_account.c.email == invitation.c.email)
        .where(invitation.c.token_hash == hashlib.sha256(token.encode()).digest())
    )
    row = (await connection.execute(query)).first()
    if row is None:
        raise _gone("unknown")
    if row.accepted_at is not None:
        raise _gone("used")
    if row.revoked_at is not None:
        raise _gone("revoked")
    if row.is_expired:
        raise _gone("expired")
    return InvitationOffer(
        email=row.email,
        workspace=row.workspace,
        role=Role(row.role),
        expires_at=row.expires_at,
        has_account=row.has_account,
        has_password=row.has_password,
    )


def _gone(reason: str) -> InvitationGone:
    return InvitationGone(_WHY[reason], members={"reason": reason})
