"""The SQL of what a list of workflows tells of each: how its last runs went, what starts it, and when that is due."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

# Tests of drafts say nothing of how a workflow does. The comparison of rows, rather than of columns, leaves PostgreSQL
# no other way than `run_workflow_idx`: for a workflow that has no runs, any other would read those of everybody.
_ACTIVITY = """
SELECT chosen.id AS workflow_id, recent.run_ids, recent.statuses, recent.created, armed.types, armed.next_due_at
FROM unnest($2::uuid[]) AS chosen (id)
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY id DESC) AS run_ids, array_agg(status ORDER BY id DESC) AS statuses,
           array_agg(created_at ORDER BY id DESC) AS created
    FROM (
        SELECT run.id, run.status, run.created_at FROM run
        WHERE (run.workflow_id, run.id) >= (chosen.id, '00000000-0000-0000-0000-000000000000'::uuid)
          AND (run.workflow_id, run.id) <= (chosen.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          AND run.workspace_id = $1 AND NOT run.is_test
        ORDER BY run.workflow_id DESC, run.id DESC LIMIT $3
    ) AS last
) AS recent
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT origin.type) AS types, min(schedule.next_due_at) AS next_due_at
    FROM workflow_trigger AS origin LEFT JOIN schedule ON schedule.trigger_id = origin.id
    WHERE origin.workflow_id = chosen.id AND origin.workspace_id = $1 AND origin.enabled
) AS armed
"""


class LastRun(Struct, frozen=True, kw_only=True):
    """One of the last runs of a workflow."""

    id: UUID
    status: str
    created_at: datetime


class Activity(Struct, frozen=True, kw_only=True):
    """The last runs of a workflow, the newest first; the kinds of its enabled triggers; when one is due next."""

    last_runs: list[LastRun]
    trigger_types: list[str]
    next_due_at: datetime | None


async def read_activity(
    connection: asyncpg.Connection, workspace_id: UUID, workflow_ids: Sequence[UUID], *, runs: int
) -> dict[UUID, Activity]:
    """The activity of these workflows of the workspace, each with up to `runs` runs, by one statement for all."""
    rows = await connection.fetch(_ACTIVITY, workspace_id, list(workflow_ids), runs)
    return {row["workflow_id"]: _activity(row) for row in rows}


def _activity(row: asyncpg.Record) -> Activity:
    columns = zip(row["run_ids"] or (), row["statuses"] or (), row["created"] or (), strict=True)
    return Activity(
        last_runs=[LastRun(id=run_id, status=status, created_at=at) for run_id, status, at in columns],
        trigger_types=sorted(row["types"] or ()),
        next_due_at=row["next_due_at"],
    )
