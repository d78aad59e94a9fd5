"""The figures of a workspace."""

from datetime import datetime

from msgspec import Struct

from engine.store.accounts import IngestSum


class Stats(Struct, frozen=True, kw_only=True):
    """Figures of the time from `since` on. In `ingest`, accepted = started + duplicate + filtered + pending.

    `rejected` counts calls that were refused and are not among the accepted. `drift` is 0 unless an event has got lost,
    or came out of nothing: it tells by how many the count at acceptance and that of the receipts differ.
    """

    window: str
    since: datetime
    ingest: IngestSum
