"""The figures of a workspace."""

from datetime import datetime

from msgspec import Struct

from engine.store.accounts import IngestSum


class HookLimits(Struct, frozen=True, kw_only=True):
    """Calls a minute that are taken, null where there is no limit, and the largest body. A trigger may have less."""

    workspace_per_minute: int | None
    address_per_minute: int | None
    max_body_bytes: int


class Limits(Struct, frozen=True, kw_only=True):
    """What this installation holds everybody to."""

    hooks: HookLimits


class Stats(Struct, frozen=True, kw_only=True):
    """Figures of the time from `since` on. In `ingest`, accepted = started + duplicate + filtered + pending.

    `rejected` counts calls that were refused and are not among the accepted. `drift` is 0 unless an event has got lost,
    or came out of nothing: it tells by how many the count at acceptance and that of the receipts differ.
    """

    window: str
    since: datetime
    ingest: IngestSum
