"""Identifiers: UUIDv7, so that ids sort by the time they were made."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

TRIGGER_TOKEN_BYTES = 24


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid7()


def floor_id(moment: datetime) -> UUID:
    """The smallest UUID that a UUIDv7 made at or after `moment` can have: a bound for range queries and partitions."""
    milliseconds = int(moment.astimezone(UTC).timestamp() * 1000)
    return UUID(int=milliseconds << 80)
