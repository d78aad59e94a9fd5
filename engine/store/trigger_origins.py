"""The SQL that tells what triggers start which fire outside requests."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

_LIVE = """
SELECT origin.id AS trigger_id, origin.workspace_id, origin.workflow_id, workflow.name AS workflow_name,
       version.id AS version_id, version.version, origin.updated_at
FROM workflow_trigger AS origin
JOIN workflow ON workflow.id = origin.workflow_id AND workflow.deleted_at IS NULL AND workflow.enabled
JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = workflow.published_version AND version.version > 0
WHERE origin.id = ANY ($1::uuid[]) AND origin.enabled
"""


class TriggerOrigin(Struct, frozen=True, kw_only=True):
    """A live trigger with the version that it starts."""

    trigger_id: UUID
    workspace_id: UUID
    workflow_id: UUID
    workflow_name: str
    version_id: UUID
    version: int
    updated_at: datetime


def read_origin(row: asyncpg.Record) -> TriggerOrigin:
    """The origin that a row with columns of the same names tells of."""
    return TriggerOrigin(**{field: row[field] for field in TriggerOrigin.__struct_fields__})


async def find_live_origins(connection: asyncpg.Connection, trigger_ids: Sequence[UUID]) -> dict[UUID, TriggerOrigin]:
    """Those of the triggers that are switched on, as are their workflows, which are published."""
    return {row["trigger_id"]: read_origin(row) for row in await connection.fetch(_LIVE, list(trigger_ids))}
