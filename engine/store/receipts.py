"""The SQL of receipts: what became of inbound events, always within one workspace."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

# A repeat of an event that was held has no run of its own to tell: the key knows which one came of it.
_RECEIPT = """
SELECT receipt.id, receipt.trigger_id, receipt.outcome, receipt.reason, receipt.dedup_key, receipt.received_at,
       coalesce(receipt.run_id, dedup_key.run_id) AS run_id,
       nullif(held_group.due_at, 'infinity') AS due_at
FROM ({chosen}) AS receipt
LEFT JOIN dedup_key ON receipt.outcome = 'duplicate' AND receipt.run_id IS NULL
    AND dedup_key.scope = receipt.trigger_id AND dedup_key.key = receipt.dedup_key
LEFT JOIN held_event ON receipt.outcome = 'pending' AND held_event.event_id = receipt.id
LEFT JOIN held_group ON held_group.trigger_id = held_event.trigger_id AND held_group.kind = held_event.kind
    AND held_group.key = held_event.key
"""

_ONE = _RECEIPT.format(chosen="SELECT * FROM inbound_event WHERE id = $1 AND workspace_id = $2")

OUTCOMES = frozenset({"pending", "started", "duplicate", "filtered", "rejected"})


class ReceiptFilter(Struct, frozen=True, kw_only=True):
    """Which receipts a list holds; `since` and `until` bound the id, which sorts by time."""

    trigger_id: UUID | None = None
    workflow_id: UUID | None = None
    outcomes: Sequence[str] | None = None
    since: UUID | None = None
    until: UUID | None = None


async def find_receipt(
    reader: asyncpg.Connection | asyncpg.Pool, event_id: UUID, workspace_id: UUID
) -> dict[str, Any] | None:
    """The receipt of an inbound event; None where the workspace has none of this id."""
    row = await reader.fetchrow(_ONE, event_id, workspace_id)
    return None if row is None else dict(row)


async def list_receipts(
    reader: asyncpg.Connection | asyncpg.Pool,
    workspace_id: UUID,
    chosen: ReceiptFilter,
    *,
    before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Receipts of the workspace, the newest first, from below the id `before`."""
    statement, values = _choose(workspace_id, chosen, before)
    statement = f"{statement} ORDER BY id DESC LIMIT ${len(values) + 1}"
    rows = await reader.fetch(_RECEIPT.format(chosen=statement) + "ORDER BY receipt.id DESC", *values, limit)
    return [dict(row) for row in rows]


def _choose(workspace_id: UUID, chosen: ReceiptFilter, before: UUID | None) -> tuple[str, list[UUID]]:
    """Only the conditions that are asked for, so that each plan is one for its index, whatever the values are."""
    conditions, values = ["workspace_id = $1"], [workspace_id]
    of_workflow = "trigger_id IN (SELECT id FROM workflow_trigger WHERE workflow_id = {})"
    for condition, value in (
        ("id < {}", before),
        ("trigger_id = {}", chosen.trigger_id),
        (of_workflow, chosen.workflow_id),
        ("id >= {}", chosen.since),
        ("id < {}", chosen.until),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    if chosen.outcomes is not None:
        # Constants, of which the planner can tell that the index of the few serves.
        names = ", ".join(f"'{name}'" for name in sorted(OUTCOMES.intersection(chosen.outcomes)))
        conditions.append(f"outcome IN ({names or 'NULL'})")
    return "SELECT * FROM inbound_event WHERE " + " AND ".join(conditions), values  # noqa: S608 - constants of this module
