"""Who may make which call, written by hand after the contract: what the product's own table is held against."""

from typing import Final

from app.auth.permissions import Permission, Role

# Each role holds what the next one has, and this beside it.
GRANTED: Final = {
    Role.OWNER: {"workspace:write", "roles:write"},
    Role.ADMIN: {"members:write", "connections:write", "api_keys:write", "audit:read", "metrics:read"},
    Role.EDITOR: {
        "workflows:write",
        "workflows:publish",
        "workflows:delete",
        "triggers:write",
        "variables:write",
    },
    Role.OPERATOR: {"runs:start", "runs:control", "approvals:decide"},
    Role.VIEWER: {
        "account:read",
        "workflows:read",
        "triggers:read",
        "runs:read",
        "variables:read",
        "connections:read",
        "members:read",
    },
}

# Calls that need no token.
PUBLIC: Final = frozenset(
    {
        "GET /health/live",
        "GET /health/ready",
        "GET /v1/auth/oidc/callback",
        "GET /v1/auth/oidc/login",
        "GET /v1/auth/providers",
        "GET /v1/connections/oauth/callback",
        "GET /v1/hooks/{token}",
        "GET /v1/setup",
        "POST /v1/auth/login",
        "POST /v1/auth/oidc/invitation",
        "POST /v1/auth/refresh",
        "POST /v1/hooks/{token}",
        "POST /v1/invitations/accept",
        "POST /v1/invitations/read",
        "POST /v1/setup",
        "PUT /v1/hooks/{token}",
    }
)

_ASKED: Final = {
    "account:read": [
        "DELETE /v1/auth/sessions",
        "DELETE /v1/auth/sessions/{session_id}",
        "DELETE /v1/auth/identities/{identity_id}",
        "GET /v1/auth/identities",
        "GET /v1/auth/me",
        "GET /v1/auth/sessions",
        "GET /v1/workspaces",
        "POST /v1/auth/logout",
        "POST /v1/auth/oidc/link",
        "POST /v1/auth/password",
        "POST /v1/auth/switch",
        "POST /v1/workspaces",
        # From the one that they are in, whatever they may do in it.
        "POST /v1/workspaces/{workspace_id}/leave",
    ],
    "workflows:read": [
        "GET /v1/step-types",
        "GET /v1/workflows",
        "GET /v1/workflows/{workflow_id}",
        "GET /v1/workflows/{workflow_id}/export",
        "GET /v1/workflows/{workflow_id}/versions",
        "GET /v1/workflows/{workflow_id}/versions/{version}",
        "POST /v1/workflows/validate",
    ],
    "triggers:read": [
        "GET /v1/triggers/{trigger_id}/events",
        "GET /v1/workflows/{workflow_id}/triggers",
        "POST /v1/triggers/preview",
    ],
    "runs:read": [
        "GET /v1/approvals",
        "GET /v1/approvals/{approval_id}",
        "GET /v1/events",
        "GET /v1/events/{event_id}",
        "GET /v1/limits",
        "GET /v1/runs",
        "GET /v1/runs/counts",
        "GET /v1/runs/{run_id}",
        "GET /v1/runs/{run_id}/definition",
        "GET /v1/runs/{run_id}/events",
        "GET /v1/runs/{run_id}/payloads/{ref}",
        "GET /v1/runs/{run_id}/steps",
        "GET /v1/runs/{run_id}/stream",
        "GET /v1/stats",
        "GET /v1/stream",
        "POST /v1/expressions/evaluate",
    ],
    "variables:read": ["GET /v1/vars", "GET /v1/vars/{name}"],
    "connections:read": ["GET /v1/connections", "GET /v1/connections/{connection_id}"],
    "connections:write": [
        "DELETE /v1/connections/{connection_id}",
        "PATCH /v1/connections/{connection_id}",
        "POST /v1/connections",
        "POST /v1/connections/{connection_id}/authorize",
        "POST /v1/connections/{connection_id}/test",
    ],
    "members:read": ["GET /v1/members"],
    "runs:start": ["POST /v1/runs/{run_id}/rerun", "POST /v1/workflows/{workflow_id}/runs"],
    "runs:control": [
        "POST /v1/runs/bulk",
        "POST /v1/runs/{run_id}/cancel",
        "POST /v1/runs/{run_id}/retry",
        "POST /v1/runs/{run_id}/signal",
    ],
    "approvals:decide": ["POST /v1/approvals/{approval_id}"],
    "workflows:write": [
        "PATCH /v1/workflows/{workflow_id}",
        "POST /v1/workflows",
        "POST /v1/workflows/import",
        "POST /v1/workflows/{workflow_id}/steps/{step}/test",
        "POST /v1/workflows/{workflow_id}/test",
        "POST /v1/workflows/{workflow_id}/versions/{version}/restore",
    ],
    "workflows:publish": ["POST /v1/workflows/{workflow_id}/publish"],
    "workflows:delete": ["DELETE /v1/workflows/{workflow_id}"],
    "triggers:write": [
        "DELETE /v1/triggers/{trigger_id}",
        "PATCH /v1/triggers/{trigger_id}",
        "POST /v1/triggers/{trigger_id}/rotate",
        "POST /v1/workflows/{workflow_id}/triggers",
    ],
    "variables:write": ["DELETE /v1/vars/{name}", "PUT /v1/vars/{name}"],
    "members:write": [
        "DELETE /v1/invitations/{invitation_id}",
        "DELETE /v1/members/{user_id}",
        "GET /v1/invitations",
        "POST /v1/invitations",
    ],
    "workspace:write": ["PATCH /v1/workspaces/{workspace_id}"],
    "roles:write": ["PATCH /v1/members/{user_id}"],
    "api_keys:write": ["DELETE /v1/api-keys/{key_id}", "GET /v1/api-keys", "POST /v1/api-keys"],
    # From this machine itself it is open.
    "metrics:read": ["GET /metrics", "GET /v1/operations"],
    "audit:read": ["GET /v1/audit", "GET /v1/audit/export", "GET /v1/audit/verify"],
}

# The permission that each call asks for. A new call is named here, or the tests fail.
ASKED: Final = {call: Permission(permission) for permission, calls in _ASKED.items() for call in calls}


def holders(permission: Permission) -> set[Role]:
    """The roles that hold a permission."""
    strongest_first = tuple(Role)
    (first,) = (role for role, granted in GRANTED.items() if permission in granted)
    return set(strongest_first[: strongest_first.index(first) + 1])
