"""`/v1/operations`: the installation at a glance."""

from litestar import get
from litestar.datastructures import State

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.operations.schemas import Operations
from app.operations.views import show_processes, show_waiting
from engine.infra.metrics_exchange import read_processes
from engine.store.operations import list_workers, measure_backlog


@get(
    "/operations",
    operation_id="getOperations",
    summary="Processes, and what waits for them",
    tags=["operations"],
    guards=[requires(Permission.METRICS_READ)],
)
async def get_operations(state: State) -> Operations:
    """Of the whole installation, like `/metrics`: counts and times, and nothing that runs carry."""
    figures, is_complete = await read_processes(state.redis, "api")
    backlog = await measure_backlog(state.pool)
    return Operations(
        at=backlog.at,
        processes=show_processes(figures, await list_workers(state.pool)),
        is_complete=is_complete,
        queue=show_waiting(backlog.queue),
        outbox=show_waiting(backlog.outbox),
        due=show_waiting(backlog.due),
    )
