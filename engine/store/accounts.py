"""The SQL of ingest's accounts: what was accepted, minute by minute, beside what became of it by the receipts.

Acceptance is counted by the commits that accept, in `ingest_tally`. The other side is counted from the receipts, and a
receipt that is pending only counts while its event is held. Where both agree and nothing is held the minute is settled,
and its figures are kept in `ingest_minute`; all others are counted anew whenever somebody asks.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.store.leadership import try_lead

RECONCILER_LOCK = 0x46_46_52_43

# How many minutes are counted by one statement.
MINUTES_AT_ONCE = 500

# A workspace's minute; counting goes from one to the next.
Place = tuple[UUID, datetime]
BEGINNING: Place = (UUID(int=0), datetime.min.replace(tzinfo=UTC))

# The smallest id of a moment, as `engine.infra.ids.floor_id` makes it.
_FLOOR = "rpad(lpad(to_hex((extract(epoch FROM {moment}) * 1000)::bigint), 12, '0'), 32, '0')::uuid"

_COUNT = f"""
SELECT count(*) FILTER (WHERE outcome = 'started') AS started,
       count(*) FILTER (WHERE outcome = 'duplicate') AS duplicate,
       count(*) FILTER (WHERE outcome = 'filtered') AS filtered,
       count(*) FILTER (WHERE CASE outcome WHEN 'pending'
           THEN EXISTS (SELECT FROM held_event WHERE held_event.event_id = receipt.id) END) AS pending
FROM inbound_event AS receipt
WHERE receipt.workspace_id = wanted.workspace_id AND receipt.is_tallied
  AND receipt.id >= {_FLOOR.format(moment="wanted.minute")}
  AND receipt.id < {_FLOOR.format(moment="wanted.minute + interval '1 minute'")}
"""  # noqa: S608 - put together of constants of this module

# In one statement, so that both sides are of the same moment.
_SUM = f"""
WITH bound AS MATERIALIZED (
    SELECT date_trunc('minute', now() - $2::interval) AS since
), fresh AS (
    SELECT minute, sum(accepted) AS accepted, sum(rejected) AS rejected FROM ingest_tally
    WHERE workspace_id = $1 AND minute >= (SELECT since FROM bound) GROUP BY minute
), kept AS (
    SELECT * FROM ingest_minute WHERE workspace_id = $1 AND minute >= (SELECT since FROM bound)
), wanted AS MATERIALIZED (
    SELECT $1::uuid AS workspace_id, minute, coalesce(kept.accepted, 0) + coalesce(fresh.accepted, 0) AS accepted,
           coalesce(kept.rejected, 0) + coalesce(fresh.rejected, 0) AS rejected,
           kept.started, kept.duplicate, kept.filtered,
           coalesce(kept.is_settled, false) AND coalesce(fresh.accepted, 0) = 0 AS is_settled
    FROM fresh FULL JOIN kept USING (minute)
), counted AS (
    SELECT accepted, rejected, started, duplicate, filtered, 0 AS pending FROM wanted WHERE is_settled
    UNION ALL
    SELECT wanted.accepted, wanted.rejected, found.started, found.duplicate, found.filtered, found.pending
    FROM wanted CROSS JOIN LATERAL ({_COUNT}) AS found WHERE NOT wanted.is_settled
)
SELECT (SELECT since FROM bound) AS since,
       coalesce(sum(accepted), 0)::bigint AS accepted, coalesce(sum(started), 0)::bigint AS started,
       coalesce(sum(duplicate), 0)::bigint AS duplicate, coalesce(sum(filtered), 0)::bigint AS filtered,
       coalesce(sum(pending), 0)::bigint AS pending, coalesce(sum(rejected), 0)::bigint AS rejected,
       coalesce(sum(abs(accepted - started - duplicate - filtered - pending)), 0)::bigint AS drift
FROM counted
"""  # noqa: S608 - put together of constants of this module

_FOLD = """
WITH gone AS (
    DELETE FROM ingest_tally WHERE minute < date_trunc('minute', now())
    RETURNING workspace_id, minute, accepted, rejected
)
INSERT INTO ingest_minute (workspace_id, minute, accepted, rejected)
SELECT workspace_id, minute, sum(accepted), sum(rejected) FROM gone GROUP BY workspace_id, minute
ON CONFLICT (workspace_id, minute) DO UPDATE SET
    accepted = ingest_minute.accepted + excluded.accepted,
    rejected = ingest_minute.rejected + excluded.rejected,
    is_settled = ingest_minute.is_settled AND excluded.accepted = 0,
    counted_at = CASE excluded.accepted WHEN 0 THEN ingest_minute.counted_at ELSE '-infinity' END
"""

# Those that nobody has counted come first, then those behind a place, as many as have about $3 events together. What
# is as it was is not written: most of what is counted is.
_RECOUNT = f"""
WITH chosen AS MATERIALIZED (
    SELECT workspace_id, minute, accepted, counted_at = '-infinity' AS is_new FROM ingest_minute
    WHERE is_settled = $1 AND counted_at < $2 AND minute >= $4
      AND (counted_at = '-infinity' OR (workspace_id, minute) > ($5::uuid, $6::timestamptz))
    ORDER BY counted_at = '-infinity' DESC, workspace_id, minute LIMIT {{limit}}
), queue AS (
    SELECT *, sum(accepted) OVER (ORDER BY is_new DESC, workspace_id, minute) AS reached FROM chosen
), wanted AS MATERIALIZED (
    SELECT workspace_id, minute, is_new FROM queue WHERE reached - accepted < $3
), found AS (
    SELECT wanted.workspace_id, wanted.minute, found.* FROM wanted CROSS JOIN LATERAL ({_COUNT}) AS found
), written AS (
    UPDATE ingest_minute AS kept SET
        started = found.started, duplicate = found.duplicate, filtered = found.filtered, pending = found.pending,
        is_settled = found.pending = 0 AND kept.accepted = found.started + found.duplicate + found.filtered,
        counted_at = now()
    FROM found WHERE kept.workspace_id = found.workspace_id AND kept.minute = found.minute
      AND (kept.counted_at = '-infinity'
           OR (kept.started, kept.duplicate, kept.filtered, kept.pending, kept.is_settled)
              <> (found.started, found.duplicate, found.filtered, found.pending,
                  found.pending = 0 AND kept.accepted = found.started + found.duplicate + found.filtered))
)
SELECT (SELECT count(*) FROM chosen) < {{limit}} AND (SELECT count(*) FROM chosen) = (SELECT count(*) FROM wanted)
           AS is_over,
       (SELECT count(*) FROM wanted) AS minutes, last.workspace_id, last.minute
FROM (SELECT) AS one
LEFT JOIN (SELECT workspace_id, minute FROM wanted WHERE NOT is_new ORDER BY workspace_id DESC, minute DESC LIMIT 1)
    AS last ON true
"""  # noqa: S608 - put together of constants of this module

_DRIFT = """
SELECT coalesce(sum(abs(accepted - started - duplicate - filtered - pending)), 0)::bigint FROM ingest_minute
WHERE NOT is_settled AND minute >= $1 AND counted_at > '-infinity'
"""


class IngestSum(Struct, frozen=True, kw_only=True):
    """What became of the events of a time. `drift`: by how many the two counts differ, minute by minute."""

    accepted: int
    started: int
    duplicate: int
    filtered: int
    pending: int
    rejected: int
    drift: int


async def sum_ingest(
    reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, span: timedelta
) -> tuple[datetime, IngestSum]:
    """The accounts of a workspace as of this moment, and the full minute from which on they are."""
    row = dict(await reader.fetchrow(_SUM, workspace_id, span))
    return row.pop("since"), IngestSum(**row)


async def take_reconciliation(connection: asyncpg.Connection) -> bool:
    """Become the one that reconciles, for as long as this connection lives; False while another is."""
    return await try_lead(connection, RECONCILER_LOCK)


async def fold_tallies(connection: asyncpg.Connection) -> None:
    """Make one row a minute of what was counted before this minute."""
    await connection.execute(_FOLD)


async def recount(
    connection: asyncpg.Connection, *, settled: bool, before: datetime, most: int, since: datetime, after: Place
) -> tuple[int, Place | None]:
    """Count the receipts of minutes that were last counted before that moment, of about `most` events.

    Those that were never counted, and of the others those behind the place `after`. How many minutes they were, and the
    place to go on from, None once there is no more.
    """
    statement = _RECOUNT.format(limit=MINUTES_AT_ONCE)
    row = await connection.fetchrow(statement, settled, before, most, since, *after)
    if row["is_over"]:
        return row["minutes"], None
    return row["minutes"], after if row["workspace_id"] is None else (row["workspace_id"], row["minute"])


async def find_drift(connection: asyncpg.Connection, since: datetime) -> int:
    """By how many events acceptance and receipts differ, over all workspaces, as far as they have been counted."""
    drift: int = await connection.fetchval(_DRIFT, since)
    return drift
