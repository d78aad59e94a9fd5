"""Bodies of the member and invitation calls."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from app.auth.permissions import Role
from app.auth.schemas import Email, Name, NewPassword


class MemberView(Struct, frozen=True, kw_only=True):
    """A member of the workspace; `id` is the user's.

    `last_seen_at`: when a sign-in of theirs to this workspace last got tokens, which it does every few minutes while
    it is used; null where nothing is known any more, and where it was not asked for.
    """

    id: UUID
    email: str
    name: str
    role: Role
    joined_at: datetime
    last_seen_at: datetime | None = None


class MemberChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that a member is to have."""

    role: Role


class NewInvitation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to invite, and as what."""

    email: Email
    role: Role


class InvitationView(Struct, frozen=True, kw_only=True):
    """An invitation that is open."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


class MadeInvitation(InvitationView, frozen=True, kw_only=True):
    """An invitation that was just made, with what accepts it, shown this once: give `url` to whom you invite."""

    token: str
    url: str


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who accepts. Somebody new gives a `name` and a new password; who has an account, its password."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]
    name: Name | None = None


class Newcomer(Struct, frozen=True, kw_only=True):
    """What somebody new must give."""

    name: Name
    password: NewPassword
