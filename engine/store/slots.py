"""The SQL of concurrency slots: who holds one is read from the rows of unfinished runs, never from a counter.

A run holds a slot of its key where `slot_at` is set, and waits for one where it is not, until it ends. Everything here
runs in a transaction that holds the keys' advisory locks, so that two workers never give the same slot away.
"""

import hashlib
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

GRANTS_AT_ONCE = 64
KEYS_AT_ONCE = 1000

_LOCK = "SELECT pg_advisory_xact_lock(lock) FROM unnest($1::bigint[]) AS lock"

_READ = """
SELECT asked.workflow_id, asked.key,
    ARRAY (
        SELECT run.id FROM run
        WHERE run.workflow_id = asked.workflow_id AND run.concurrency_key = asked.key
          AND run.slot_at IS NOT NULL AND run.finished_at IS NULL
        ORDER BY run.slot_at, run.id LIMIT asked.max_holders
    ) AS holders,
    EXISTS (
        SELECT FROM run
        WHERE run.workflow_id = asked.workflow_id AND run.concurrency_key = asked.key
          AND run.concurrency_key IS NOT NULL AND run.slot_at IS NULL AND run.finished_at IS NULL
          AND run.id <> ALL ($4::uuid[])
    ) AS has_others_waiting
FROM unnest($1::uuid[], $2::text[], $3::int[]) AS asked (workflow_id, key, max_holders)
"""

_ENTER = """
UPDATE run SET
    concurrency_key = asked.key, concurrency_limit = asked.max_holders,
    slot_at = CASE WHEN asked.is_taken THEN clock_timestamp() END
FROM unnest($2::uuid[], $3::text[], $4::int[], $5::bool[]) AS asked (run_id, key, max_holders, is_taken)
WHERE run.id = asked.run_id AND run.owner = $1
"""

# The newest of a key stay, as many as it has slots; who was told to end already is not told again.
_REPLACE = """
WITH older AS (
    SELECT outdated.id, outdated.workspace_id
    FROM unnest($1::uuid[], $2::text[], $3::int[]) AS asked (workflow_id, key, max_holders)
    CROSS JOIN LATERAL (
        SELECT run.id, run.workspace_id FROM run
        WHERE run.workflow_id = asked.workflow_id AND run.concurrency_key = asked.key AND run.finished_at IS NULL
        ORDER BY run.id DESC OFFSET asked.max_holders LIMIT 1000
    ) AS outdated
    WHERE NOT EXISTS (SELECT FROM inbox WHERE inbox.run_id = outdated.id AND inbox.kind = 'cancel')
), put AS (
    INSERT INTO inbox (run_id, kind, payload)
    SELECT id, 'cancel', convert_to('{"by":null,"reason":"concurrency_replaced"}', 'UTF8') FROM older
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'inbox', workspace_id, id, '' FROM older
)
SELECT count(*) FROM older
"""

# The oldest first. A run that a worker has at this moment is granted its slot too, and is runnable once it is let go.
_GRANT = """
WITH waiting AS (
    SELECT oldest.id, oldest.concurrency_limit, taken.slots,
           row_number() OVER (PARTITION BY asked.workflow_id, asked.key ORDER BY oldest.id) AS place
    FROM unnest($1::uuid[], $2::text[]) AS asked (workflow_id, key)
    CROSS JOIN LATERAL (
        SELECT count(*) AS slots FROM run
        WHERE run.workflow_id = asked.workflow_id AND run.concurrency_key = asked.key
          AND run.slot_at IS NOT NULL AND run.finished_at IS NULL
    ) AS taken
    CROSS JOIN LATERAL (
        SELECT run.id, run.concurrency_limit FROM run
        WHERE run.workflow_id = asked.workflow_id AND run.concurrency_key = asked.key
          AND run.concurrency_key IS NOT NULL AND run.slot_at IS NULL AND run.finished_at IS NULL
          AND NOT EXISTS (SELECT FROM inbox WHERE inbox.run_id = run.id AND inbox.kind = 'cancel')
        ORDER BY run.id LIMIT $3
    ) AS oldest
), granted AS (
    UPDATE run SET slot_at = clock_timestamp(), wake_at = CASE WHEN run.owner IS NOT NULL THEN run.wake_at END
    FROM waiting WHERE run.id = waiting.id AND waiting.slots + waiting.place <= waiting.concurrency_limit
    RETURNING run.id, run.workspace_id
), told AS (
    INSERT INTO outbox (kind, workspace_id, run_id, payload) SELECT 'dispatch', workspace_id, id, '' FROM granted
)
SELECT count(*) FROM granted
"""

# Who waits for a slot of the key, and so keeps all those waiting who started it. One that was retried by hand goes on
# for itself. $3: those who are about to wait, and $4 the one of them that it is asked for.
_IS_STUCK = """
WITH RECURSIVE waiting AS (
    SELECT id, parent_run_id FROM run WHERE id = ANY ($3::uuid[])
    UNION
    (SELECT id, parent_run_id FROM run
     WHERE workflow_id = $1 AND concurrency_key = $2 AND concurrency_key IS NOT NULL AND slot_at IS NULL
       AND finished_at IS NULL AND parent_run_id IS NOT NULL AND attempt = 1
     ORDER BY id LIMIT $6)
), kept AS (
    SELECT parent_run_id AS id, id = $4 AS is_own FROM waiting WHERE parent_run_id IS NOT NULL
    UNION
    SELECT run.parent_run_id, kept.is_own FROM kept JOIN run ON run.id = kept.id WHERE run.parent_run_id IS NOT NULL
)
SELECT bool_and(EXISTS (SELECT FROM kept WHERE kept.id = holder.id))
    AND bool_or(EXISTS (SELECT FROM kept WHERE kept.id = holder.id AND kept.is_own))
FROM unnest($5::uuid[]) AS holder (id)
"""

_WAITED_FOR = """
SELECT DISTINCT workflow_id, concurrency_key FROM run
WHERE concurrency_key IS NOT NULL AND slot_at IS NULL AND finished_at IS NULL
  AND (workflow_id, concurrency_key) > ($1, $2)
ORDER BY workflow_id, concurrency_key LIMIT $3
"""

SlotKey = tuple[UUID, str]
"""A workflow and the value of its concurrency key."""

# Before all others.
NO_KEY: SlotKey = (UUID(int=0), "")


class SlotRequest(Struct, frozen=True, kw_only=True):
    """A run that needs one of `limit` slots; `when_full` is `queue`, `drop` or `cancel_running`.

    `is_awaited`: another run waits for its end.
    """

    run_id: UUID
    workflow_id: UUID
    key: str
    limit: int
    when_full: str
    is_awaited: bool = False

    @property
    def slot_key(self) -> SlotKey:
        """Whose slots they are."""
        return self.workflow_id, self.key


class Full(Struct, frozen=True, kw_only=True):
    """All slots of a key are taken, by `holders`; `is_stuck` where each of these waits for a run that waits for one."""

    holders: list[UUID]
    is_stuck: bool = False


async def take_slots(
    connection: asyncpg.Connection, worker_id: int, requests: Sequence[SlotRequest]
) -> dict[UUID, Full]:
    """Give these runs of the worker their slots, the oldest first; who got none, with the runs that hold them.

    A run that could only wait for itself to end does not enter: with it, all who hold a slot would wait for good.
    """
    ordered = sorted(requests, key=lambda request: request.run_id)
    keys = {request.slot_key: request.limit for request in ordered}
    async with connection.transaction():
        await _lock(connection, keys)
        rows = await connection.fetch(
            _READ,
            [workflow_id for workflow_id, _ in keys],
            [key for _, key in keys],
            list(keys.values()),
            [request.run_id for request in ordered],
        )
        holders: dict[SlotKey, list[UUID]] = {(row["workflow_id"], row["key"]): row["holders"] for row in rows}
        # Nobody overtakes those that wait: a slot that is free nevertheless is about to be granted to them.
        crowded = {(row["workflow_id"], row["key"]) for row in rows if row["has_others_waiting"]}
        full: dict[UUID, Full] = {}
        for request in ordered:
            known = holders[request.slot_key]
            if len(known) >= request.limit or request.slot_key in crowded:
                full[request.run_id] = Full(holders=list(known))
            else:
                known.append(request.run_id)
        for run_id in await _find_stuck(connection, ordered, full):
            full[run_id] = Full(holders=full[run_id].holders, is_stuck=True)
        entering = [request for request in ordered if _enters(request, full.get(request.run_id))]
        await connection.execute(
            _ENTER,
            worker_id,
            [request.run_id for request in entering],
            [request.key for request in entering],
            [request.limit for request in entering],
            [request.run_id not in full for request in entering],
        )
        replacing = {r.slot_key: r.limit for r in ordered if r.when_full == "cancel_running" and r.run_id in full}
        if replacing:
            await connection.execute(
                _REPLACE,
                [workflow_id for workflow_id, _ in replacing],
                [key for _, key in replacing],
                list(replacing.values()),
            )
    return full


def _enters(request: SlotRequest, full: Full | None) -> bool:
    return full is None or not (full.is_stuck or request.when_full == "drop")


async def _find_stuck(
    connection: asyncpg.Connection, requests: Sequence[SlotRequest], full: dict[UUID, Full]
) -> list[UUID]:
    """Those that must not wait: the newest first, for when one gives up, its elders may go on.

    Only a run that enters can close such a ring, as those that are granted a slot later have started nothing yet.
    """
    stuck: list[UUID] = []
    asking = [r for r in requests if r.run_id in full and r.is_awaited and r.when_full == "queue"]
    for request in reversed(asking):
        holders = full[request.run_id].holders
        if len(holders) < request.limit:
            continue
        beside = [r.run_id for r in asking if r.slot_key == request.slot_key and r.run_id not in stuck]
        arguments = (*request.slot_key, beside, request.run_id, holders, KEYS_AT_ONCE)
        if await connection.fetchval(_IS_STUCK, *arguments):
            stuck.append(request.run_id)
    return stuck


async def grant_slots(connection: asyncpg.Connection, keys: Sequence[SlotKey]) -> int:
    """Give the free slots of these keys to the runs that have waited for them the longest; how many."""
    granted = 0
    while True:
        async with connection.transaction():
            await _lock(connection, keys)
            count: int = await connection.fetchval(
                _GRANT, [workflow_id for workflow_id, _ in keys], [key for _, key in keys], GRANTS_AT_ONCE
            )
        granted += count
        if count < GRANTS_AT_ONCE:
            return granted


async def find_waited_for(connection: asyncpg.Connection, after: SlotKey, limit: int) -> list[SlotKey]:
    """The first keys behind `after` that runs wait for slots of: the net below every grant that was not made."""
    return [(row[0], row[1]) for row in await connection.fetch(_WAITED_FOR, *after, limit)]


async def _lock(connection: asyncpg.Connection, keys: Sequence[SlotKey] | dict[SlotKey, int]) -> None:
    # In one order for everybody: no two wait for each other.
    await connection.execute(_LOCK, sorted({_lock_number(key) for key in keys}))


def _lock_number(key: SlotKey) -> int:
    digest = hashlib.blake2b(f"{key[0]}:{key[1]}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
