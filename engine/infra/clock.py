"""Clocks. Processes take the time from PostgreSQL, so that a wrong system clock moves no deadline."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of the current time, aware, in UTC."""

    def now(self) -> datetime:
        """The current time."""


class DatabaseClock:
    """The database's time, carried on by the monotonic clock between synchronisations; it never goes back."""

    def __init__(self) -> None:
        self._base = datetime.now(UTC)
        self._base_monotonic = time.monotonic()
        self._latest = self._base

    def synchronise(self, database_now: datetime) -> None:
        """Take over the database's time as it was answered just now; being older, it is never ahead."""
        self._base = database_now
        self._base_monotonic = time.monotonic()

    def now(self) -> datetime:
        """The current time, at or after every earlier answer."""
        moment = self._base + timedelta(seconds=time.monotonic() - self._base_monotonic)
        self._latest = max(self._latest, moment)
        return self._latest
