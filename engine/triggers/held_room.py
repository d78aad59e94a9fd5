"""How many more events each trigger may hold back, without counting them with each event.

What is held is counted now and then: after a count, a process takes a part of what is left before it counts again.
Several of them may together go a little beyond the bound, and never far.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import asyncpg

from engine.store.held import count_held

# Of what is free, and of what is taken anyhow before the next count.
_PART: Final = 4
_LEAST: Final = 100
KNOWN_TRIGGERS: Final = 10_000


class HeldRoom:
    """The room that is left for events of each trigger."""

    def __init__(self, most: int) -> None:
        """`most` events of one trigger; 0: any number."""
        self._most = most
        self._room: dict[UUID, int] = {}

    async def look(self, connection: asyncpg.Connection, wanted: Mapping[UUID, int]) -> list[UUID]:
        """Count what is held of those triggers of which more is wanted than is known to be left; which were counted."""
        unknown = {one: count for one, count in wanted.items() if self._most and self._room.get(one, 0) < count}
        if not unknown:
            return []
        counts = await count_held(connection, list(unknown), self._most)
        for trigger_id, count in unknown.items():
            free = max(0, self._most - counts[trigger_id])
            self._room[trigger_id] = min(free, max(_LEAST, free // _PART, count))
        if (many := len(self._room) - KNOWN_TRIGGERS) > 0:
            # The oldest, but for those that are about to be asked for.
            for one in [one for one in self._room if one not in wanted][:many]:
                del self._room[one]
        return list(unknown)

    def take(self, trigger_id: UUID) -> bool:
        """Take a place for an event; whether there is one, as far as is known."""
        if not self._most:
            return True
        room = self._room.get(trigger_id, 0)
        if room:
            self._room[trigger_id] = room - 1
        return room > 0

    def forget(self) -> None:
        """Count anew before anything is taken: what is known may be of another database."""
        self._room.clear()
