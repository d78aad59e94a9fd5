"""Bodies of the trigger calls."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from engine.triggers.signatures import Secret


class NewTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trigger to make. `config` follows the kind: see the guide on triggers."""

    type: Literal["webhook", "schedule", "event"]
    config: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"{}"))
    enabled: bool = True


class TriggerChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a trigger; a secret that is left out of `config` stays."""

    config: msgspec.Raw | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to make anew: the address, or the secret.

    A `secret` that the sender has made takes the place of a new one. The one before it stays valid for `overlap_hours`,
    or until the next rotation; with 0 it is void at once.
    """

    what: Literal["url", "secret"]
    secret: Secret | None = None
    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class ScheduleView(Struct, frozen=True, kw_only=True):
    """When a schedule is due next, the last due time that started a run, and when and why it passed over due times.

    `skip_reason` is `missed` or `not_published`.
    """

    next_fire_times: list[datetime]
    last_due_at: datetime | None
    last_run_id: UUID | None
    skipped_at: datetime | None
    skip_reason: str | None


class SchedulePreview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of a schedule that need not be saved."""

    config: msgspec.Raw


class FireTimes(Struct, frozen=True, kw_only=True):
    """The next times at which a schedule is due, five at most."""

    next_fire_times: list[datetime]


class TriggerView(Struct, frozen=True, kw_only=True):
    """A trigger. Its secret is never shown; `has_secret` tells whether there is one.

    `needs_secret`: its authentication asks for one that it lacks, so that it refuses everything until it is given one.
    `previous_secret_until`: until when the secret before the last rotation is good as well. `url` is a webhook's,
    `schedule` what is told of a schedule.
    """

    id: UUID
    workflow_id: UUID
    type: str
    config: dict[str, Any]
    has_secret: bool
    needs_secret: bool
    previous_secret_until: datetime | None
    enabled: bool
    url: str | None
    created_at: datetime
    updated_at: datetime
    schedule: ScheduleView | None = None


class RotatedTrigger(Struct, frozen=True, kw_only=True):
    """A trigger after a rotation; a secret that was made here is shown this once."""

    trigger: TriggerView
    secret: str | None


class Ingested(Struct, frozen=True, kw_only=True):
    """An inbound event and the run that it started, or that its first delivery had started; null while it has none."""

    event_id: UUID
    run_id: UUID | None


class ReceivedView(Struct, frozen=True, kw_only=True):
    """An event that a trigger received lately. What stands under names of secrets is masked in `trigger`.

    `trigger` is what expressions see, null once it is kept no more; of a repeat, that of the first delivery. `message`
    tells why a filter failed.
    """

    id: UUID
    outcome: str
    reason: str | None
    message: str | None
    run_id: UUID | None
    received_at: datetime
    trigger: dict[str, Any] | None


class AwaitedOutput(Struct, frozen=True, kw_only=True):
    """What a caller who waits is answered where the run has succeeded and no step responded."""

    event_id: UUID
    run_id: UUID | None
    output: Any
