"""The SQL that tells what a start runs: the published version of a workflow, and the trigger that starts it."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

_WEBHOOK = """
SELECT origin.id AS trigger_id, origin.workspace_id, origin.workflow_id, workflow.name AS workflow_name,
       version.id AS version_id, version.version, origin.config, origin.secret, origin.previous_secret_until,
       origin.updated_at
FROM workflow_trigger AS origin
JOIN workflow ON workflow.id = origin.workflow_id AND workflow.deleted_at IS NULL AND workflow.enabled
JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = workflow.published_version AND version.version > 0
WHERE origin.token = $1 AND origin.enabled AND origin.type = 'webhook'
"""

_VERSION = """
SELECT workflow.workspace_id, workflow.id AS workflow_id, workflow.name AS workflow_name,
       version.id AS version_id, version.version, workflow.published_version
FROM workflow
LEFT JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = coalesce($3, workflow.published_version)
    AND version.version > 0
WHERE workflow.id = $1 AND workflow.workspace_id = $2 AND workflow.deleted_at IS NULL
"""


class WebhookOrigin(Struct, frozen=True, kw_only=True):
    """A live webhook trigger with the version that it starts; `secret` is sealed.

    `previous_secret_until`: until when the secret before the newest is good as well.
    """

    trigger_id: UUID
    workspace_id: UUID
    workflow_id: UUID
    workflow_name: str
    version_id: UUID
    version: int
    config: bytes
    secret: bytes | None
    previous_secret_until: datetime | None
    updated_at: datetime


class VersionOrigin(Struct, frozen=True, kw_only=True):
    """A workflow with the version to start; without one, there is none of that number, or none was published."""

    workspace_id: UUID
    workflow_id: UUID
    workflow_name: str
    version_id: UUID | None
    version: int | None
    published_version: int | None


async def find_webhook(connection: asyncpg.Connection | asyncpg.Pool, token: str) -> WebhookOrigin | None:
    """The enabled webhook trigger with this token, of an enabled workflow that is published."""
    row = await connection.fetchrow(_WEBHOOK, token)
    return None if row is None else WebhookOrigin(**row)


async def find_version(
    connection: asyncpg.Connection | asyncpg.Pool, workflow_id: UUID, workspace_id: UUID, version: int | None
) -> VersionOrigin | None:
    """The workflow and its version of this number (None: the published one); None without such a workflow."""
    row = await connection.fetchrow(_VERSION, workflow_id, workspace_id, version)
    return None if row is None else VersionOrigin(**row)
