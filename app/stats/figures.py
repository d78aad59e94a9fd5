"""The figures of runs, worked out once for all who look at the same moment."""

import asyncio
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from uuid import UUID

from app.dependencies import Isolation
from engine.store.dashboard import RunFigures, sum_runs

FRESH_SECONDS = 5.0
MOST_KEPT = 200

_Key = tuple[UUID, timedelta]


class FigureCache:
    """Figures of workspaces, at most `FRESH_SECONDS` old: a hundred open dashboards cost as much as one."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._kept: OrderedDict[_Key, tuple[float, asyncio.Task[RunFigures]]] = OrderedDict()

    async def read(self, workspace_id: UUID, span: timedelta) -> RunFigures:
        """The figures of the workspace's runs over that time; raises what the database raises."""
        key = (workspace_id, span)
        asked_at, task = self._kept.get(key, (0.0, None))
        if task is None or monotonic() - asked_at > FRESH_SECONDS or _has_failed(task):
            task = asyncio.get_running_loop().create_task(self._sum(workspace_id, span))
            # What nobody waits for any more must not be complained of.
            task.add_done_callback(_has_failed)
            self._kept[key] = (monotonic(), task)
            self._kept.move_to_end(key)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        # One who hangs up leaves it to the others.
        return await asyncio.shield(task)

    async def _sum(self, workspace_id: UUID, span: timedelta) -> RunFigures:
        async with self._isolation.read(workspace_id) as reader:
            return await sum_runs(reader, workspace_id, span)


def _has_failed(task: asyncio.Task[RunFigures]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
