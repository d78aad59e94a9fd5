"""What triggers belong to: their kinds, and the workflows that they start."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.principal import Principal
from app.triggers import repository
from app.workflows.service import WorkflowService


class Origin(Struct, frozen=True, kw_only=True):
    """The kind of a trigger, and its workflow; nothing of one that is gone."""

    trigger_type: str | None = None
    workflow_id: UUID | None = None
    workflow_name: str | None = None


GONE: Final = Origin()


async def find_origins(
    connection: AsyncConnection, principal: Principal, trigger_ids: Collection[UUID]
) -> dict[UUID, Origin]:
    """Of those of the triggers that are there, with their workflows: by two statements, however many they are."""
    if not trigger_ids:
        return {}
    rows = await repository.find_triggers(connection, principal.workspace_id, trigger_ids)
    names = await WorkflowService(connection, principal).find_names({row.workflow_id for row in rows})
    return {
        row.id: Origin(trigger_type=row.type, workflow_id=row.workflow_id, workflow_name=names[row.workflow_id])
        for row in rows
        if row.workflow_id in names
    }
