"""The SQL by which a workspace's runs are counted by status, at a price that no number of runs changes.

Runs are counted from themselves, as in the dashboard, and so only the newest so many are looked at. An index by status
would have to be kept with every change of every run, and would still count for one filter alone.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.plans import ALONG_INDEXES
from engine.store.reads import RunFilter

# About a tenth of a second of PostgreSQL's time.
MOST_RUNS = 50_000

_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)

# By comparing the columns of an index together: no other can serve, whatever the planner believes of the table. Only
# then are the other filters looked at, so that the limit is of the rows that are read and not of those that are found.
_COUNT = """
SELECT status, count(*) AS seen, min(created_at) AS oldest, count(*) FILTER (
    WHERE workspace_id = $5
      AND ($6::text IS NULL OR trigger_type = $6)
      AND ($7::text IS NULL OR starts_with(id::text, lower($7)) OR strpos(lower(error_message), lower($7)) > 0
           OR workflow_id IN (SELECT id FROM workflow WHERE workspace_id = $5 AND strpos(lower(name), lower($7)) > 0))
      AND ($8::boolean IS NULL OR is_test = $8)
) AS found
FROM (
    SELECT id, workspace_id, workflow_id, status, trigger_type, is_test, error_message, created_at FROM run
    WHERE ({column}, id) < ($1::uuid, $2::uuid) AND ({column}, id) >= ($1, $3::uuid) {condition}
    ORDER BY {column} DESC, id DESC LIMIT $4
) AS newest GROUP BY status
"""

_OF_WORKSPACE = _COUNT.format(column="workspace_id", condition="")

# Of another workspace's workflow nothing is read, which is looked at once and not for each of its runs.
_OF_WORKFLOW = _COUNT.format(
    column="workflow_id", condition="AND EXISTS (SELECT FROM workflow WHERE id = $1 AND workspace_id = $5)"
)


class Counted(Struct, frozen=True, kw_only=True):
    """How many runs there are by status; `since`: only the runs from then on were looked at, None for all."""

    by_status: dict[str, int]
    since: datetime | None


async def count_newest(connection: asyncpg.Connection, workspace_id: UUID, chosen: RunFilter) -> Counted:
    """How many runs of the workspace are chosen, by status, of the newest `MOST_RUNS` of it or of the chosen workflow.

    In a transaction, which goes along indexes from then on. The statuses, `ids` and `is_child` of the filter choose
    nothing here.
    """
    statement, values = choose(workspace_id, chosen)
    await connection.execute(ALONG_INDEXES)
    rows = await connection.fetch(statement, *values)
    is_whole = sum(row["seen"] for row in rows) < MOST_RUNS
    return Counted(
        by_status={row["status"]: row["found"] for row in rows},
        since=None if is_whole else min(row["oldest"] for row in rows),
    )


def choose(workspace_id: UUID, chosen: RunFilter) -> tuple[str, list[UUID | int | str | bool | None]]:
    """The statement that counts, with its values; to be asked `ALONG_INDEXES`."""
    if chosen.workflow_id is None:
        statement, scope = _OF_WORKSPACE, workspace_id
    else:
        statement, scope = _OF_WORKFLOW, chosen.workflow_id
    until, since = chosen.until or _LAST, chosen.since or _FIRST
    return statement, [scope, until, since, MOST_RUNS, workspace_id, chosen.trigger_type, chosen.q, chosen.is_test]
