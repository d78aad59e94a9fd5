"""Identifiers: UUIDv7, so that ids sort by the time they were made."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

TRIGGER_TOKEN_BYTES = 24


def new_id(at: datetime | None = None) -> UUID:
    """A new UUIDv7, of this moment or of the one given: then the id sorts just as that time does."""
    if at is None:
        return uuid7()
    return uuid7(nanoseconds=int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000)


def floor_id(moment: datetime) -> UUID:
    """The smallest UUID that a UUIDv7 made at or after `moment` can have: a bound for range queries and partitions."""
    milliseconds = int(moment.astimezone(UTC).timestamp() * 1000)
    return UUID(int=milliseconds << 80)


def moment_of(run_id: UUID) -> datetime:
    """The moment at which a UUIDv7 was made, to the millisecond."""
    return datetime.fromtimestamp((run_id.int >> 80) / 1000, UTC)
