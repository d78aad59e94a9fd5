"""Bodies of the workspace calls."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.auth.permissions import Role
from app.auth.schemas import Name


class NewWorkspace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace to make."""

    name: Name


class WorkspaceChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a workspace is to be called."""

    name: Name


class MyWorkspace(Struct, frozen=True, kw_only=True):
    """A workspace that the caller is a member of; `is_current`: the one that their token is for."""

    id: UUID
    name: str
    role: Role
    created_at: datetime
    is_current: bool


class MyWorkspaces(Struct, frozen=True, kw_only=True):
    """All of them, by name."""

    items: list[MyWorkspace]
    next_cursor: str | None = None
