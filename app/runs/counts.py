"""How many runs there are by status, counted once for all who look at the same moment."""

from uuid import UUID

from app.dependencies import Isolation
from app.fresh import FreshCache
from engine.store.reads import RunFilter
from engine.store.run_counts import Counted, count_newest

# Less than the time after which a list that is looked at is counted anew.
FRESH_SECONDS = 2.0
MOST_KEPT = 500


class CountCache:
    """Counts of workspaces' runs, at most `FRESH_SECONDS` old: each reads up to 50,000 rows."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._kept = FreshCache(self._count, most=MOST_KEPT)

    async def read(self, workspace_id: UUID, chosen: RunFilter) -> Counted:
        """As `count_newest`; the filter names no `statuses` and no `ids`. Raises what the database raises."""
        return await self._kept.read((workspace_id, chosen), seconds=FRESH_SECONDS)

    async def _count(self, asked: tuple[UUID, RunFilter]) -> Counted:
        workspace_id, chosen = asked
        async with self._isolation.read(workspace_id) as reader:
            return await count_newest(reader, workspace_id, chosen)
