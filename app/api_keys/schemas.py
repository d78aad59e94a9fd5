"""Bodies of the API key calls."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.auth.permissions import Role
from app.auth.schemas import Name


class NewApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make. Without `expires_at` it lives until it is revoked."""

    name: Name
    role: Role
    expires_at: datetime | None = None


class ApiKeyView(Struct, frozen=True, kw_only=True):
    """A key as it may be shown: `prefix` is how it begins. `last_used_at` is exact to the minute."""

    id: UUID
    name: str
    role: Role
    prefix: str
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class MadeApiKey(ApiKeyView, frozen=True, kw_only=True):
    """A key that was just made, with its secret, which is shown this once: `Authorization: Bearer <secret>`."""

    secret: str
