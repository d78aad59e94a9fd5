"""Runs in bulk for benches: accepted by the statement that the API uses, or put into the database as ended."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.core.queueing import announce_queued, make_queued_event
from engine.infra.ids import new_id
from engine.store.starts import Start, accept_starts

_PUBLISHED = """
SELECT workflow.workspace_id, workflow.id AS workflow_id, version.id AS version_id, version.version
FROM workflow JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = workflow.published_version
WHERE workflow.id = $1
"""

# As a run of some steps leaves it: a row, and a journal of six.
_FILL = """
WITH sample AS (
    SELECT * FROM run WHERE workflow_id = $1 AND finished_at IS NOT NULL LIMIT 1
), made AS (
    INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, created_at, started_at,
                     finished_at)
    SELECT overlay(overlay(md5(number::text || random()::text)::text PLACING '7' FROM 13) PLACING
                   left(sample.id::text, 8) FROM 1 FOR 8)::uuid,
           workspace_id, workflow_id, version_id, version, trigger_type, 'succeeded', created_at, started_at,
           finished_at
    FROM generate_series(1, $2) AS number, sample
    RETURNING id
)
INSERT INTO journal (run_id, seq, kind, at, payload)
SELECT made.id, part.seq, part.kind, part.at, part.payload
FROM made, (SELECT journal.* FROM journal JOIN sample ON sample.id = journal.run_id ORDER BY seq LIMIT 6) AS part
"""


_COPY = """
WITH place AS (
    INSERT INTO workspace (id, name) VALUES ($2, 'bench') RETURNING id
), copied AS (
    INSERT INTO workflow (id, workspace_id, name, definition, published_version, created_by, updated_by)
    SELECT $3, place.id, name, definition, 1, created_by, updated_by FROM workflow, place WHERE workflow.id = $1
)
INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by)
SELECT $3, place.id, $3, 1, definition, published_by FROM workflow_version, place WHERE workflow_id = $1
"""

# Those that a worker has go on to their end.
_CANCEL = """
UPDATE run SET status = 'cancelled', finished_at = now()
WHERE workflow_id = $1 AND owner IS NULL AND status = 'queued'
"""


class Published(Struct, frozen=True, kw_only=True):
    """The version of a workflow that is started."""

    workspace_id: UUID
    workflow_id: UUID
    version_id: UUID
    version: int


async def find_workflow(connection: asyncpg.Connection, workflow_id: UUID) -> Published:
    """The published version of a workflow."""
    return Published(**await connection.fetchrow(_PUBLISHED, workflow_id))


async def accept_runs(connection: asyncpg.Connection, origin: Published, inputs: Sequence[Any]) -> None:
    """Start a run for each input, in one commit."""
    at = datetime.now(UTC)
    await accept_starts(connection, [_make_start(origin, value, at) for value in inputs])


async def copy_to_new_workspace(connection: asyncpg.Connection, workflow_id: UUID) -> UUID:
    """Publish a workflow a second time, in a workspace of its own; the id of the copy."""
    copy_id = new_id()
    await connection.execute(_COPY, workflow_id, new_id(), copy_id)
    return copy_id


async def cancel_queued(connection: asyncpg.Connection, workflow_id: UUID) -> None:
    """Take all runs of a workflow away that no worker has begun."""
    await connection.execute(_CANCEL, workflow_id)


async def fill_with_ended(connection: asyncpg.Connection, workflow_id: UUID, runs: int) -> None:
    """Add so many ended runs like the first of this workflow."""
    await connection.execute(_FILL, workflow_id, runs)
    await connection.execute("ANALYZE run, journal")


def _make_start(origin: Published, value: Any, at: datetime) -> Start:
    run_id = new_id(at)
    return Start(
        run_id=run_id,
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        version_id=origin.version_id,
        version=origin.version,
        trigger_id=None,
        trigger_type="api",
        at=at,
        queued=make_queued_event(
            at=at,
            trigger={"type": "api", "body": None, "headers": {}, "query": {}, "method": None, "received_at": at},
            run_input=value,
            workflow_id=origin.workflow_id,
            workflow_name="bench",
            version=origin.version,
            traceparent=None,
        ),
        message=announce_queued(at=at, run_id=run_id, workspace_id=origin.workspace_id, workflow_id=origin.workflow_id),
    )
