"""Slots for attempts, shared fairly: who holds few of them does not wait behind who floods."""

import asyncio
from uuid import UUID

from engine.infra.fair_queue import FairQueue
from engine.infra.shares import Shares
from engine.worker.turns import Turns


class FairSlots:
    """At most `limit` slots, divided by `Shares`; workspaces that wait are served in turn.

    With `turns`, whoever has a slot also waits for its turn to start. Without a reserve, one workspace may have them
    all: for slots that nobody holds for long.
    """

    def __init__(self, limit: int, *, turns: Turns | None = None, keeps_reserve: bool = True) -> None:
        self._shares = Shares(limit, keeps_reserve=keeps_reserve)
        self._turns = turns
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()

    def count(self) -> dict[UUID, int]:
        """How many slots are taken, by workspace."""
        return {UUID(int=workspace): held for workspace, held in self._shares.held.items()}

    def take_now(self, workspace: int) -> bool:
        """Take a slot where that needs no waiting."""
        shares = self._shares
        if (self._waiting and self._waiting.has(workspace)) or not shares.may_take(workspace):
            return False
        if self._turns is not None and not self._turns.take_now(workspace):
            return False
        shares.take(workspace)
        return True

    async def take(self, workspace: int) -> None:
        """Take a slot, waiting for one where that must be."""
        if self._waiting.has(workspace) or not self._shares.may_take(workspace):
            await self._wait(workspace)
        else:
            self._shares.take(workspace)
        if self._turns is not None:
            try:
                await self._turns.take(workspace)
            except asyncio.CancelledError:
                self.give_back(workspace)
                raise

    def give_back(self, workspace: int) -> None:
        """Leave a slot to whoever is next."""
        self._shares.give_back(workspace)
        if self._turns is not None:
            self._turns.note_end()
        if self._waiting:
            self._serve()

    async def _wait(self, workspace: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.push(workspace, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was given the slot in the very moment in which it gave up.
                self.give_back(workspace)
            else:
                self._waiting.discard(workspace, turn)
            raise

    def _serve(self) -> None:
        # More than one may be free for those who wait: what one gives back, widens the share of all.
        while (served := self._waiting.pop_where(self._shares.may_take)) is not None:
            workspace, turn = served
            if not turn.done():
                self._shares.take(workspace)
                turn.set_result(None)
