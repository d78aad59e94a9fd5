"""The SQL of approvals as people see and decide them. Their rows are opened and closed with the runs' events."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

# An approval that is open although its run has ended is about to be closed: the run broke.
_STATUS = """
CASE WHEN approval.status = 'pending' AND run.finished_at IS NOT NULL THEN 'cancelled' ELSE approval.status END
"""
_COLUMNS = f"""
approval.id, approval.run_id, approval.step, approval.message, {_STATUS} AS status, approval.due_at, approval.comment,
approval.decided_by, approval.decided_at, approval.created_at, run.workflow_id, workflow.name AS workflow_name
"""
_FROM = "FROM approval JOIN run ON run.id = approval.run_id JOIN workflow ON workflow.id = run.workflow_id"
_PAGE = f"""
SELECT {_COLUMNS} {_FROM}
WHERE approval.workspace_id = $1 AND ($2::uuid IS NULL OR approval.id < $2)
  AND ($3::uuid IS NULL OR approval.run_id = $3)
"""
_ORDER = "ORDER BY approval.id DESC LIMIT $4"

_LIST = f"{_PAGE} {_ORDER}"
# Said in the words of the index of pending ones, which are few among all that were ever asked for.
_LIST_PENDING = f"{_PAGE} AND approval.status = 'pending' AND run.finished_at IS NULL {_ORDER}"
_LIST_BY_STATUS = f"{_PAGE} AND {_STATUS} = ANY ($5::text[]) {_ORDER}"

_ONE = f"SELECT {_COLUMNS} {_FROM} WHERE approval.id = $1 AND approval.workspace_id = $2"

# The row is marked and the run is told at once, so that the second of two deciders hears that it is decided, and so
# does a timeout that comes meanwhile (see `expire_approvals`). The run is told when that was: it is shown.
_DECIDE = """
WITH decided AS (
    UPDATE approval SET status = $3, comment = $4, decided_by = $5, decided_at = now()
    FROM run
    WHERE approval.id = $1 AND approval.workspace_id = $2 AND approval.status = 'pending'
      AND run.id = approval.run_id AND run.finished_at IS NULL
    RETURNING approval.run_id, approval.step,
        to_char(approval.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS moment
), put AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT run_id, 'approval', convert_to(json_build_object(
        'step', step, 'decision', $3::text, 'comment', $4::text, 'by', $5::text, 'at', moment)::text,
        'UTF8')
    FROM decided RETURNING run_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'inbox', $2, run_id, '' FROM put
)
SELECT count(*) FROM put
"""

# Whoever decides an approval has its row: it is not waited for. The latest approval of a step is the open one.
_EXPIRE = """
WITH latest AS MATERIALIZED (
    SELECT DISTINCT ON (step) id FROM approval WHERE run_id = $1 AND step = ANY ($2::text[]) ORDER BY step, id DESC
), free AS MATERIALIZED (
    SELECT approval.id, approval.step, approval.status FROM approval
    WHERE approval.id IN (SELECT id FROM latest)
    FOR UPDATE OF approval SKIP LOCKED
), expired AS (
    UPDATE approval SET status = 'timed_out' FROM free
    WHERE approval.id = free.id AND approval.status = 'pending'
      AND EXISTS (SELECT FROM run WHERE run.id = $1 AND run.owner = $3)
    RETURNING approval.step
)
SELECT step FROM expired UNION ALL SELECT step FROM free WHERE status = 'timed_out'
"""

_CANCEL = "UPDATE approval SET status = 'cancelled' WHERE id = ANY ($1::uuid[]) AND status = 'pending'"


class ApprovalRecord(Struct, frozen=True, kw_only=True):
    """An approval with its run's workflow; `step` is the path of the step that asks."""

    id: UUID
    run_id: UUID
    step: str
    message: str
    status: str
    due_at: datetime | None
    comment: str | None
    decided_by: UUID | None
    decided_at: datetime | None
    created_at: datetime
    workflow_id: UUID
    workflow_name: str


async def list_approvals(
    connection: asyncpg.Connection | asyncpg.Pool,
    workspace_id: UUID,
    *,
    statuses: Sequence[str] | None,
    run_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[ApprovalRecord]:
    """Approvals of the workspace, of any of these statuses, the newest first, from below the id `before`."""
    arguments = [workspace_id, before, run_id, limit]
    if statuses is None:
        rows = await connection.fetch(_LIST, *arguments)
    elif set(statuses) == {"pending"}:
        rows = await connection.fetch(_LIST_PENDING, *arguments)
    else:
        rows = await connection.fetch(_LIST_BY_STATUS, *arguments, list(statuses))
    return [ApprovalRecord(**row) for row in rows]


async def find_approval(
    connection: asyncpg.Connection | asyncpg.Pool, approval_id: UUID, workspace_id: UUID
) -> ApprovalRecord | None:
    """An approval of the workspace."""
    row = await connection.fetchrow(_ONE, approval_id, workspace_id)
    return None if row is None else ApprovalRecord(**row)


async def decide_approval(
    connection: asyncpg.Connection | asyncpg.Pool,
    approval_id: UUID,
    workspace_id: UUID,
    *,
    decision: str,
    comment: str | None,
    by: UUID,
) -> bool:
    """Decide a pending approval of an unfinished run; False where it is not pending any more."""
    return bool(await connection.fetchval(_DECIDE, approval_id, workspace_id, decision, comment, by))


async def expire_approvals(
    connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, steps: Sequence[str], worker_id: int
) -> frozenset[str]:
    """Time out those approvals of a worker's run, by their steps, that nobody has decided or is about to decide.

    From then on nobody can. Asked again, it says the same: the run may have lost its worker before it journalled it.
    """
    rows = await connection.fetch(_EXPIRE, run_id, list(steps), worker_id)
    return frozenset(row["step"] for row in rows)


async def cancel_approvals(connection: asyncpg.Connection | asyncpg.Pool, approval_ids: Sequence[UUID]) -> None:
    """Cancel those of the approvals that are still pending; waits for who is about to decide one."""
    await connection.execute(_CANCEL, list(approval_ids))
