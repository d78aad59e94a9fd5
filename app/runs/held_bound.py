"""How many events a trigger may hold back: a sender that is faster than its throttle for good is told so."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from app.errors import ApiError, TooManyHeld
from engine.store.keeping import Hold, Kept
from engine.store.starts import Start
from engine.triggers.held_room import KNOWN_TRIGGERS, HeldRoom

# For so long a trigger that is full is not asked about again.
FULL_SECONDS: Final = 1.0
LONGEST_RETRY: Final = 60


class HeldBound:
    """Knows of the triggers that hold events back how many more they may."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        """`most` events of one trigger; 0: any number."""
        self._room = HeldRoom(most)
        self._now = now
        self._full_until: dict[UUID, float] = {}

    def check(self, event: Kept) -> None:
        """Let an event that is to be held wait for its turn; raises TooManyHeld where its trigger was full just now."""
        if self._full_until.get(event.trigger_id, 0.0) > self._now():
            raise _too_many(event)

    async def refuse(self, connection: asyncpg.Connection, events: Sequence[Start | Kept]) -> list[ApiError | None]:
        """What is refused of events that are about to be held, in their order; None where one is taken."""
        held = [event for event in events if isinstance(event, Kept) and event.hold is not None]
        for trigger_id in await self._room.look(connection, Counter(event.trigger_id for event in held)):
            self._full_until.pop(trigger_id, None)
        return [self._take(event) for event in events]

    def _take(self, event: Start | Kept) -> ApiError | None:
        if not isinstance(event, Kept) or event.hold is None or self._room.take(event.trigger_id):
            return None
        self._full_until[event.trigger_id] = self._now() + FULL_SECONDS
        while len(self._full_until) > KNOWN_TRIGGERS:
            del self._full_until[next(iter(self._full_until))]
        return _too_many(event)


def _too_many(event: Kept) -> TooManyHeld:
    return TooManyHeld(retry_after=1 if event.hold is None else _next_place(event.hold))


def _next_place(hold: Hold) -> int:
    """The seconds after which there may be room again."""
    seconds = hold.period_seconds / hold.size if hold.kind == "throttle" else hold.period_seconds
    return min(LONGEST_RETRY, math.ceil(seconds))
