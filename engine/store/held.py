"""The SQL of releasing events that are held back: a group is locked by one, changed, and its receipts say what came."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from msgspec import Struct

RELEASER_LOCK = 0x46_46_48_4C

_NEXT = """
SELECT CASE WHEN EXISTS (SELECT FROM held_review) OR EXISTS (SELECT FROM held_remainder) THEN 0
    ELSE (SELECT extract(epoch FROM min(due_at) - now()) FROM held_group WHERE due_at < 'infinity') END::float8
"""

# One that somebody has locked at this moment is due a moment later as well, and so is one whose last release is not
# written to its end.
_TAKE = """
SELECT held.trigger_id, held.kind, held.key, held.workspace_id, held.workflow_id, held.size, held.period_seconds,
       held.waiting, held.first_at, held.last_at, held.due_at, held.starts, now() AS now,
       origin.id IS NULL OR workflow.deleted_at IS NOT NULL AS is_gone,
       origin.enabled AND workflow.enabled AND version.id IS NOT NULL AS is_live,
       origin.config, origin.type, origin.updated_at, workflow.name AS workflow_name,
       version.id AS version_id, version.version
FROM held_group AS held
LEFT JOIN workflow_trigger AS origin ON origin.id = held.trigger_id
LEFT JOIN workflow ON workflow.id = held.workflow_id
LEFT JOIN workflow_version AS version
    ON version.workflow_id = workflow.id AND version.version = workflow.published_version AND version.version > 0
WHERE held.due_at <= now() AND ($2::uuid IS NULL OR (held.trigger_id, held.kind, held.key) = ($2, $3, $4))
  AND NOT EXISTS (SELECT FROM held_remainder AS rest
      WHERE (rest.trigger_id, rest.kind, rest.key) = (held.trigger_id, held.kind, held.key))
ORDER BY held.due_at LIMIT $1 FOR UPDATE OF held SKIP LOCKED
"""

# The first events of each group, up to a number and a size, but one at least. One more row tells what is next. Of the
# groups beyond a size of all together nothing is read: sizes are known without reading what is large.
_FIRST = """
SELECT number AS group_number, event_id, traceparent, place,
       CASE WHEN is_taken AND (number = 1 OR total <= $6) THEN trigger END AS trigger
FROM (
    SELECT *, sum(octet_length(trigger)) FILTER (WHERE is_taken) OVER (ORDER BY number) AS total
    FROM (
        SELECT wanted.number, found.event_id, found.traceparent, found.trigger, found.place,
               found.number = 1 OR found.number <= wanted.most AND found.reached <= $5 AS is_taken
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) WITH ORDINALITY
            AS wanted (trigger_id, kind, key, most, number)
        CROSS JOIN LATERAL (
            SELECT event_id, place, traceparent, trigger, row_number() OVER in_order AS number,
                   sum(octet_length(trigger)) OVER in_order AS reached
            FROM held_event AS held
            WHERE held.trigger_id = wanted.trigger_id AND held.kind = wanted.kind AND held.key = wanted.key
            WINDOW in_order AS (ORDER BY place) ORDER BY place LIMIT wanted.most + 1
        ) AS found
    ) AS marked
) AS summed
ORDER BY number, place
"""

_LAST = """
SELECT event_id, traceparent, trigger, place FROM held_event
WHERE trigger_id = $1 AND kind = $2 AND key = $3 ORDER BY place DESC LIMIT 1
"""

_STARTED = """
WITH released AS (
    DELETE FROM held_event USING unnest($1::uuid[], $2::uuid[]) AS given (event_id, run_id)
    WHERE held_event.event_id = given.event_id
    RETURNING held_event.event_id, held_event.trigger_id, held_event.dedup_key, given.run_id
), keys AS (
    UPDATE dedup_key SET run_id = released.run_id FROM released
    WHERE dedup_key.scope = released.trigger_id AND dedup_key.key = released.dedup_key
      AND dedup_key.event_id = released.event_id
)
UPDATE inbound_event AS receipt SET outcome = 'started', run_id = released.run_id FROM released
WHERE receipt.id = released.event_id AND receipt.outcome = 'pending'
"""

_GROUP_STARTED = """
WITH released AS (
    DELETE FROM held_event WHERE trigger_id = $1 AND kind = $2 AND key = $3
    RETURNING event_id, trigger_id, dedup_key
), keys AS (
    UPDATE dedup_key SET run_id = $4 FROM released
    WHERE dedup_key.scope = released.trigger_id AND dedup_key.key = released.dedup_key
      AND dedup_key.event_id = released.event_id
), receipts AS (
    UPDATE inbound_event AS receipt SET outcome = 'started', run_id = $4 FROM released
    WHERE receipt.id = released.event_id AND receipt.outcome = 'pending'
)
SELECT count(*) FROM released
"""

_COUNT = """
SELECT id, (SELECT count(*) FROM (SELECT FROM held_event WHERE trigger_id = wanted.id LIMIT $2) AS held)
FROM unnest($1::uuid[]) AS wanted (id)
"""

_OF_GROUP = """
SELECT event_id FROM held_event WHERE trigger_id = $1 AND kind = $2 AND key = $3 ORDER BY place LIMIT $4
"""

_DISCARDED = """
WITH released AS (DELETE FROM held_event WHERE event_id = ANY ($1::uuid[]) RETURNING event_id)
UPDATE inbound_event AS receipt SET outcome = 'filtered', reason = $2 FROM released
WHERE receipt.id = released.event_id AND receipt.outcome = 'pending'
"""

_MOVE = """
UPDATE held_group AS held SET
    waiting = given.waiting, size = given.size, period_seconds = given.period_seconds, first_at = given.first_at,
    due_at = given.due_at, starts = (SELECT coalesce(array_agg(moment::timestamptz), '{}')
        FROM unnest(string_to_array(nullif(given.starts, ''), ',')) AS moment)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[], $6::float8[], $7::timestamptz[],
            $8::timestamptz[], $9::text[])
    AS given (trigger_id, kind, key, waiting, size, period_seconds, first_at, due_at, starts)
WHERE held.trigger_id = given.trigger_id AND held.kind = given.kind AND held.key = given.key
"""

_FORGET = """
DELETE FROM held_group AS held USING unnest($1::uuid[], $2::text[], $3::text[]) AS given (trigger_id, kind, key)
WHERE held.trigger_id = given.trigger_id AND held.kind = given.kind AND held.key = given.key
"""


# Only the time: by its rule nothing has changed.
_PAUSE = """
UPDATE held_group AS held SET due_at = 'infinity'
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (trigger_id, kind, key)
WHERE held.trigger_id = given.trigger_id AND held.kind = given.kind AND held.key = given.key
"""


class HeldGroup(Struct, frozen=True, kw_only=True):
    """A group that is due, locked, with its trigger as it is now, and the version that this starts.

    `is_gone`: the trigger or the workflow was deleted. `is_live`: it may start runs now.
    """

    trigger_id: UUID
    kind: str
    key: str
    workspace_id: UUID
    workflow_id: UUID
    size: int
    period_seconds: float
    waiting: int
    first_at: datetime
    last_at: datetime
    due_at: datetime
    starts: list[datetime]
    now: datetime
    is_gone: bool
    is_live: bool | None
    config: bytes | None
    type: str | None
    updated_at: datetime | None
    workflow_name: str | None
    version_id: UUID | None
    version: int | None


class HeldEvent(NamedTuple):
    """An event of a group; without `trigger` it is the one that comes after those that were asked for."""

    event_id: UUID
    traceparent: str | None
    trigger: bytes | None
    place: int


class GroupMove(Struct, frozen=True, kw_only=True):
    """What a group is after a release; without `due_at` nothing is left of it."""

    trigger_id: UUID
    kind: str
    key: str
    waiting: int
    size: int
    period_seconds: float
    first_at: datetime
    due_at: datetime | None
    starts: Sequence[datetime]


async def find_next_release(connection: asyncpg.Connection, timeout: float) -> float | None:
    """Seconds until the next group is due, None where none is held."""
    seconds: float | None = await connection.fetchval(_NEXT, timeout=timeout)
    return seconds


async def take_groups(
    connection: asyncpg.Connection, limit: int, only: tuple[UUID, str, str] | None = None
) -> list[HeldGroup]:
    """Lock groups that are due, the most overdue first, within a transaction; those that others have are left out."""
    return [HeldGroup(**row) for row in await connection.fetch(_TAKE, limit, *(only or (None, None, None)))]


async def read_first_events(
    connection: asyncpg.Connection, groups: Sequence[HeldGroup], most: Sequence[int], most_bytes: tuple[int, int]
) -> list[list[HeldEvent]]:
    """The first events of each group: up to so many, one at least, and after them the next one.

    `most_bytes`: of one group, and of all together; of the groups beyond that no event has its trigger.
    """
    found: list[list[HeldEvent]] = [[] for _ in groups]
    columns = zip(*((group.trigger_id, group.kind, group.key) for group in groups), strict=True)
    for row in await connection.fetch(_FIRST, *columns, list(most), *most_bytes):
        found[row["group_number"] - 1].append(_read_event(row))
    return found


async def read_last_event(connection: asyncpg.Connection, group: HeldGroup) -> HeldEvent | None:
    """The last event of a group."""
    row = await connection.fetchrow(_LAST, group.trigger_id, group.kind, group.key)
    return None if row is None else _read_event(row)


def _read_event(row: asyncpg.Record) -> HeldEvent:
    return HeldEvent(row["event_id"], row["traceparent"], row["trigger"], row["place"])


async def list_held(connection: asyncpg.Connection, group: HeldGroup, limit: int) -> list[UUID]:
    """The first events of a group by their ids."""
    rows = await connection.fetch(_OF_GROUP, group.trigger_id, group.kind, group.key, limit)
    return [row["event_id"] for row in rows]


async def count_held(connection: asyncpg.Connection, trigger_ids: Sequence[UUID], most: int) -> dict[UUID, int]:
    """How many events each of the triggers holds back, counted up to `most`."""
    return {row["id"]: row["count"] for row in await connection.fetch(_COUNT, list(trigger_ids), most)}


async def mark_started(connection: asyncpg.Connection, runs: Sequence[tuple[UUID, UUID]]) -> None:
    """Hold these events no longer: each has started the run beside it, as its receipt and its dedup key say now."""
    await connection.execute(_STARTED, [event_id for event_id, _ in runs], [run_id for _, run_id in runs])


async def mark_group_started(connection: asyncpg.Connection, group: HeldGroup, run_id: UUID) -> int:
    """Hold no event of the group any longer: all have started this run; how many they were."""
    count: int = await connection.fetchval(_GROUP_STARTED, group.trigger_id, group.kind, group.key, run_id)
    return count


async def discard(connection: asyncpg.Connection, event_ids: Sequence[UUID], reason: str) -> None:
    """Hold these events no longer: they start nothing, and their receipts say why."""
    await connection.execute(_DISCARDED, list(event_ids), reason)


async def move_groups(connection: asyncpg.Connection, moves: Sequence[GroupMove]) -> None:
    """Write what groups are after a release; those of which nothing is left go."""
    kept = [move for move in moves if move.due_at is not None]
    over = [move for move in moves if move.due_at is None]
    if kept:
        await connection.execute(
            _MOVE,
            *zip(
                *(
                    (
                        move.trigger_id,
                        move.kind,
                        move.key,
                        move.waiting,
                        move.size,
                        move.period_seconds,
                        move.first_at,
                        move.due_at,
                        ",".join(start.isoformat() for start in move.starts),
                    )
                    for move in kept
                ),
                strict=True,
            ),
        )
    if over:
        await connection.execute(_FORGET, *zip(*((m.trigger_id, m.kind, m.key) for m in over), strict=True))


async def pause_groups(connection: asyncpg.Connection, groups: Sequence[HeldGroup]) -> None:
    """Look at these groups no more until their trigger or workflow is changed."""
    if groups:
        await connection.execute(_PAUSE, *zip(*((g.trigger_id, g.kind, g.key) for g in groups), strict=True))


async def put_off(connection: asyncpg.Connection, group: tuple[UUID, str, str], seconds: float) -> None:
    """Look at a group later: it cannot be released now."""
    await connection.execute(
        "UPDATE held_group SET due_at = now() + $4 * interval '1 second' WHERE (trigger_id, kind, key) = ($1, $2, $3)",
        *group,
        seconds,
    )


async def ring_releaser(connection: asyncpg.Connection) -> None:
    """Have the releaser look at what was held back, once the transaction has committed."""
    await connection.execute("NOTIFY flowforge_held")


async def ring_outbox(connection: asyncpg.Connection) -> None:
    """Have the relay look at the outbox; after the commit, not in it."""
    await connection.execute("NOTIFY flowforge_outbox")
