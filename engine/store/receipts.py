"""The SQL of receipts: what became of inbound events, always within one workspace."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.plans import ALONG_INDEXES

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

_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)

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


@asynccontextmanager
async def reading_along_indexes(connection: asyncpg.Connection) -> AsyncGenerator[None]:
    """A transaction whose statements go `ALONG_INDEXES`."""
    async with connection.transaction(readonly=True):
        await connection.execute(ALONG_INDEXES)
        yield


async def list_receipts(
    connection: asyncpg.Connection,
    workspace_id: UUID,
    chosen: ReceiptFilter,
    *,
    before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Receipts of the workspace, the newest first, from below the id `before`."""
    if chosen.outcomes is not None and not OUTCOMES.intersection(chosen.outcomes):
        return []
    statement, values = choose(workspace_id, chosen, before, limit)
    async with reading_along_indexes(connection):
        rows = await connection.fetch(statement, *values)
    return [dict(row) for row in rows]


def choose(
    workspace_id: UUID, chosen: ReceiptFilter, before: UUID | None, limit: int
) -> tuple[str, list[UUID | int | None]]:
    """The statement that finds a page of receipts, with its values.

    To be asked while `reading_along_indexes`. Each part of it asks for the order of one index, by comparing its columns
    together: no other can serve, whatever the planner believes of the table. Those that started something are looked
    for among all of a trigger or workspace, of which they are most.
    """
    until = min((one for one in (before, chosen.until) if one is not None), default=_LAST)
    values: list[UUID | int | None] = [workspace_id, until, chosen.since or _FIRST, limit]
    if chosen.workflow_id is not None:
        column = "trigger_id"
        values += [chosen.workflow_id, chosen.trigger_id]
        sources = (
            "SELECT id FROM workflow_trigger WHERE workspace_id = $1 AND workflow_id = $5 "
            "AND ($6::uuid IS NULL OR id = $6)"
        )
    elif chosen.trigger_id is not None:
        column, sources = "trigger_id", "SELECT $5::uuid AS id"
        values.append(chosen.trigger_id)
    else:
        column, sources = "workspace_id", "SELECT $1::uuid AS id"
    names = [None] if chosen.outcomes is None else sorted(OUTCOMES.intersection(chosen.outcomes))
    parts = " UNION ALL ".join(_part(column, name) for name in names)
    statement = (
        f"SELECT receipt.* FROM ({sources}) AS source CROSS JOIN LATERAL ({parts}) AS receipt "  # noqa: S608 - constants
        "WHERE receipt.workspace_id = $1 ORDER BY receipt.id DESC LIMIT $4"
    )
    return _RECEIPT.format(chosen=statement) + "ORDER BY receipt.id DESC", values


def _part(column: str, outcome: str | None) -> str:
    """The last receipts of a trigger or workspace, of this outcome or of any."""
    if outcome is None or outcome == "started":
        columns, scope, condition = f"{column}, id", "source.id", "" if outcome is None else "AND outcome = 'started'"
    else:
        # As the index of the few has it: that it serves can be told from no other condition.
        columns, scope, condition = f"{column}, outcome, id", f"source.id, '{outcome}'", "AND outcome <> 'started'"
    order = ", ".join(f"{one} DESC" for one in columns.split(", "))
    return (
        f"(SELECT * FROM inbound_event WHERE ({columns}) < ({scope}, $2) AND ({columns}) >= ({scope}, $3) {condition} "  # noqa: S608 - constants
        f"ORDER BY {order} LIMIT $4)"
    )
