"""The SQL of what a trigger received last, with the payloads: of runs, and of events that are held or filtered."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

# Rejected calls were authenticated by nobody.
_RECEIPTS = """
SELECT id, outcome, reason, run_id, received_at FROM inbound_event
WHERE trigger_id = $1 AND workspace_id = $2 AND outcome <> 'rejected' ORDER BY id DESC LIMIT $3
"""

_OF_RUNS = "SELECT run_id AS id, payload FROM journal WHERE run_id = ANY ($1::uuid[]) AND seq = 1"

_OF_EVENTS = """
SELECT event_id AS id, 'filtered' AS kind, payload FROM filtered_payload WHERE event_id = ANY ($1::uuid[])
UNION ALL SELECT event_id, 'held', trigger FROM held_event WHERE event_id = ANY ($1::uuid[])
"""

_EXISTS = "SELECT EXISTS (SELECT FROM workflow_trigger WHERE id = $1 AND workspace_id = $2)"


class ReceivedEvent(Struct, frozen=True, kw_only=True):
    """An event that a trigger accepted. Its payload is in one of three, or gone.

    `queued` is the JSON of its run's first event, `held` that of its `trigger`, `filtered` that of `trigger` and
    `message`.
    """

    id: UUID
    outcome: str
    reason: str | None
    run_id: UUID | None
    received_at: datetime
    queued: bytes | None = None
    held: bytes | None = None
    filtered: bytes | None = None


async def list_received(
    reader: asyncpg.Connection, trigger_id: UUID, workspace_id: UUID, *, limit: int
) -> list[ReceivedEvent]:
    """The last events of a trigger, the newest first."""
    rows = await reader.fetch(_RECEIPTS, trigger_id, workspace_id, limit)
    of_runs = await _read(reader, _OF_RUNS, [row["run_id"] for row in rows if row["run_id"] is not None])
    without = [row["id"] for row in rows if row["run_id"] is None]
    of_events = {row["id"]: row for row in await reader.fetch(_OF_EVENTS, without)} if without else {}
    return [
        ReceivedEvent(
            **row,
            queued=of_runs.get(row["run_id"]),
            **({of_events[row["id"]]["kind"]: of_events[row["id"]]["payload"]} if row["id"] in of_events else {}),
        )
        for row in rows
    ]


async def list_received_ids(
    reader: asyncpg.Connection, trigger_id: UUID, workspace_id: UUID, *, limit: int
) -> list[UUID]:
    """The ids of the last events of a trigger, the newest first."""
    return [row["id"] for row in await reader.fetch(_RECEIPTS, trigger_id, workspace_id, limit)]


async def has_trigger(reader: asyncpg.Connection, trigger_id: UUID, workspace_id: UUID) -> bool:
    """Whether the workspace has this trigger."""
    return bool(await reader.fetchval(_EXISTS, trigger_id, workspace_id))


async def _read(reader: asyncpg.Connection, query: str, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    return {row["id"]: row["payload"] for row in await reader.fetch(query, ids)} if ids else {}
