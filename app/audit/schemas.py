"""Bodies of the audit calls."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Raw, Struct

from app.audit.entries import Actor, Outcome, Target


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Something that was done, or refused. `before` and `after` never hold a secret."""

    seq: Annotated[int, Meta(description="the entry's place in its workspace's chain, from 1")]
    at: datetime
    action: str
    outcome: Outcome
    actor: Actor
    address: Annotated[str | None, Meta(description="where the call came from")]
    request_id: str | None
    target: Target | None
    before: Any
    after: Any
    hash: Annotated[str, Meta(description="SHA-256 of the hash before it and of this entry, in hex")]


class ExportedEntry(Struct, frozen=True, kw_only=True):
    """A line of an export: `entry` is compact JSON, whose very bytes are chained."""

    workspace_id: UUID
    seq: int
    at: datetime
    entry: Raw
    hash: str


class Verification(Struct, frozen=True, kw_only=True):
    """Whether the chain is whole. `hash` is that of the entry `last_seq`: keep both, and have them looked at later."""

    valid: bool
    entries: int
    first_seq: int | None
    last_seq: int | None
    hash: str | None
    broken_at: Annotated[int | None, Meta(description="the first entry that is not as it was entered, or is missing")]
    reason: str | None
