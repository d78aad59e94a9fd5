"""Clocks. Processes take the time from PostgreSQL, so that a wrong system clock moves no deadline."""

import time
from collections import deque
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the current time, aware, in UTC."""

    def now(self) -> datetime:
        """The current time."""


# For so long an answer that came quickly counts more than later ones that came slowly.
KEPT_SECONDS = 60.0


class DatabaseClock:
    """The database's time, carried on by the monotonic clock between synchronisations; it never goes back.

    Until the first one it is this machine's.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._latest = 0.0
        # Moment and offset of each answer that may still be the best one: the offsets fall.
        self._answers: deque[tuple[float, float]] = deque()

    def synchronise(self, database_now: datetime) -> None:
        """Take over the database's time as it was answered just now; being older, it is never ahead.

        It is behind by as much as the answer was slow. Of the last minute's answers the quickest counts: a single slow
        one would let what is then dated, and what is due from it, be early by that much.
        """
        now = time.monotonic()
        offset = database_now.timestamp() - now
        if not self._answers:
            # This machine's own clock may have been ahead, and would stand still until it is caught up with.
            self._latest = 0.0
        while self._answers and self._answers[-1][1] <= offset:
            self._answers.pop()
        self._answers.append((now, offset))
        while self._answers[0][0] < now - KEPT_SECONDS:
            self._answers.popleft()
        self._offset = self._answers[0][1]

    def now(self) -> datetime:
        """The current time, at or after every earlier answer."""
        moment = time.monotonic() + self._offset
        if moment > self._latest:
            self._latest = moment
        else:
            moment = self._latest
        return datetime.fromtimestamp(moment, UTC)
