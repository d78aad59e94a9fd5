"""Queries of the audit log, each within one workspace. Entries are added and read; nothing else is done to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Actor, Entry
from app.audit.tables import audit_entry, audit_head

# One statement, one round trip. The head's row is locked until the transaction ends, and read again once it is free.
_APPEND: Final = """
WITH moment AS MATERIALIZED (
    SELECT at, int8send((extract(epoch FROM at) * 1000000)::bigint) AS packed
    FROM (SELECT clock_timestamp() AS at OFFSET 0) AS now
), head AS (
    INSERT INTO audit_head AS h (workspace_id, seq, hash)
    SELECT $1, 1, sha256(uuid_send($1) || int8send(1) || packed || $2) FROM moment
    ON CONFLICT (workspace_id) DO UPDATE
    SET seq = h.seq + 1,
        hash = sha256(h.hash || int8send(h.seq + 1) || (SELECT packed FROM moment) || $2)
    RETURNING seq, hash
)
INSERT INTO audit_entry (workspace_id, seq, at, action, outcome, user_id, api_key_id, target_id, entry, hash)
SELECT $1, head.seq, moment.at, $3, $4, $5, $6, $7, $2, head.hash FROM head, moment
"""
_ACTOR: Final = """
SELECT u.id AS user_id, u.email, k.id AS api_key_id, k.name AS api_key_name
FROM user_account u LEFT JOIN api_key k ON k.id = $2
WHERE u.id = $1
"""
_PERSON: Final = """
SELECT m.workspace_id, u.id AS user_id FROM user_account u JOIN membership m ON m.user_id = u.id
WHERE u.email = $1 AND u.is_active ORDER BY m.created_at, m.workspace_id LIMIT 1
"""


class EntryFilter(Struct, frozen=True, kw_only=True):
    """Which entries are meant: those that fit in everything that is given. `action`: one, or all of a kind."""

    action: str | None = None
    outcome: str | None = None
    user_id: UUID | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


async def append_entry(connection: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, entry: Entry) -> None:
    """Add an entry to the end of the workspace's chain; others who add to it wait until this transaction ends."""
    await connection.execute(
        _APPEND,
        workspace_id,
        msgspec.json.encode(entry),
        entry.action,
        entry.outcome,
        entry.actor.user_id,
        entry.actor.api_key_id,
        None if entry.target is None else entry.target.id,
    )


async def find_actor(connection: asyncpg.Connection | asyncpg.Pool, user_id: UUID, api_key_id: UUID | None) -> Actor:
    """The names of who acts."""
    row = await connection.fetchrow(_ACTOR, user_id, api_key_id)
    return Actor(user_id=user_id, api_key_id=api_key_id) if row is None else Actor(**row)


async def find_person(connection: asyncpg.Connection | asyncpg.Pool, email: str) -> tuple[UUID, UUID] | None:
    """The workspace that a user signs in to, and the user; None where nobody active has this email."""
    row = await connection.fetchrow(_PERSON, email)
    return None if row is None else (row["workspace_id"], row["user_id"])


async def list_entries(
    connection: AsyncConnection, workspace_id: UUID, chosen: EntryFilter, *, before: int | None, limit: int
) -> Sequence[RowMapping]:
    """Entries that fit, the newest first; with `before`, those with a smaller number."""
    query = _choose(workspace_id, chosen).order_by(audit_entry.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_entry.c.seq < before)
    rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
    return rows


async def read_onwards(
    connection: AsyncConnection, workspace_id: UUID, chosen: EntryFilter, *, after: int, limit: int
) -> Sequence[RowMapping]:
    """Entries that fit, the oldest first, with a number above `after`."""
    query = _choose(workspace_id, chosen).where(audit_entry.c.seq > after)
    query = query.order_by(audit_entry.c.seq).limit(limit)
    rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
    return rows


async def find_head(connection: AsyncConnection, workspace_id: UUID) -> RowMapping | None:
    """Where the workspace's chain ends: `seq` and `hash`; None before its first entry."""
    query = select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.workspace_id == workspace_id)
    return (await connection.execute(query)).mappings().first()


def _choose(workspace_id: UUID, chosen: EntryFilter) -> Select[Any]:
    column = audit_entry.c
    query = select(audit_entry).where(column.workspace_id == workspace_id)
    if chosen.action is not None:
        is_one = "." in chosen.action
        query = query.where(
            column.action == chosen.action if is_one else func.split_part(column.action, ".", 1) == chosen.action
        )
    for name in ("outcome", "user_id", "target_id"):
        if (value := getattr(chosen, name)) is not None:
            query = query.where(column[name] == value)
    if chosen.since is not None:
        query = query.where(column.at >= chosen.since)
    if chosen.until is not None:
        query = query.where(column.at < chosen.until)
    if chosen.q is not None:
        text = func.lower(func.convert_from(column.entry, "UTF8"))
        query = query.where(func.strpos(text, func.lower(chosen.q)) > 0)
    return query
