"""Queries of what stands beside schedule and event triggers: when they are due, and that somebody listens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.triggers.tables import listener_revision, schedule
from engine.store.schedules import SCHEDULE_CHANNEL


class ScheduleState(Struct, frozen=True):
    """A schedule's row; the fields are in the order of `_STATE`."""

    trigger_id: UUID
    next_due_at: datetime | None
    last_due_at: datetime | None
    last_run_id: UUID | None
    skipped_at: datetime | None
    skip_reason: str | None


_STATE = (
    schedule.c.trigger_id,
    schedule.c.next_due_at,
    schedule.c.last_due_at,
    schedule.c.last_run_id,
    schedule.c.skipped_at,
    schedule.c.skip_reason,
)


async def read_clock(connection: AsyncConnection) -> datetime:
    """The database's time at this moment."""
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def set_next_due(connection: AsyncConnection, trigger_id: UUID, next_due_at: datetime | None) -> None:
    """Say when a trigger is due, None for never, and wake the scheduler with the commit."""
    # Changes of schedules are rare: that commits wait for each other's NOTIFY is no matter here.
    await connection.execute(select(func.pg_notify(SCHEDULE_CHANNEL, "")))
    query = (
        insert(schedule)
        .values(trigger_id=trigger_id, next_due_at=next_due_at)
        .on_conflict_do_update(index_elements=[schedule.c.trigger_id], set_={"next_due_at": next_due_at})
    )
    await connection.execute(query)


async def list_schedules(connection: AsyncConnection, trigger_ids: Sequence[UUID]) -> dict[UUID, ScheduleState]:
    """The rows of those of the triggers that are schedules."""
    query = select(*_STATE).where(schedule.c.trigger_id.in_(trigger_ids))
    states = [ScheduleState(*row) for row in await connection.execute(query)]
    return {state.trigger_id: state for state in states}


async def change_listeners(connection: AsyncConnection) -> None:
    """Have every relay read anew who listens, from the commit on; others who change a listener wait for it."""
    query = insert(listener_revision).values(id=1, revision=1)
    await connection.execute(
        query.on_conflict_do_update(
            index_elements=[listener_revision.c.id], set_={"revision": listener_revision.c.revision + 1}
        )
    )
