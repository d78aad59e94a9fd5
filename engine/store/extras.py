"""What a few commits write beside history and run rows: large outputs, approvals, messages to other runs.

Its statements are parts of the journal's one statement, in a variant that only batches with extras use.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct


class PayloadRow(Struct, frozen=True, kw_only=True):
    """An output that is too large for the journal; `data` is its JSON, which PostgreSQL compresses."""

    run_id: UUID
    id: UUID
    data: bytes


class ApprovalRow(Struct, frozen=True, kw_only=True):
    """A decision that a run asks for, `step` being the path of the step that does."""

    id: UUID
    workspace_id: UUID
    run_id: UUID
    step: str
    message: str
    due_at: datetime | None
    created_at: datetime
    status: str = "pending"
    comment: str | None = None
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class ApprovalEnd(Struct, frozen=True, kw_only=True):
    """How the latest approval of a run's step ended: `approved`, `rejected`, `timed_out` or `cancelled`."""

    run_id: UUID
    step: str
    status: str
    comment: str | None = None
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class Mail(Struct, frozen=True, kw_only=True):
    """A message for the inbox of another run; where that has ended, it is dropped."""

    run_id: UUID
    kind: str
    payload: bytes


class Extras(Struct, kw_only=True):
    """What one entry, or one batch, writes beside its events."""

    payloads: list[PayloadRow] = []
    approvals: list[ApprovalRow] = []
    approval_ends: list[ApprovalEnd] = []
    mail: list[Mail] = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.payloads or self.approvals or self.approval_ends or self.mail)


# The numbers go on from the journal's own statement. A run has one open approval a step at most: the latest. What
# somebody decided just before the run was cancelled stays decided: they were told so. Whoever is deciding an approval
# right now has its row for as long as that takes, and no other run shall wait for them: its row is passed over. Before
# it times out, nobody can decide it any more (see `engine.store.approvals`), so that only a cancelled one is contested.
EXTRA_PARTS = """, stored AS (
    INSERT INTO payload (run_id, id, data)
    SELECT row.* FROM unnest($21::uuid[], $22::uuid[], $23::bytea[]) AS row (run_id, id, data), me
), asked AS (
    INSERT INTO approval (id, workspace_id, run_id, step, message, due_at, created_at, status, comment, decided_by,
                          decided_at)
    SELECT row.*
    FROM unnest($24::uuid[], $25::uuid[], $26::uuid[], $27::text[], $28::text[], $29::timestamptz[],
                $30::timestamptz[], $31::text[], $32::text[], $33::uuid[], $34::timestamptz[])
        AS row (id, workspace_id, run_id, step, message, due_at, created_at, status, comment, decided_by, decided_at),
        me
), ending AS MATERIALIZED (
    SELECT answer.*, (
        SELECT latest.id FROM approval AS latest
        WHERE latest.run_id = answer.run_id AND latest.step = answer.step ORDER BY latest.id DESC LIMIT 1
    ) AS approval_id
    FROM unnest($35::uuid[], $36::text[], $37::text[], $38::text[], $39::uuid[], $40::timestamptz[])
        AS answer (run_id, step, status, comment, decided_by, decided_at), me
), free AS MATERIALIZED (
    SELECT approval.id FROM approval WHERE approval.id IN (SELECT approval_id FROM ending)
    FOR UPDATE OF approval SKIP LOCKED
), answered AS (
    UPDATE approval SET
        status = ending.status, comment = ending.comment, decided_by = ending.decided_by,
        decided_at = ending.decided_at
    FROM ending
    WHERE approval.id = ending.approval_id AND approval.id IN (SELECT id FROM free)
      AND (ending.status <> 'cancelled' OR approval.status = 'pending')
), posted AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT mail.* FROM unnest($41::uuid[], $42::text[], $43::bytea[]) AS mail (run_id, kind, payload), me
    WHERE EXISTS (SELECT FROM run WHERE run.id = mail.run_id AND run.finished_at IS NULL)
)"""

# The approvals that somebody is deciding: should they not do it, nobody has closed them.
CONTESTED = """
ARRAY (SELECT approval_id FROM ending WHERE status = 'cancelled' AND approval_id <> ALL (ARRAY (SELECT id FROM free)))
"""

# A run that broke may have been ended without the ends of its steps. Who decides one of them is not waited for.
_CLOSE_APPROVALS = """
WITH open AS MATERIALIZED (
    SELECT approval.id FROM approval JOIN run ON run.id = approval.run_id
    WHERE approval.status = 'pending' AND run.finished_at IS NOT NULL
    FOR UPDATE OF approval SKIP LOCKED
)
UPDATE approval SET status = 'cancelled' FROM open WHERE approval.id = open.id AND approval.status = 'pending'
"""

_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("payloads", PayloadRow.__struct_fields__),
    ("approvals", ApprovalRow.__struct_fields__),
    ("approval_ends", ApprovalEnd.__struct_fields__),
    ("mail", Mail.__struct_fields__),
)


def extra_columns(extras: Extras) -> list[list[Any]]:
    """The arguments of `EXTRA_PARTS`, in their order."""
    return [[getattr(row, field) for row in getattr(extras, table)] for table, fields in _COLUMNS for field in fields]


async def close_approvals(connection: asyncpg.Connection) -> None:
    """Cancel the approvals that runs which have ended still ask for."""
    await connection.execute(_CLOSE_APPROVALS)


def merge_extras(parts: Sequence[Extras]) -> Extras:
    """The extras of one batch, in order; an approval that opens and ends within it is written as ended."""
    merged = Extras(
        payloads=[row for part in parts for row in part.payloads],
        mail=[row for part in parts for row in part.mail],
    )
    # One statement does not see its own new rows, so that an end finds no row that opens in the same batch.
    opened: dict[tuple[UUID, str], ApprovalRow] = {}
    for part in parts:
        opened |= {(row.run_id, row.step): row for row in part.approvals}
        for end in part.approval_ends:
            row = opened.get((end.run_id, end.step))
            if row is None:
                merged.approval_ends.append(end)
            else:
                opened[end.run_id, end.step] = msgspec.structs.replace(row, **msgspec.structs.asdict(end))
    merged.approvals.extend(opened.values())
    return merged
