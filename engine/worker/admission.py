"""Admission: how many runs of each workspace are in this worker's memory, and when each of them begins."""

import asyncio
from collections import Counter
from collections.abc import Callable

from engine.infra.shares import Shares
from engine.worker.turns import Turns

# Further runs of a workspace are claimed once fewer wait for their turn to begin: loading them takes time as well.
LINED_UP_LIMIT = 32
# Of one workspace at once, where there are others: each takes time to load.
CLAIMED_AT_ONCE = 8
# Who is alone begins at once. Fewer and larger claims cost the database less.
LIMIT_ALONE = 500


class Admission:
    """Places for runs, and the line of those that were claimed and have not begun. Workspaces go by ids as numbers."""

    def __init__(self, limit: int, turns: Turns) -> None:
        self.places = Shares(limit)
        self._turns = turns
        self._lined_up: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def count_claimable(self, workspace: int) -> int:
        """How many more runs of the workspace may be claimed before others of it have begun."""
        if self._turns.is_alone(workspace):
            return LIMIT_ALONE - self._lined_up[workspace]
        return min(LINED_UP_LIMIT - self._lined_up[workspace], CLAIMED_AT_ONCE)

    def admit(self, workspace: int, begin: Callable[[], None], on_room: Callable[[], None]) -> None:
        """Have a claimed run begin when it is its workspace's turn; `on_room` hears when more may be claimed."""
        if self._turns.take_now(workspace):
            begin()
            return
        self.places.take(workspace)
        self._lined_up[workspace] += 1
        task = asyncio.get_running_loop().create_task(self._begin_in_turn(workspace, begin, on_room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abandon(self) -> None:
        """Let none of those begin that wait for it."""
        for task in self._tasks:
            task.cancel()

    async def _begin_in_turn(self, workspace: int, begin: Callable[[], None], on_room: Callable[[], None]) -> None:
        try:
            await self._turns.take(workspace)
        finally:
            # From now on it has its driver's place, or none.
            self.places.give_back(workspace)
            self._lined_up[workspace] -= 1
        begin()
        left = self._lined_up[workspace]
        if not left:
            del self._lined_up[workspace]
        # At the end as well: the claim at the half may have brought nothing.
        if left in {LINED_UP_LIMIT // 2, 0}:
            on_room()
