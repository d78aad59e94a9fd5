"""The SQL of accepting: runs, their first journal row, their receipts and outbox messages, many in one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from msgspec import Struct

# Callers work from cached versions and triggers, so that what they saw is checked here: a start that is not current
# inserts nothing. Nor does one whose dedup key is taken; of two in one batch under one key the first wins. Everybody
# takes keys in their order, so that no two wait for each other.
_STATEMENT = """
WITH start AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::text[],
                         $8::timestamptz[], $9::bytea[], $10::bytea[], $11::text[], $12::uuid[], $13::uuid[],
                         $14::text[], $15::bytea[], $16::timestamptz[], $17::bool[], $18::uuid[], $19::text[],
                         $20::smallint[], $21::uuid[], $22::bool[]) WITH ORDINALITY
        AS start (run_id, workspace_id, workflow_id, version_id, version, trigger_id, trigger_type, at, queued,
                  message, traceparent, event_id, scope, key, fingerprint, trigger_updated_at, is_pinned,
                  parent_run_id, parent_step, depth, origin_run_id, is_test, place)
), current AS MATERIALIZED (
    SELECT start.* FROM start
    JOIN workflow ON workflow.id = start.workflow_id AND workflow.deleted_at IS NULL
        AND (start.is_pinned OR workflow.published_version = start.version)
    LEFT JOIN workflow_trigger AS origin ON origin.id = start.trigger_id
    WHERE start.trigger_id IS NULL
        OR (workflow.enabled AND origin.enabled AND origin.updated_at = start.trigger_updated_at)
), fresh AS (
    INSERT INTO dedup_key (scope, key, fingerprint, event_id, run_id)
    SELECT scope, key, fingerprint, event_id, run_id FROM current WHERE key IS NOT NULL
    ORDER BY scope, key, place
    ON CONFLICT (scope, key) DO NOTHING RETURNING run_id
), accepted AS MATERIALIZED (
    SELECT current.* FROM current LEFT JOIN fresh USING (run_id)
    WHERE current.key IS NULL OR fresh.run_id IS NOT NULL
), runs AS (
    INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_id, trigger_type, status, created_at,
                     parent_run_id, parent_step, depth, origin_run_id, is_test)
    SELECT run_id, workspace_id, workflow_id, version_id, version, trigger_id, trigger_type, 'queued', at,
           parent_run_id, parent_step, depth, origin_run_id, is_test
    FROM accepted
), history AS (
    INSERT INTO journal (run_id, seq, kind, at, payload) SELECT run_id, 1, 'run.queued', at, queued FROM accepted
), receipts AS (
    INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, run_id, dedup_key, received_at, is_tallied)
    SELECT event_id, workspace_id, trigger_id, 'started', run_id, key, at, true FROM accepted WHERE event_id IS NOT NULL
), tally AS (
    INSERT INTO ingest_tally (workspace_id, minute, accepted)
    SELECT workspace_id, date_trunc('minute', at), count(*) FROM accepted WHERE event_id IS NOT NULL GROUP BY 1, 2
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, traceparent, payload)
    SELECT 'dispatch', workspace_id, run_id, traceparent, message FROM accepted
)
SELECT current.run_id, accepted.run_id IS NOT NULL AS is_made{ring} FROM current LEFT JOIN accepted USING (run_id)
"""
_ACCEPT = _STATEMENT.replace("{ring}", "")
# The relay rings for a run that is named before it reads the row.
_ACCEPT_AND_RING = _STATEMENT.replace(
    "{ring}",
    """, CASE WHEN accepted.run_id IS NOT NULL THEN
        pg_notify('flowforge_outbox', current.run_id::text || coalesce(' ' || current.traceparent, '')) END""",
)

# A batch whose answer was lost is written again: its receipts may be there already, and are counted once.
_DUPLICATES = """
WITH repeat AS (
    SELECT repeat.*, dedup_key.run_id, dedup_key.fingerprint
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[])
        AS repeat (scope, key, new_id, event_id, workspace_id, at)
    JOIN dedup_key USING (scope, key)
), receipts AS (
    INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, run_id, dedup_key, received_at, is_tallied)
    SELECT event_id, workspace_id, scope, 'duplicate', run_id, key, at, true FROM repeat WHERE event_id IS NOT NULL
    ON CONFLICT (id) DO NOTHING RETURNING id
), tally AS (
    INSERT INTO ingest_tally (workspace_id, minute, accepted)
    SELECT workspace_id, date_trunc('minute', at), count(*) FROM repeat
    WHERE event_id IN (SELECT id FROM receipts) GROUP BY 1, 2
)
SELECT new_id, run_id, fingerprint FROM repeat
"""


class Start(Struct, frozen=True, kw_only=True):
    """A run to be accepted.

    `queued` is the JSON of its first journal event, `message` that of its outbox message. With `key` the start is
    deduplicated within `scope`; `event_id` makes a receipt of the trigger's inbound event. The version must be the
    published one unless it `is_pinned`, and the trigger enabled and as it was at `trigger_updated_at`. `parent_*` tell
    whose step started it and how deep, `origin_run_id` which run it repeats.
    """

    run_id: UUID
    workspace_id: UUID
    workflow_id: UUID
    version_id: UUID
    version: int
    trigger_id: UUID | None
    trigger_type: str
    at: datetime
    queued: bytes
    message: bytes
    traceparent: str | None = None
    event_id: UUID | None = None
    scope: UUID | None = None
    key: str | None = None
    fingerprint: bytes | None = None
    trigger_updated_at: datetime | None = None
    is_pinned: bool = False
    parent_run_id: UUID | None = None
    parent_step: str | None = None
    depth: int = 0
    origin_run_id: UUID | None = None
    is_test: bool = False


class Repeat(Struct, frozen=True, kw_only=True):
    """What came under a key that is taken; `new_id` tells it apart, `event_id` makes a receipt."""

    scope: UUID | None
    key: str | None
    new_id: UUID
    event_id: UUID | None
    workspace_id: UUID
    at: datetime


class Accepted(Struct, frozen=True, kw_only=True):
    """What became of a start: the run that it made, or the one that an earlier start with its key had made.

    A `stale` one was made from what is no longer current: read anew and try again. An event that is kept without a run
    is `pending` or `filtered`; the first one of a `duplicate` may be so, too, and then there is no run.
    """

    run_id: UUID | None
    outcome: Literal["started", "duplicate", "filtered", "pending", "stale"] = "started"
    fingerprint: bytes | None = None

    @property
    def is_duplicate(self) -> bool:
        """Whether something came under this key before."""
        return self.outcome == "duplicate"


STALE = Accepted(run_id=None, outcome="stale")


async def accept_starts(
    connection: asyncpg.Connection, starts: Sequence[Start], *, rings: bool = False
) -> list[Accepted]:
    """Make the runs durable in one commit; the outcomes in the order of `starts`.

    `rings`: the commit itself rings the outbox's bell, and names its runs.
    """
    columns = [[getattr(start, field) for start in starts] for field in _COLUMNS]
    statement = _ACCEPT_AND_RING if rings else _ACCEPT
    is_made = {row["run_id"]: row["is_made"] for row in await connection.fetch(statement, *columns)}
    repeats = [start for start in starts if is_made.get(start.run_id) is False]
    outcomes = await find_first(connection, [_as_repeat(start) for start in repeats]) if repeats else {}
    # A key that was taken a moment ago may have expired since: then the start is no repeat after all.
    missed = [start for start in repeats if start.run_id not in outcomes]
    if missed:
        again = await accept_starts(connection, missed)
        outcomes |= {start.run_id: outcome for start, outcome in zip(missed, again, strict=True)}
    return [
        Accepted(run_id=start.run_id) if is_made.get(start.run_id) else outcomes.get(start.run_id, STALE)
        for start in starts
    ]


async def find_accepted(connection: asyncpg.Connection, run_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these runs exist: the question after a commit whose answer was lost."""
    return {row["id"] for row in await connection.fetch("SELECT id FROM run WHERE id = ANY ($1)", list(run_ids))}


async def find_by_key(connection: asyncpg.Connection | asyncpg.Pool, scope: UUID, key: str) -> UUID | None:
    """The run that was started under a key of this scope; None where none was, or the key has gone."""
    run_id: UUID | None = await connection.fetchval(
        "SELECT run_id FROM dedup_key WHERE scope = $1 AND key = $2", scope, key
    )
    return run_id


async def read_clock(connection: asyncpg.Connection) -> datetime:
    """The database's time."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


def _as_repeat(start: Start) -> Repeat:
    return Repeat(
        scope=start.scope,
        key=start.key,
        new_id=start.run_id,
        event_id=start.event_id,
        workspace_id=start.workspace_id,
        at=start.at,
    )


async def find_first(connection: asyncpg.Connection, repeats: Sequence[Repeat]) -> dict[UUID, Accepted]:
    """Write the receipts of repeats, and tell what the first under their key became, by `new_id`.

    One whose key has gone meanwhile is left out: it is no repeat.
    """
    columns = [[getattr(repeat, field) for repeat in repeats] for field in _REPEAT_COLUMNS]
    return {
        row["new_id"]: Accepted(run_id=row["run_id"], outcome="duplicate", fingerprint=row["fingerprint"])
        for row in await connection.fetch(_DUPLICATES, *columns)
    }


_REPEAT_COLUMNS = ("scope", "key", "new_id", "event_id", "workspace_id", "at")

_COLUMNS = (
    "run_id",
    "workspace_id",
    "workflow_id",
    "version_id",
    "version",
    "trigger_id",
    "trigger_type",
    "at",
    "queued",
    "message",
    "traceparent",
    "event_id",
    "scope",
    "key",
    "fingerprint",
    "trigger_updated_at",
    "is_pinned",
    "parent_run_id",
    "parent_step",
    "depth",
    "origin_run_id",
    "is_test",
)
