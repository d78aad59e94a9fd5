"""Joining by an invitation, for somebody who has proved who they are by other means than a password."""

import hashlib
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter_of
from app.members import repository


async def find_invited_email(connection: AsyncConnection, token: str) -> str | None:
    """The address that the invitation of this token was made for; None where it is not open any more."""
    invited = await repository.find_invited(connection, _hash(token))
    return None if invited is None else str(invited.email)


async def join(connection: AsyncConnection, token: str, user_id: UUID, email: str, issuer: str) -> UUID | None:
    """Use an invitation up, once, for a user whom this issuer has vouched for: the workspace; None where it is gone."""
    used = await repository.use_invitation(connection, _hash(token))
    if used is None:
        return None
    await repository.add_member(connection, used.workspace_id, user_id, used.role)
    target = Target(type="member", id=str(user_id), name=email)
    joined = Act(action=Action.MEMBER_JOINED, target=target, after={"role": used.role, "issuer": issuer})
    await enter_of(connection, used.workspace_id, user_id, joined)
    workspace_id: UUID = used.workspace_id
    return workspace_id


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
