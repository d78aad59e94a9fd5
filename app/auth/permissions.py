"""Roles and what they may do: the one table that every guard asks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A member's role in a workspace, the strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a call asks for."""

    ACCOUNT_READ = "account:read"
    WORKFLOWS_READ = "workflows:read"
    TRIGGERS_READ = "triggers:read"
    RUNS_READ = "runs:read"
    VARIABLES_READ = "variables:read"
    CONNECTIONS_READ = "connections:read"
    MEMBERS_READ = "members:read"

    RUNS_START = "runs:start"
    RUNS_CONTROL = "runs:control"
    APPROVALS_DECIDE = "approvals:decide"

    WORKFLOWS_WRITE = "workflows:write"
    WORKFLOWS_PUBLISH = "workflows:publish"
    WORKFLOWS_DELETE = "workflows:delete"
    TRIGGERS_WRITE = "triggers:write"
    VARIABLES_WRITE = "variables:write"

    MEMBERS_WRITE = "members:write"
    CONNECTIONS_WRITE = "connections:write"
    API_KEYS_WRITE = "api_keys:write"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"

    WORKSPACE_WRITE = "workspace:write"
    ROLES_WRITE = "roles:write"


_VIEWER = frozenset(
    {
        Permission.ACCOUNT_READ,
        Permission.WORKFLOWS_READ,
        Permission.TRIGGERS_READ,
        Permission.RUNS_READ,
        Permission.VARIABLES_READ,
        Permission.CONNECTIONS_READ,
        Permission.MEMBERS_READ,
    }
)
_OPERATOR = _VIEWER | {Permission.RUNS_START, Permission.RUNS_CONTROL, Permission.APPROVALS_DECIDE}
_EDITOR = _OPERATOR | {
    Permission.WORKFLOWS_WRITE,
    Permission.WORKFLOWS_PUBLISH,
    Permission.WORKFLOWS_DELETE,
    Permission.TRIGGERS_WRITE,
    Permission.VARIABLES_WRITE,
}
_ADMIN = _EDITOR | {
    Permission.MEMBERS_WRITE,
    Permission.CONNECTIONS_WRITE,
    Permission.API_KEYS_WRITE,
    Permission.AUDIT_READ,
    Permission.METRICS_READ,
}
_OWNER = _ADMIN | {Permission.WORKSPACE_WRITE, Permission.ROLES_WRITE}

_STRONGEST_FIRST = tuple(Role)


def is_above(role: Role, other: Role) -> bool:
    """Whether `role` holds more than `other` does."""
    return _STRONGEST_FIRST.index(role) < _STRONGEST_FIRST.index(other)


def weaker_of(role: Role, other: Role) -> Role:
    """The one of the two that holds less."""
    return other if is_above(role, other) else role


PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.EDITOR: _EDITOR,
    Role.OPERATOR: _OPERATOR,
    Role.VIEWER: _VIEWER,
}
