"""The SQL of accepting events that start no run now: those that a filter leaves out, and those that are held back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from engine.store.starts import STALE, Accepted, Repeat, find_first

# Of each trigger, so many of the last payloads that its filter left out are kept, and for a moment a few more.
KEPT_PAYLOADS = 20

HoldKind = Literal["throttle", "debounce", "batch"]

# As with starts, what the event was made from is checked here, and a dedup key is taken by what is held back. What a
# filter leaves out takes none: once the filter is mended, the same event may come again.
# Everybody takes keys and locks groups in their order, so that no two wait for each other. Of two events with one key,
# the one that came first is kept. An event takes its place once its group is locked: whoever has locked the group sees
# every event before a place that it sees.
_KEEP = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
                         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::float8[],
                         $14::bytea[], $15::text[]) WITH ORDINALITY
        AS given (event_id, workspace_id, workflow_id, trigger_id, trigger_updated_at, at, outcome, reason, dedup_key,
                  kind, key, size, period_seconds, trigger, traceparent, place)
), known AS MATERIALIZED (
    SELECT id AS event_id, outcome FROM inbound_event WHERE id IN (SELECT event_id FROM given)
), current AS MATERIALIZED (
    SELECT given.* FROM given
    JOIN workflow ON workflow.id = given.workflow_id AND workflow.deleted_at IS NULL AND workflow.enabled
        AND workflow.published_version IS NOT NULL
    JOIN workflow_trigger AS origin ON origin.id = given.trigger_id AND origin.enabled
        AND origin.updated_at = given.trigger_updated_at
    WHERE given.event_id NOT IN (SELECT event_id FROM known)
), fresh AS (
    INSERT INTO dedup_key (scope, key, event_id)
    SELECT trigger_id, dedup_key, event_id FROM current WHERE dedup_key IS NOT NULL AND outcome = 'pending'
    ORDER BY trigger_id, dedup_key, place
    ON CONFLICT (scope, key) DO NOTHING RETURNING event_id
), accepted AS MATERIALIZED (
    SELECT current.* FROM current LEFT JOIN fresh USING (event_id)
    WHERE current.dedup_key IS NULL OR current.outcome = 'filtered' OR fresh.event_id IS NOT NULL
), receipts AS (
    INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, reason, dedup_key, received_at, is_tallied)
    SELECT event_id, workspace_id, trigger_id, outcome, reason, dedup_key, at, true FROM accepted
), tally AS (
    INSERT INTO ingest_tally (workspace_id, minute, accepted)
    SELECT workspace_id, date_trunc('minute', at), count(*) FROM accepted GROUP BY 1, 2
), payloads AS (
    INSERT INTO filtered_payload (event_id, trigger_id, payload)
    SELECT event_id, trigger_id, trigger FROM accepted WHERE outcome = 'filtered' AND trigger <> ''
), trimmed AS (
    DELETE FROM filtered_payload WHERE event_id IN (
        SELECT old.event_id FROM (SELECT DISTINCT trigger_id FROM accepted WHERE outcome = 'filtered') AS origin
        CROSS JOIN LATERAL (
            SELECT event_id FROM filtered_payload WHERE filtered_payload.trigger_id = origin.trigger_id
            ORDER BY event_id DESC OFFSET {KEPT_PAYLOADS} LIMIT 1
        ) AS newest
        JOIN filtered_payload AS old ON old.trigger_id = origin.trigger_id AND old.event_id <= newest.event_id
        FOR UPDATE OF old SKIP LOCKED)
), groups AS (
    INSERT INTO held_group (trigger_id, kind, key, workspace_id, workflow_id, size, period_seconds, waiting,
                            first_at, last_at, due_at)
    SELECT trigger_id, kind, key, workspace_id, workflow_id, size, period_seconds, count(*), min(at), max(at),
           CASE WHEN kind = 'throttle' OR kind = 'batch' AND count(*) >= size THEN max(at)
                WHEN kind = 'debounce' THEN max(at) + period_seconds * interval '1 second'
                ELSE min(at) + period_seconds * interval '1 second' END
    FROM accepted WHERE outcome = 'pending'
    GROUP BY trigger_id, kind, key, workspace_id, workflow_id, size, period_seconds
    ORDER BY trigger_id, kind, key
    ON CONFLICT (trigger_id, kind, key) DO UPDATE SET
        size = excluded.size,
        period_seconds = excluded.period_seconds,
        waiting = held_group.waiting + excluded.waiting,
        first_at = CASE WHEN held_group.waiting = 0 THEN excluded.first_at
                        ELSE least(held_group.first_at, excluded.first_at) END,
        last_at = greatest(held_group.last_at, excluded.last_at),
        due_at = CASE
            WHEN excluded.kind = 'throttle' AND held_group.waiting > 0 THEN held_group.due_at
            WHEN excluded.kind = 'throttle' THEN least(held_group.due_at, excluded.due_at)
            WHEN excluded.kind = 'debounce' THEN greatest(held_group.last_at, excluded.last_at)
                + excluded.period_seconds * interval '1 second'
            WHEN held_group.waiting + excluded.waiting >= excluded.size THEN least(held_group.due_at, excluded.last_at)
            ELSE held_group.due_at END
    RETURNING trigger_id, kind, key
), events AS (
    INSERT INTO held_event (event_id, trigger_id, kind, key, dedup_key, traceparent, trigger)
    SELECT event_id, trigger_id, kind, key, dedup_key, traceparent, trigger
    FROM accepted JOIN groups USING (trigger_id, kind, key) ORDER BY place
)
SELECT event_id, outcome <> 'duplicate' AS is_kept FROM known UNION ALL
SELECT current.event_id, accepted.event_id IS NOT NULL FROM current LEFT JOIN accepted USING (event_id)
"""  # noqa: S608 - put together of constants of this module


class Hold(Struct, frozen=True, kw_only=True):
    """How an event is held back: with the others of its key, by the rule of its kind."""

    kind: HoldKind
    key: str
    size: int
    period_seconds: float


class Kept(Struct, frozen=True, kw_only=True):
    """An event that is accepted without a run: filtered, or pending where it is held.

    Its trigger must be enabled and as it was at `trigger_updated_at`. `trigger` is the JSON that its run will see; of a
    filtered one, what is shown to people.
    """

    event_id: UUID
    workspace_id: UUID
    workflow_id: UUID
    trigger_id: UUID
    trigger_updated_at: datetime
    at: datetime
    hold: Hold | None = None
    reason: str | None = None
    dedup_key: str | None = None
    trigger: bytes = b""
    traceparent: str | None = None


async def keep_events(connection: asyncpg.Connection, events: Sequence[Kept]) -> list[Accepted]:
    """Make the receipts durable in one commit, with what is held back; the outcomes in the order of `events`.

    May be repeated after a lost answer: what is there already is neither written nor counted again.
    """
    columns = zip(*(_row(event) for event in _without_old_payloads(events)), strict=True)
    is_kept = {row["event_id"]: row["is_kept"] for row in await connection.fetch(_KEEP, *columns)}
    repeats = [event for event in events if is_kept.get(event.event_id) is False]
    outcomes = await find_first(connection, [_as_repeat(event) for event in repeats]) if repeats else {}
    missed = [event for event in repeats if event.event_id not in outcomes]
    if missed:
        again = await keep_events(connection, missed)
        outcomes |= {event.event_id: outcome for event, outcome in zip(missed, again, strict=True)}
    return [_kept(event) if is_kept.get(event.event_id) else outcomes.get(event.event_id, STALE) for event in events]


def _without_old_payloads(events: Sequence[Kept]) -> list[Kept]:
    """The events without the payloads that would be trimmed at once: a flood need not be written only for that."""
    left: dict[UUID, int] = {}
    slim = []
    for event in reversed(events):
        if event.hold is None:
            left[event.trigger_id] = left.get(event.trigger_id, KEPT_PAYLOADS) - 1
            if left[event.trigger_id] < 0:
                slim.append(msgspec.structs.replace(event, trigger=b""))
                continue
        slim.append(event)
    return slim[::-1]


def _kept(event: Kept) -> Accepted:
    return Accepted(run_id=None, outcome="filtered" if event.hold is None else "pending")


def _as_repeat(event: Kept) -> Repeat:
    return Repeat(
        scope=event.trigger_id,
        key=event.dedup_key,
        new_id=event.event_id,
        event_id=event.event_id,
        workspace_id=event.workspace_id,
        at=event.at,
    )


def _row(event: Kept) -> tuple[object, ...]:
    hold = event.hold
    return (
        event.event_id,
        event.workspace_id,
        event.workflow_id,
        event.trigger_id,
        event.trigger_updated_at,
        event.at,
        "filtered" if hold is None else "pending",
        event.reason,
        event.dedup_key,
        hold and hold.kind,
        hold and hold.key,
        hold and hold.size,
        hold and hold.period_seconds,
        event.trigger,
        event.traceparent,
    )
