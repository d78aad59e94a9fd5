"""The SQL of schedules: `next_due_at` of a row is the truth of when its trigger is due.

A row is moved on in the transaction that starts its runs: a due time is neither lost nor served twice, whoever dies.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.infra.bell import CHANNEL
from engine.store.trigger_origins import TriggerOrigin, read_origin

# Any number that nothing else in the database locks on: the bytes of "ffsched".
SCHEDULER_LOCK = 0x66_66_73_63_68_65_64
# Whoever changes a schedule rings here, within the transaction.
SCHEDULE_CHANNEL = "flowforge_schedules"

# Locked rows are those of another scheduler, or of somebody who changes the trigger. Of those that are on time and of
# those that are late one each in turn, so that neither keeps the other up, and in each line who waits longest first.
_TAKE = """
WITH punctual AS MATERIALIZED (
    SELECT trigger_id, next_due_at FROM schedule
    WHERE next_due_at <= now() AND next_due_at >= now() - $4::interval
      AND trigger_id <> ALL ($2::uuid[]) AND ($3::uuid IS NULL OR trigger_id = $3)
    ORDER BY next_due_at, trigger_id LIMIT $1 FOR UPDATE SKIP LOCKED
), late AS MATERIALIZED (
    SELECT trigger_id, next_due_at FROM schedule
    WHERE next_due_at < now() - $4::interval
      AND trigger_id <> ALL ($2::uuid[]) AND ($3::uuid IS NULL OR trigger_id = $3)
    ORDER BY next_due_at, trigger_id LIMIT $1 FOR UPDATE SKIP LOCKED
), due AS (
    SELECT *, false AS is_late, row_number() OVER (ORDER BY next_due_at, trigger_id) AS place FROM punctual
    UNION ALL
    SELECT *, true, row_number() OVER (ORDER BY next_due_at, trigger_id) FROM late
)
SELECT due.trigger_id, due.next_due_at, due.is_late, origin.workspace_id, origin.workflow_id, origin.config,
       origin.updated_at, workflow.name AS workflow_name, workflow.deleted_at IS NOT NULL AS is_gone,
       version.id AS version_id, version.version, clock_timestamp() AS now
FROM due
JOIN workflow_trigger AS origin ON origin.id = due.trigger_id
JOIN workflow ON workflow.id = origin.workflow_id
LEFT JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = workflow.published_version AND version.version > 0
    AND workflow.deleted_at IS NULL AND workflow.enabled AND origin.enabled
ORDER BY due.place, due.is_late LIMIT $1
"""

# Whoever changed the trigger since it was read has said anew when it is due.
_MOVE = """
UPDATE schedule SET
    next_due_at = moved.next_due_at,
    last_due_at = coalesce(moved.last_due_at, schedule.last_due_at),
    last_run_id = coalesce(moved.last_run_id, schedule.last_run_id),
    skipped_at = CASE WHEN moved.skip_reason IS NULL THEN schedule.skipped_at ELSE now() END,
    skip_reason = coalesce(moved.skip_reason, schedule.skip_reason)
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::uuid[], $6::text[])
    AS moved (trigger_id, trigger_updated_at, next_due_at, last_due_at, last_run_id, skip_reason)
JOIN workflow_trigger AS origin ON origin.id = moved.trigger_id AND origin.updated_at = moved.trigger_updated_at
WHERE schedule.trigger_id = moved.trigger_id
"""

_NEXT = """
SELECT next_due_at, clock_timestamp() AS now FROM schedule
WHERE next_due_at IS NOT NULL AND trigger_id <> ALL ($1::uuid[]) ORDER BY next_due_at LIMIT 1
"""


class DueSchedule(Struct, frozen=True, kw_only=True):
    """A schedule that is due; without `origin`, its workflow is not published or one of them is switched off.

    `is_late`: by more than is usual. `is_gone`: the workflow was deleted.
    """

    trigger_id: UUID
    updated_at: datetime
    next_due_at: datetime
    config: bytes
    now: datetime
    is_late: bool
    is_gone: bool
    origin: TriggerOrigin | None


class Move(Struct, frozen=True, kw_only=True):
    """When a schedule is due again, the last run that it started, and why it passed over due times if it did."""

    trigger_id: UUID
    trigger_updated_at: datetime
    next_due_at: datetime | None
    last_due_at: datetime | None = None
    last_run_id: UUID | None = None
    skip_reason: str | None = None


async def take_due(
    connection: asyncpg.Connection,
    limit: int,
    *,
    grace: timedelta,
    without: Sequence[UUID] = (),
    alone: UUID | None = None,
) -> list[DueSchedule]:
    """Schedules that are due, locked until the end of the transaction; `alone`: this one, if it is due.

    Those that are late by more than `grace` and those that are not come in turn, who waits longest first.
    """
    rows = await connection.fetch(_TAKE, limit, without, alone, grace)
    return [
        DueSchedule(
            trigger_id=row["trigger_id"],
            updated_at=row["updated_at"],
            next_due_at=row["next_due_at"],
            config=row["config"],
            now=row["now"],
            is_late=row["is_late"],
            is_gone=row["is_gone"],
            origin=None if row["version_id"] is None else read_origin(row),
        )
        for row in rows
    ]


async def move_schedules(connection: asyncpg.Connection, moves: Sequence[Move]) -> None:
    """Say when they are due again, but of those that were changed meanwhile."""
    columns = [[getattr(move, field) for move in moves] for field in Move.__struct_fields__]
    await connection.execute(_MOVE, *columns)


async def find_next_due(connection: asyncpg.Connection, without: Sequence[UUID], timeout: float) -> float | None:
    """Seconds until the next schedule is due, negative where one is overdue; None where none will be."""
    row = await connection.fetchrow(_NEXT, without, timeout=timeout)
    return None if row is None else (row["next_due_at"] - row["now"]).total_seconds()


async def ring_outbox(connection: asyncpg.Connection) -> None:
    """Tell the relay, after a commit, that there is something to publish."""
    await connection.execute(f"NOTIFY {CHANNEL}")
