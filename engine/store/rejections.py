"""The SQL of rejected calls: how many there were, and a few of them for each trigger, as receipts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

# Of each trigger, the last so many.
KEPT = 100

_RECORD = f"""
WITH sample AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
        AS sample (id, workspace_id, trigger_id, reason, at)
), receipts AS (
    INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, reason, received_at, is_tallied)
    SELECT id, workspace_id, trigger_id, 'rejected', reason, at, true FROM sample
    ON CONFLICT (id) DO NOTHING
), old AS (
    DELETE FROM inbound_event WHERE id IN (
        SELECT found.id FROM (SELECT DISTINCT trigger_id FROM sample) AS origin CROSS JOIN LATERAL (
            SELECT id FROM inbound_event AS receipt
            WHERE receipt.trigger_id = origin.trigger_id AND receipt.outcome = 'rejected'
            ORDER BY id DESC OFFSET {KEPT}
        ) AS found)
)
INSERT INTO ingest_tally (workspace_id, minute, rejected)
SELECT workspace_id, date_trunc('minute', now()), count
FROM unnest($6::uuid[], $7::int[]) AS given (workspace_id, count)
"""  # noqa: S608 - put together of constants of this module


class Rejection(Struct, frozen=True, kw_only=True):
    """A call that was refused: which trigger's, and by which code. Nothing of what was sent is kept."""

    id: UUID
    workspace_id: UUID
    trigger_id: UUID
    reason: str
    at: datetime


async def record_rejections(
    connection: asyncpg.Connection | asyncpg.Pool, samples: Sequence[Rejection], counts: Mapping[UUID, int]
) -> None:
    """Keep the samples, and add to the counts of their workspaces."""
    await connection.execute(
        _RECORD,
        [sample.id for sample in samples],
        [sample.workspace_id for sample in samples],
        [sample.trigger_id for sample in samples],
        [sample.reason for sample in samples],
        [sample.at for sample in samples],
        list(counts),
        list(counts.values()),
    )
