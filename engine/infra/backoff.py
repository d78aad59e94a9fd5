"""Pauses between attempts to reach a server that is away: growing, bounded, and spread by chance."""

import random


class Backoff:
    """Pauses from `first` doubling up to `most` seconds, each shortened by up to half."""

    def __init__(self, first: float = 0.05, most: float = 2.0) -> None:
        self._first = first
        self._most = most
        self._next = first

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        pause = self._next
        self._next = min(self._most, pause * 2)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreading pauses needs no secrecy

    def reset(self) -> None:
        """Start small again, after a success."""
        self._next = self._first
