"""Bodies of the identity calls."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.auth.permissions import Permission, Role

# One line of text with something in it; control characters (NUL among them) have no place in names.
# Python lets `$` pass over a line break at the end: hence the `(?!\n)`, here as with all other names.
Name = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$(?!\n)"),
]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$(?!\n)")]
NewPassword = Annotated[str, Meta(min_length=12, max_length=128, description="12 to 128 characters of any kind")]


class SetupState(Struct, frozen=True, kw_only=True):
    """Whether the first set-up is still to be done."""

    needed: bool


class SetupRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first user, who owns the first workspace."""

    email: Email
    password: NewPassword
    name: Name
    workspace: Name
    setup_token: Annotated[str, Meta(max_length=200)] | None = None


class LoginRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials of a user."""

    email: Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class RefreshRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The refresh token to exchange; it is used up by this. A browser leaves it out: its cookie holds it."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET


class Tokens(Struct, frozen=True, kw_only=True):
    """An access token for the Authorization header, and the refresh token that brings the next one.

    The refresh token is empty where the caller has it kept in a cookie, by `X-FlowForge-Session: cookie`.
    """

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="seconds that the access token lives")]


class UserView(Struct, frozen=True, kw_only=True):
    """A user."""

    id: UUID
    email: str
    name: str


class WorkspaceView(Struct, frozen=True, kw_only=True):
    """A workspace."""

    id: UUID
    name: str


class Me(Struct, frozen=True, kw_only=True):
    """Who the token stands for, where, and what they may do there.

    `has_password`: without one, the user signs in through a provider alone.
    """

    user: UserView
    has_password: bool
    workspace: WorkspaceView
    role: Role
    permissions: list[Permission]


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The workspace to act in."""

    workspace_id: UUID


class SessionView(Struct, frozen=True, kw_only=True):
    """A sign-in that goes on. `is_current`: the one that this token belongs to.

    `last_used_at`: when it last got tokens, which it does every few minutes while it is used; `address` and
    `user_agent`: from where and with what that was, null where nothing is known.
    """

    id: UUID
    workspace_id: UUID
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    address: str | None
    user_agent: str | None
    is_current: bool


class PasswordChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password as it is, and as it is to be."""

    current_password: Annotated[str, Meta(min_length=1, max_length=1024)]
    new_password: NewPassword
