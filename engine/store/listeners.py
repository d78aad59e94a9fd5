"""The SQL of event triggers: who listens, and where the runs that events are about come from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

# One snapshot for both: who is missing here has changed the revision since.
_LISTENERS = """
SELECT coalesce((SELECT revision FROM listener_revision), 0) AS revision, origin.id AS trigger_id, origin.workspace_id,
       origin.config, origin.updated_at
FROM (SELECT 1) AS one LEFT JOIN (
    workflow_trigger AS origin JOIN workflow ON workflow.id = origin.workflow_id AND workflow.deleted_at IS NULL
) ON origin.type = 'event' AND origin.enabled
"""

_COUNT = """
SELECT count(*) FROM workflow_trigger AS origin
JOIN workflow ON workflow.id = origin.workflow_id AND workflow.deleted_at IS NULL
WHERE origin.workspace_id = $1 AND origin.type = 'event' AND origin.enabled
"""

# A run that a step started stands for the one at the root: that one tells what the whole line came from.
_CAUSES = """
WITH RECURSIVE line (asked, id, parent_run_id, level) AS (
    SELECT id, id, parent_run_id, 0 FROM run WHERE id = ANY ($1::uuid[])
    UNION ALL
    SELECT line.asked, run.id, run.parent_run_id, line.level + 1
    FROM line JOIN run ON run.id = line.parent_run_id WHERE line.level < 100
), root AS (
    SELECT DISTINCT ON (asked) asked, id FROM line ORDER BY asked, level DESC
)
SELECT run.id, run.workspace_id, run.is_test, run.trigger_type, run.version, run.attempt, run.parent_run_id,
       run.created_at, run.started_at, run.finished_at, workflow.name AS workflow_name, beginning.payload AS beginning,
       first.id AS first_run_id, first.origin_run_id IS NOT NULL AS is_rerun, clock_timestamp() AS now
FROM run
JOIN workflow ON workflow.id = run.workflow_id
JOIN root ON root.asked = run.id
JOIN run AS first ON first.id = root.id
LEFT JOIN journal AS beginning ON first.trigger_type = 'event' AND beginning.run_id = first.id AND beginning.seq = 1
WHERE run.id = ANY ($1)
"""


# In the order of their keys, as everybody who changes several.
_FOLLOWING = """
INSERT INTO event_line (root, runs)
SELECT root, runs FROM unnest($1::text[], $2::int[]) AS given (root, runs) ORDER BY root
ON CONFLICT (root) DO UPDATE SET runs = event_line.runs + excluded.runs
"""


class ListenerRow(Struct, frozen=True, kw_only=True):
    """An event trigger that is switched on, as it was at `updated_at`."""

    trigger_id: UUID
    workspace_id: UUID
    config: bytes
    updated_at: datetime


class CauseRow(Struct, frozen=True, kw_only=True):
    """A run that events are about, as it stands at `now`.

    `first_run_id` is the run at its root, `beginning` the first journal event of that one, where it was started by an
    event; `is_rerun`: somebody has started that one again.
    """

    id: UUID
    workspace_id: UUID
    is_test: bool
    trigger_type: str
    version: int
    attempt: int
    parent_run_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    workflow_name: str
    beginning: bytes | None
    first_run_id: UUID
    is_rerun: bool
    now: datetime


async def list_listeners(connection: asyncpg.Connection, timeout: float) -> tuple[int, list[ListenerRow]]:
    """All event triggers that are switched on, and the revision of which they are."""
    rows = await connection.fetch(_LISTENERS, timeout=timeout)
    listeners = [
        ListenerRow(
            trigger_id=row["trigger_id"],
            workspace_id=row["workspace_id"],
            config=row["config"],
            updated_at=row["updated_at"],
        )
        for row in rows
        if row["trigger_id"] is not None
    ]
    return rows[0]["revision"], listeners


async def count_listeners(connection: asyncpg.Connection, workspace_id: UUID) -> int:
    """How many event triggers of a workspace are switched on, but for those of deleted workflows."""
    count: int = await connection.fetchval(_COUNT, workspace_id)
    return count


async def find_causes(connection: asyncpg.Connection, run_ids: Sequence[UUID]) -> dict[UUID, CauseRow]:
    """The runs that still exist, by their ids."""
    rows: list[Any] = await connection.fetch(_CAUSES, list(run_ids))
    return {row["id"]: CauseRow(**row) for row in rows}


async def count_following(connection: asyncpg.Connection, roots: Sequence[str]) -> dict[str, int]:
    """How many runs have followed from each of these events, but for those that it started itself."""
    rows = await connection.fetch("SELECT root, runs FROM event_line WHERE root = ANY ($1)", list(roots))
    return {row["root"]: row["runs"] for row in rows}


async def add_following(connection: asyncpg.Connection, runs: Mapping[str, int]) -> None:
    """Count runs that follow from events, within the transaction that starts them."""
    await connection.execute(_FOLLOWING, list(runs), list(runs.values()))
