"""Bodies of the trigger calls."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType, field


class NewTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trigger to make. `config` follows the kind: see the guide on triggers."""

    type: Literal["webhook"]
    config: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"{}"))
    enabled: bool = True


class TriggerChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a trigger; a secret that is left out of `config` stays."""

    config: msgspec.Raw | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to make anew: the address, or the secret."""

    what: Literal["url", "secret"]


class TriggerView(Struct, frozen=True, kw_only=True):
    """A trigger. Its secret is never shown; `has_secret` tells whether there is one."""

    id: UUID
    workflow_id: UUID
    type: str
    config: dict[str, Any]
    has_secret: bool
    enabled: bool
    url: str | None
    created_at: datetime
    updated_at: datetime


class RotatedTrigger(Struct, frozen=True, kw_only=True):
    """A trigger after a rotation; a new secret is shown this once."""

    trigger: TriggerView
    secret: str | None


class Ingested(Struct, frozen=True, kw_only=True):
    """An inbound event and the run that it started, or that its first delivery had started."""

    event_id: UUID
    run_id: UUID | None


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of an inbound event."""

    id: UUID
    trigger_id: UUID
    outcome: Literal["pending", "started", "duplicate", "filtered", "rejected"]
    run_id: UUID | None
    dedup_key: str | None
    received_at: datetime
