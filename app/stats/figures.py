"""The figures of runs, worked out once for all who look at the same moment."""

from datetime import timedelta
from uuid import UUID

from app.dependencies import Isolation
from app.fresh import FreshCache
from engine.store.dashboard import RunFigures, sum_runs

FRESH_SECONDS = 5.0
MOST_KEPT = 200


class FigureCache:
    """Figures of workspaces, at most `FRESH_SECONDS` old."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._kept = FreshCache(self._sum, most=MOST_KEPT)

    async def read(self, workspace_id: UUID, span: timedelta) -> RunFigures:
        """The figures of the workspace's runs over that time; raises what the database raises."""
        return await self._kept.read((workspace_id, span), seconds=FRESH_SECONDS)

    async def _sum(self, chosen: tuple[UUID, timedelta]) -> RunFigures:
        workspace_id, span = chosen
        async with self._isolation.read(workspace_id) as reader:
            return await sum_runs(reader, workspace_id, span)
