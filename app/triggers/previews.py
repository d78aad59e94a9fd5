"""`/v1/triggers/preview`."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.triggers.schemas import FireTimes, SchedulePreview
from app.triggers.unattended import preview


@post(
    "/triggers/preview",
    operation_id="previewSchedule",
    summary="When a schedule would be due",
    status_code=HTTP_200_OK,
    tags=["triggers"],
    guards=[requires(Permission.TRIGGERS_READ)],
)
async def preview_schedule(data: JSONBody[SchedulePreview], transaction: NamedDependency[AsyncConnection]) -> FireTimes:
    """The next five times of a configuration that is not saved."""
    return FireTimes(next_fire_times=await preview(transaction, data.config))
