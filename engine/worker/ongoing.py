"""Notices attempts that go on for long: one look at a time for all of them, instead of a timer each."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

LOOK_SECONDS = 0.25

Key = TypeVar("Key")


class OngoingWatch(Generic[Key]):
    """Calls back once for whatever stays longer than `after` seconds, up to a look late."""

    def __init__(self, after: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._after = after
        self._watched: dict[Key, tuple[float, Callable[[Key], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: Key, notice: Callable[[Key], None]) -> None:
        """Watch from now on."""
        self._watched[key] = (self._loop.time(), notice)
        if self._timer is None:
            self._timer = self._loop.call_later(self._after, self._look)

    def remove(self, key: Key) -> None:
        """It is over."""
        self._watched.pop(key, None)

    def _look(self) -> None:
        self._timer = None
        latest = self._loop.time() - self._after
        due: list[Key] = []
        for key, (since, _) in self._watched.items():
            if since > latest:
                break
            due.append(key)
        for key in due:
            _, notice = self._watched.pop(key)
            notice(key)
        if self._watched:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
