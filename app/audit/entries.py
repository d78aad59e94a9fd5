"""What an entry of the audit log says, as the bytes that are chained."""

import hashlib
from enum import StrEnum
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

# What something was or is may be large; its digest then tells whether it changed.
MAX_SIDE_BYTES: Final = 4096

Outcome = Literal["done", "refused"]


class Action(StrEnum):
    """What was done, or refused."""

    SESSION_BEGAN = "session.began"
    SESSION_REFUSED = "session.refused"
    SESSION_ENDED = "session.ended"
    SESSIONS_ENDED = "session.others_ended"
    TOKEN_REUSED = "session.token_reused"  # noqa: S105 - it names an action
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - it names an action
    PASSWORD_REFUSED = "password.refused"  # noqa: S105 - it names an action
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    WORKSPACE_CREATED = "workspace.created"
    WORKSPACE_RENAMED = "workspace.renamed"
    MEMBER_JOINED = "member.joined"
    ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_CREATED = "invitation.created"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_REFUSED = "invitation.refused"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    API_KEY_REFUSED = "api_key.refused"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_DELETED = "connection.deleted"
    CONNECTION_AUTHORIZED = "connection.authorized"
    VARIABLE_SET = "variable.set"
    VARIABLE_DELETED = "variable.deleted"
    WORKFLOW_PUBLISHED = "workflow.published"
    WORKFLOW_ENABLED = "workflow.enabled"
    WORKFLOW_DISABLED = "workflow.disabled"
    WORKFLOW_DELETED = "workflow.deleted"
    TRIGGER_CREATED = "trigger.created"
    TRIGGER_CHANGED = "trigger.changed"
    TRIGGER_ROTATED = "trigger.rotated"
    TRIGGER_DELETED = "trigger.deleted"
    RUN_CANCELLED = "run.cancelled"
    RUNS_STEERED = "run.many_steered"
    APPROVAL_DECIDED = "approval.decided"
    ACCESS_DENIED = "access.denied"


class Target(Struct, frozen=True, kw_only=True):
    """What it was done to; `name` as it was then."""

    type: str
    id: str
    name: str | None = None


class Act(Struct, frozen=True, kw_only=True):
    """What is to be entered. Neither side ever holds a secret."""

    action: Action
    target: Target | None = None
    before: Any = None
    after: Any = None
    outcome: Outcome = "done"


class Actor(Struct, frozen=True, kw_only=True):
    """Who did it, by the names of that moment: a user in person, or through a key of theirs; nobody has no id."""

    user_id: UUID | None = None
    email: str | None = None
    api_key_id: UUID | None = None
    api_key_name: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """An entry without its place in the chain. `address`: where the call came from."""

    action: str
    outcome: Outcome
    actor: Actor
    address: str | None
    request_id: str | None
    target: Target | None
    before: Raw
    after: Raw


def make_entry(act: Act, actor: Actor, address: str | None, request_id: str | None) -> Entry:
    """The entry of an act; encoded as JSON, its bytes are what is chained."""
    return Entry(
        action=act.action.value,
        outcome=act.outcome,
        actor=actor,
        address=address,
        request_id=request_id,
        target=act.target,
        before=_write_side(act.before),
        after=_write_side(act.after),
    )


def describe_bytes(value: bytes) -> dict[str, Any]:
    """What tells two values apart without telling either."""
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}


def chain(previous: bytes, seq: int, at_micros: int, entry: bytes) -> bytes:
    """The hash of an entry: of the hash before it, its number and time (8 bytes each, big-endian), and its bytes.

    Before the first one stand the 16 bytes of the workspace's id.
    """
    return hashlib.sha256(previous + seq.to_bytes(8, "big") + at_micros.to_bytes(8, "big") + entry).digest()


def _write_side(side: Any) -> Raw:
    written = msgspec.json.encode(side)
    return Raw(written if len(written) <= MAX_SIDE_BYTES else msgspec.json.encode(describe_bytes(written)))
