"""Queries of triggers, each within one workspace."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.triggers.tables import filtered_payload, workflow_trigger

AnyRow = Row[*tuple[Any, ...]]


async def insert_trigger(connection: AsyncConnection, **values: Any) -> AnyRow:
    """Add a trigger; its row."""
    query = insert(workflow_trigger).values(**values).returning(workflow_trigger)
    row: AnyRow = (await connection.execute(query)).one()
    return row


async def list_triggers(connection: AsyncConnection, workspace_id: UUID, workflow_id: UUID) -> list[AnyRow]:
    """The triggers of a workflow, the oldest first."""
    query = (
        select(workflow_trigger)
        .where(workflow_trigger.c.workspace_id == workspace_id, workflow_trigger.c.workflow_id == workflow_id)
        .order_by(workflow_trigger.c.id)
    )
    return list((await connection.execute(query)).all())


async def find_triggers(connection: AsyncConnection, workspace_id: UUID, trigger_ids: Collection[UUID]) -> list[AnyRow]:
    """Those of the triggers that are there: id, kind and workflow of each."""
    query = select(workflow_trigger.c.id, workflow_trigger.c.type, workflow_trigger.c.workflow_id).where(
        workflow_trigger.c.workspace_id == workspace_id, workflow_trigger.c.id.in_(trigger_ids)
    )
    return list((await connection.execute(query)).all())


async def lock_trigger(connection: AsyncConnection, workspace_id: UUID, trigger_id: UUID) -> AnyRow | None:
    """A trigger, locked for a change."""
    query = (
        select(workflow_trigger)
        .where(workflow_trigger.c.workspace_id == workspace_id, workflow_trigger.c.id == trigger_id)
        .with_for_update()
    )
    return (await connection.execute(query)).first()


async def update_trigger(connection: AsyncConnection, workspace_id: UUID, trigger_id: UUID, **values: Any) -> AnyRow:
    """Change a trigger that is locked; its row. `updated_at` tells cached copies apart, so it always moves."""
    query = (
        update(workflow_trigger)
        .where(workflow_trigger.c.workspace_id == workspace_id, workflow_trigger.c.id == trigger_id)
        .values(**values, updated_at=func.clock_timestamp())
        .returning(workflow_trigger)
    )
    row: AnyRow = (await connection.execute(query)).one()
    return row


async def read_time(connection: AsyncConnection) -> datetime:
    """The database's time, at the beginning of the transaction."""
    now: datetime = (await connection.execute(select(func.now()))).scalar_one()
    return now


async def delete_trigger(connection: AsyncConnection, workspace_id: UUID, trigger_id: UUID) -> bool:
    """Remove a trigger, with what was kept of its filtered events; False where there is none."""
    mine = and_(workflow_trigger.c.workspace_id == workspace_id, workflow_trigger.c.id == trigger_id)
    # First: nobody sees them any more once their trigger is gone.
    found = select(workflow_trigger.c.id).where(mine)
    await connection.execute(delete(filtered_payload).where(filtered_payload.c.trigger_id.in_(found)))
    return bool((await connection.execute(delete(workflow_trigger).where(mine))).rowcount)
