"""The SQL of receipts: what became of inbound events, always within one workspace."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

# A repeat of an event that was held has no run of its own to tell: the key knows which one came of it.
_RECEIPT = """
SELECT receipt.id, receipt.trigger_id, receipt.outcome, receipt.reason, receipt.dedup_key, receipt.received_at,
       coalesce(receipt.run_id, dedup_key.run_id) AS run_id, held_group.due_at
FROM ({chosen}) AS receipt
LEFT JOIN dedup_key ON receipt.outcome = 'duplicate' AND receipt.run_id IS NULL
    AND dedup_key.scope = receipt.trigger_id AND dedup_key.key = receipt.dedup_key
LEFT JOIN held_event ON receipt.outcome = 'pending' AND held_event.event_id = receipt.id
LEFT JOIN held_group ON held_group.trigger_id = held_event.trigger_id AND held_group.kind = held_event.kind
    AND held_group.key = held_event.key
"""

_ONE = _RECEIPT.format(chosen="SELECT * FROM inbound_event WHERE id = $1 AND workspace_id = $2")

_CHOSEN = """
SELECT * FROM inbound_event
WHERE workspace_id = $1
  AND ($2::uuid IS NULL OR id < $2)
  AND ($3::uuid IS NULL OR trigger_id = $3)
  AND ($4::uuid IS NULL OR trigger_id IN (SELECT id FROM workflow_trigger WHERE workflow_id = $4))
  AND ($5::text[] IS NULL OR outcome = ANY ($5))
  AND ($6::uuid IS NULL OR id >= $6)
  AND ($7::uuid IS NULL OR id < $7)
ORDER BY id DESC LIMIT $8
"""

_LIST = _RECEIPT.format(chosen=_CHOSEN) + "ORDER BY receipt.id DESC"


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
    rows = await reader.fetch(
        _LIST,
        workspace_id,
        before,
        chosen.trigger_id,
        chosen.workflow_id,
        None if chosen.outcomes is None else list(chosen.outcomes),
        chosen.since,
        chosen.until,
        limit,
    )
    return [dict(row) for row in rows]
