"""The SQL of retention: what is old is deleted in small batches, each a transaction of its own.

Every function deletes up to `limit` rows and says how many they were: fewer than `limit` means that nothing is left.
"""

from datetime import datetime
from uuid import UUID

import asyncpg

from engine.infra.ids import floor_id
from engine.store.leadership import try_lead

RETENTION_LOCK = 0x46_46_52_54

NO_RUN = UUID(int=0)

# A message from a child may refer to an output that the child keeps: nothing goes while there is an old one.
_ENDED = """
SELECT id FROM {run} WHERE id > $1 AND id < $2 AND finished_at < $3
  AND NOT EXISTS (SELECT FROM inbox WHERE kind = 'child' AND created_at < $3)
ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
"""

# By ids that are known, so that only keys are looked up however large the tables are.
_FORGET = (
    "DELETE FROM journal WHERE run_id = ANY ($1::uuid[])",
    "DELETE FROM payload WHERE run_id = ANY ($1::uuid[])",
    "DELETE FROM approval WHERE run_id = ANY ($1::uuid[])",
    "DELETE FROM inbox WHERE run_id = ANY ($1::uuid[])",
    "DELETE FROM run WHERE id = ANY ($1::uuid[])",
)

# Rows that found no partition of theirs, of runs that have been dropped with one.
_STRAYS = """
WITH stray AS MATERIALIZED (
    SELECT ctid FROM {table}_default AS row
    WHERE row.run_id < $1 AND NOT EXISTS (SELECT FROM run WHERE run.id = row.run_id) LIMIT $2
)
DELETE FROM {table}_default USING stray WHERE {table}_default.ctid = stray.ctid
"""

_OF_DROPPED = """
DELETE FROM {table} WHERE id IN (
    SELECT row.id FROM {table} AS row
    WHERE row.run_id < $1 AND NOT EXISTS (SELECT FROM run WHERE run.id = row.run_id)
    ORDER BY row.run_id LIMIT $2)
"""

_RECEIPTS = """
DELETE FROM inbound_event WHERE id IN (
    SELECT id FROM inbound_event WHERE id < $1 AND outcome <> 'pending'
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_MINUTES = """
DELETE FROM ingest_minute WHERE (workspace_id, minute) IN (
    SELECT workspace_id, minute FROM ingest_minute WHERE minute < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_FILTERED_PAYLOADS = """
DELETE FROM filtered_payload WHERE event_id IN (
    SELECT event_id FROM filtered_payload WHERE event_id < $1 ORDER BY event_id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

# The scope of a child's key is its parent, which must find its child for as long as it may start it.
_DEDUP_KEYS = """
WITH old AS MATERIALIZED (
    SELECT ctid FROM dedup_key
    WHERE created_at < $1
      AND NOT EXISTS (SELECT FROM run WHERE run.id = dedup_key.scope AND run.finished_at IS NULL)
    LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM dedup_key USING old WHERE dedup_key.ctid = old.ctid
"""

_IDEMPOTENCY_KEYS = """
WITH old AS MATERIALIZED (
    SELECT ctid FROM idempotency_key WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_key USING old WHERE idempotency_key.ctid = old.ctid
"""

_EVENT_LINES = """
DELETE FROM event_line WHERE root IN (
    SELECT root FROM event_line WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_INVITATIONS = """
DELETE FROM invitation WHERE id IN (
    SELECT id FROM invitation WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

# With their refresh tokens. A token is kept until it has expired even when it was used, so that its theft is noticed.
_SESSIONS = """
DELETE FROM user_session WHERE id IN (
    SELECT id FROM user_session WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_REFRESH_TOKENS = """
DELETE FROM refresh_token WHERE token_hash IN (
    SELECT token_hash FROM refresh_token WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

# A retired key verifies nothing: it is of no use to anybody.
_SIGNING_KEYS = """
DELETE FROM signing_key WHERE kid IN (
    SELECT kid FROM signing_key WHERE retired_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_WORKERS = """
DELETE FROM worker WHERE id IN (
    SELECT id FROM worker
    WHERE NOT alive AND heartbeat_at < $1 AND NOT EXISTS (SELECT FROM run WHERE run.owner = worker.id)
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

# A draft is touched whenever it is tested: one that is older than the oldest run was tested by none that is kept.
_DRAFTS = """
DELETE FROM workflow_version WHERE id IN (
    SELECT id FROM workflow_version WHERE version = 0 AND created_at < $1
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def take_retention(connection: asyncpg.Connection) -> bool:
    """Become the one that deletes, for as long as this connection lives; False while another is."""
    return await try_lead(connection, RETENTION_LOCK)


async def delete_runs(
    connection: asyncpg.Connection, partition: str, before: datetime, *, after: UUID, limit: int
) -> list[UUID]:
    """Delete runs of the partition that ended before that moment, with all that is theirs, in order from `after` on.

    The ids of those that were deleted. One that somebody has locked at this moment stays, for another time.
    """
    query = _ENDED.format(run=f"run_{partition}")
    async with connection.transaction():
        ids = [row["id"] for row in await connection.fetch(query, after, floor_id(before), before, limit)]
        if ids:
            for statement in _FORGET:
                await connection.execute(statement, ids)
    return ids


async def delete_strays(connection: asyncpg.Connection, table: str, before: datetime, limit: int) -> int:
    """Delete rows of `journal` or `payload` in the default partition whose runs are gone."""
    return _count(await connection.execute(_STRAYS.format(table=table), floor_id(before), limit))


async def delete_of_dropped(connection: asyncpg.Connection, table: str, before: datetime, limit: int) -> int:
    """Delete the rows of `approval` or `inbox` whose runs were dropped with their partition."""
    return _count(await connection.execute(_OF_DROPPED.format(table=table), floor_id(before), limit))


async def delete_receipts(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete receipts of inbound events that came before that moment."""
    return _count(await connection.execute(_RECEIPTS, floor_id(before), limit))


async def delete_minutes(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete the accounts of minutes before that moment."""
    return await _delete_of_new_table(connection, _MINUTES, before, limit)


async def delete_filtered_payloads(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete the payloads of filtered events that came before that moment."""
    return await _delete_of_new_table(connection, _FILTERED_PAYLOADS, floor_id(before), limit)


async def delete_dedup_keys(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete deduplication keys, but for those by which unfinished runs find their children."""
    return _count(await connection.execute(_DEDUP_KEYS, before, limit))


async def delete_idempotency_keys(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete idempotency keys, with the answers kept for them."""
    return _count(await connection.execute(_IDEMPOTENCY_KEYS, before, limit))


async def delete_event_lines(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete the counts of what followed from events that came before that moment."""
    return await _delete_of_new_table(connection, _EVENT_LINES, before, limit)


async def delete_invitations(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete invitations that expired before that moment, whatever became of them."""
    return await _delete_of_new_table(connection, _INVITATIONS, before, limit)


async def delete_sessions(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete sessions that expired before that moment, with their refresh tokens."""
    return _count(await connection.execute(_SESSIONS, before, limit))


async def delete_refresh_tokens(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete refresh tokens that expired before that moment, of sessions that go on."""
    return _count(await connection.execute(_REFRESH_TOKENS, before, limit))


async def delete_signing_keys(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete signing keys that were retired before that moment."""
    return _count(await connection.execute(_SIGNING_KEYS, before, limit))


async def delete_workers(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete worker incarnations that have been dead since before that moment and own nothing."""
    return _count(await connection.execute(_WORKERS, before, limit))


async def delete_drafts(connection: asyncpg.Connection, before: datetime, limit: int) -> int:
    """Delete drafts that were last tested before that moment."""
    return _count(await connection.execute(_DRAFTS, before, limit))


async def find_first_run(connection: asyncpg.Connection) -> UUID | None:
    """The first run of all that are kept, by id."""
    found: UUID | None = await connection.fetchval("SELECT id FROM run ORDER BY id LIMIT 1")
    return found


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


async def _delete_of_new_table(
    connection: asyncpg.Connection, statement: str, before: datetime | UUID, limit: int
) -> int:
    """How many rows went; none while a migration has yet to make the table."""
    try:
        return _count(await connection.execute(statement, before, limit))
    except asyncpg.UndefinedTableError:
        return 0
