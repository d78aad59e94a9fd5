"""Clocks. Processes take the time from PostgreSQL, so that a wrong system clock moves no deadline."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the current time, aware, in UTC."""

    def now(self) -> datetime:
        """The current time."""


class DatabaseClock:
    """The database's time, carried on by the monotonic clock between synchronisations; it never goes back."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._latest = 0.0

    def synchronise(self, database_now: datetime) -> None:
        """Take over the database's time as it was answered just now; being older, it is never ahead."""
        self._offset = database_now.timestamp() - time.monotonic()

    def now(self) -> datetime:
        """The current time, at or after every earlier answer."""
        moment = time.monotonic() + self._offset
        if moment > self._latest:
            self._latest = moment
        else:
            moment = self._latest
        return datetime.fromtimestamp(moment, UTC)
