"""`/v1/stats`: the figures of a workspace."""

from datetime import timedelta
from typing import Annotated, Final

from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.dependencies import Isolation
from app.errors import InvalidRequest
from app.openapi import problems
from app.stats.figures import FigureCache
from app.stats.schemas import HookLimits, Limits, Stats
from app.stats.views import show_failing, show_running, show_runs
from engine.core.problems import Problem
from engine.infra.settings import Settings
from engine.store.accounts import sum_ingest
from engine.store.dashboard import count_in_flight, count_queued, list_running

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST: Final = timedelta(days=366)
# Receipts on the edge of being deleted are in no account any more.
MARGIN: Final = timedelta(hours=1)
# What "a minute" is averaged over.
LATELY: Final = timedelta(minutes=5)

Window = Annotated[
    str, QueryParameter(pattern=r"^[0-9]{1,5}[mhd]$(?!\n)", description="so far back: `90m`, `24h`, `7d`")
]


@get(
    "/stats",
    operation_id="getStats",
    summary="Figures of the workspace",
    tags=["operations"],
    guards=[requires(Permission.RUNS_READ)],
    responses=problems(400),
)
async def get_stats(state: State, principal: NamedDependency[Principal], window: FromQuery[Window] = "24h") -> Stats:
    """What came in within the window, counted at this moment from two sides, and how the runs went."""
    figures: FigureCache = state.figures
    span = read_window(window, state.settings)
    workspace_id = principal.workspace_id
    isolation: Isolation = state.isolation
    runs = await figures.read(workspace_id, span)
    async with isolation.read(workspace_id) as reader:
        since, ingest = await sum_ingest(reader, workspace_id, span)
        _, lately = await sum_ingest(reader, workspace_id, LATELY)
        running = await list_running(reader, workspace_id)
        queue_depth = await count_queued(reader, workspace_id)
    return Stats(
        window=window,
        since=since,
        ingest=ingest,
        runs=show_runs(runs),
        failing_workflows=[show_failing(each) for each in runs.failing],
        running=[show_running(each) for each in running],
        queue_depth=queue_depth,
        # Of workers, which are nobody's: what they tell is by workspace, and the role may not read it.
        steps_in_flight=await count_in_flight(state.pool, workspace_id),
        events_per_minute=lately.accepted / (LATELY / timedelta(minutes=1)),
    )


@get(
    "/limits",
    operation_id="getLimits",
    summary="Limits of this installation",
    tags=["operations"],
    guards=[requires(Permission.RUNS_READ)],
)
async def get_limits(state: State) -> Limits:
    """Limits that settings of the installation give; those of a trigger are shown with it."""
    settings: Settings = state.settings
    return Limits(
        hooks=HookLimits(
            workspace_per_minute=settings.hook_workspace_per_minute or None,
            address_per_minute=settings.hook_address_per_minute or None,
            max_body_bytes=settings.hook_max_body,
            held_events_per_trigger=settings.held_events_per_trigger or None,
        )
    )


def read_window(window: str, settings: Settings) -> timedelta:
    """How far back figures go, as far as receipts are kept; raises InvalidRequest."""
    span = int(window[:-1]) * _UNITS[window[-1]]
    if not timedelta(0) < span <= LONGEST:
        raise InvalidRequest(errors=[Problem("/query/window", "range", "a window is of 1 minute to 366 days")])
    if settings.retention_days:
        span = min(span, timedelta(days=settings.retention_days) - MARGIN)
    return span
