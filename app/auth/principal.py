"""Who calls: read from the token by the guard, handed to handlers as `principal`."""

from typing import Any
from uuid import UUID

from litestar.connection import ASGIConnection
from msgspec import Struct

from app.auth.permissions import PERMISSIONS, Permission, Role


class Principal(Struct, frozen=True, kw_only=True):
    """A user in one workspace: signed in through a session, or an API key of theirs."""

    user_id: UUID
    workspace_id: UUID
    role: Role
    session_id: UUID | None = None
    api_key_id: UUID | None = None

    @property
    def credential_id(self) -> UUID:
        """Who acts, for what one credential must not take for another's: a user in person, or a key."""
        return self.api_key_id or self.user_id

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role holds."""
        return PERMISSIONS[self.role]


def read_principal(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """The principal that the guard of `/v1` found; it has refused the request where there is none."""
    principal = connection.scope["user"]
    if not isinstance(principal, Principal):
        raise TypeError("a handler asks for the principal, but is public")
    return principal
