"""Slots for attempts, shared fairly: who holds few of them does not wait behind who floods."""

import asyncio
from collections import deque


class FairSlots:
    """At most `limit` slots, and at most `share` of them for one workspace while it takes them.

    Workspaces that wait are served in turn, each in the order in which it asked. They go by their ids as numbers.
    """

    def __init__(self, limit: int, *, share: int) -> None:
        self._free = limit
        self._share = share
        self._held: dict[int, int] = {}
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    def take_now(self, workspace: int) -> bool:
        """Take a slot where that needs no waiting."""
        held = self._held.get(workspace, 0)
        if not self._free or held >= self._share or workspace in self._waiting:
            return False
        self._free -= 1
        self._held[workspace] = held + 1
        return True

    async def take(self, workspace: int) -> None:
        """Take a slot, waiting for one where that must be."""
        if self.take_now(workspace):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(workspace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was given the slot in the very moment in which it gave up.
                self.give_back(workspace)
            else:
                self._withdraw(workspace, turn)
            raise

    def give_back(self, workspace: int) -> None:
        """Leave a slot to whoever is next."""
        self._free += 1
        held = self._held[workspace] - 1
        if held:
            self._held[workspace] = held
        else:
            del self._held[workspace]
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        for workspace in list(self._waiting):
            if not self._free:
                return
            held = self._held.get(workspace, 0)
            if held >= self._share:
                continue
            turns = self._waiting.pop(workspace)
            self._free -= 1
            self._held[workspace] = held + 1
            turns.popleft().set_result(None)
            if turns:
                # To the end: the others come first now.
                self._waiting[workspace] = turns
            return

    def _withdraw(self, workspace: int, turn: asyncio.Future[None]) -> None:
        turns = self._waiting[workspace]
        turns.remove(turn)
        if not turns:
            del self._waiting[workspace]
