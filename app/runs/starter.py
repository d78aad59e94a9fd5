"""Starting runs: what is accepted at the same time commits together, and only then anybody is answered.

Events that are held back go a way of their own. Their statement changes rows of groups, which somebody else may have
locked at this moment: a run that starts at once must not wait for that.
"""

import asyncio

from app.runs.held_bound import HeldBound
from app.runs.lanes import Lane
from engine.infra import metrics
from engine.infra.bell import OutboxBell
from engine.infra.clock import DatabaseClock
from engine.infra.settings import Settings
from engine.store.keeping import Kept
from engine.store.starts import Accepted, Start


class RunStarter:
    """Accepts starts, and events without a run, each over the connection of its lane."""

    def __init__(self, settings: Settings, bell: OutboxBell, held_bell: OutboxBell | None = None) -> None:
        """`held_bell` is rung once events were held back."""
        self._held_bell = held_bell
        self.clock = DatabaseClock()
        self.bound = HeldBound(settings.held_events_per_trigger)
        self.starts = Lane(settings, self.clock, "api-ingest", tell=self._tell, bell=bell)
        self.held = Lane(settings, self.clock, "api-held", tell=self._tell, bell=bell, refuse=self.bound.refuse)

    async def accept(self, start: Start | Kept) -> Accepted:
        """Make a start, or an event without a run, durable.

        Raises Busy where too much of its workspace waits, or too long; TooManyHeld where its trigger holds as much as
        it may; DatabaseUnavailable.
        """
        if isinstance(start, Kept) and start.hold is not None:
            self.bound.check(start)
            return await self.held.accept(start)
        return await self.starts.accept(start)

    async def run(self) -> None:
        """Commit until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self.starts.run(connects_first=True))
            lanes.create_task(self.held.run(connects_first=False))

    def _tell(self, outcomes: list[Accepted]) -> None:
        metrics.INGEST_WAITING.set(len(self.starts.queue) + len(self.held.queue))
        if self._held_bell is not None and any(outcome.outcome == "pending" for outcome in outcomes):
            self._held_bell.ring()
