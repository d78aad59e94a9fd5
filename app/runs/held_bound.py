"""How many events a trigger may hold back: a sender that is faster than its throttle for good is told so.

What is held is counted now and then, not with each event: after a count, an API process takes a part of what is left
before it counts again. Several of them may together go a little beyond the bound, and never far.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from app.errors import ApiError, TooManyHeld
from engine.store.held import count_held
from engine.store.keeping import Hold, Kept
from engine.store.starts import Start

# Of what is free, and of what is taken anyhow before the next count.
_PART: Final = 4
_LEAST: Final = 100
# For so long a trigger that is full is not asked about again.
FULL_SECONDS: Final = 1.0
LONGEST_RETRY: Final = 60
KNOWN_TRIGGERS: Final = 10_000


class HeldBound:
    """Knows of the triggers that hold events back how many more they may."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        """`most` events of one trigger; 0: any number."""
        self._most = most
        self._now = now
        self._room: dict[UUID, int] = {}
        self._full_until: dict[UUID, float] = {}

    def check(self, event: Kept) -> None:
        """Let an event that is to be held wait for its turn; raises TooManyHeld where its trigger was full just now."""
        if self._full_until.get(event.trigger_id, 0.0) > self._now():
            raise _too_many(event)

    async def refuse(self, connection: asyncpg.Connection, events: Sequence[Start | Kept]) -> list[ApiError | None]:
        """What is refused of events that are about to be held, in their order; None where one is taken."""
        held = [event for event in events if isinstance(event, Kept) and event.hold is not None]
        if not self._most or not held:
            return [None] * len(events)
        wanted = Counter(event.trigger_id for event in held)
        await self._count(connection, {one: n for one, n in wanted.items() if self._room.get(one, 0) < n})
        return [self._take(event) for event in events]

    async def _count(self, connection: asyncpg.Connection, wanted: Mapping[UUID, int]) -> None:
        if not wanted:
            return
        counts = await count_held(connection, list(wanted), self._most)
        for trigger_id, count in wanted.items():
            free = max(0, self._most - counts[trigger_id])
            self._room[trigger_id] = min(free, max(_LEAST, free // _PART, count))
            self._full_until.pop(trigger_id, None)
        while len(self._room) > KNOWN_TRIGGERS:
            self._full_until.pop(forgotten := next(iter(self._room)), None)
            del self._room[forgotten]

    def _take(self, event: Start | Kept) -> ApiError | None:
        if not isinstance(event, Kept) or event.hold is None:
            return None
        room = self._room.get(event.trigger_id, 0)
        if room:
            self._room[event.trigger_id] = room - 1
            return None
        self._full_until[event.trigger_id] = self._now() + FULL_SECONDS
        return _too_many(event)


def _too_many(event: Kept) -> TooManyHeld:
    return TooManyHeld(retry_after=1 if event.hold is None else _next_place(event.hold))


def _next_place(hold: Hold) -> int:
    """The seconds after which there may be room again."""
    seconds = hold.period_seconds / hold.size if hold.kind == "throttle" else hold.period_seconds
    return min(LONGEST_RETRY, math.ceil(seconds))
