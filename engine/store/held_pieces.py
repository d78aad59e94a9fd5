"""The SQL of what is done to events that are held back in pieces: each a short transaction, whatever their number.

Whoever changes a trigger locks none of its groups: there may be many, and events that come have to get by. It leaves a
row of `held_review`. Whoever releases a debounce of very many events leaves a row of `held_remainder`: those up to a
place belong to a run that has started.
"""

from uuid import UUID

import asyncpg
from msgspec import Struct

# In the order of their keys, as everybody locks groups.
_LOOK = """
WITH wanted AS MATERIALIZED (
    SELECT trigger_id, kind, key FROM held_group WHERE trigger_id = $1 AND due_at > now()
    ORDER BY trigger_id, kind, key LIMIT $2 FOR UPDATE
), moved AS (
    UPDATE held_group AS held SET due_at = now() FROM wanted
    WHERE held.trigger_id = wanted.trigger_id AND held.kind = wanted.kind AND held.key = wanted.key
)
SELECT count(*) FROM wanted
"""

_REST = """
SELECT event_id FROM held_event
WHERE trigger_id = $1 AND kind = $2 AND key = $3 AND place <= $4 ORDER BY place LIMIT $5
"""


class Remainder(Struct, frozen=True, kw_only=True):
    """Events of a group up to a place, which are to be noted as started by this run."""

    id: int
    trigger_id: UUID
    kind: str
    key: str
    last_place: int
    run_id: UUID


async def look_again(connection: asyncpg.Connection, trigger_id: UUID) -> None:
    """Have what is held of a trigger looked at soon: it was changed, switched or deleted."""
    await connection.execute("INSERT INTO held_review (trigger_id) VALUES ($1)", trigger_id)


async def look_again_at_workflow(connection: asyncpg.Connection, workflow_id: UUID) -> None:
    """Have what is held of a workflow's triggers looked at soon: the workflow was switched or deleted."""
    await connection.execute(
        "INSERT INTO held_review (trigger_id) "
        "SELECT id FROM workflow_trigger WHERE workflow_id = $1 AND type <> 'schedule' ORDER BY id",
        workflow_id,
    )


async def find_review(connection: asyncpg.Connection) -> tuple[int, UUID] | None:
    """The first trigger whose groups are to be looked at, with the id of who asks for it."""
    row = await connection.fetchrow("SELECT id, trigger_id FROM held_review ORDER BY id LIMIT 1")
    return None if row is None else (row["id"], row["trigger_id"])


async def review_groups(connection: asyncpg.Connection, trigger_id: UUID, limit: int) -> int:
    """Make groups of a trigger due that are not; how many there were, fewer than `limit` once none is left."""
    count: int = await connection.fetchval(_LOOK, trigger_id, limit)
    return count


async def end_review(connection: asyncpg.Connection, review_id: int) -> None:
    """Say that all groups were looked at, as far as this one asked for it."""
    await connection.execute("DELETE FROM held_review WHERE id = $1", review_id)


async def leave_remainder(
    connection: asyncpg.Connection, group: tuple[UUID, str, str], last_place: int, run_id: UUID
) -> None:
    """Leave it for later to note which run the events of a group up to a place have started."""
    await connection.execute(
        "INSERT INTO held_remainder (trigger_id, kind, key, last_place, run_id) VALUES ($1, $2, $3, $4, $5)",
        *group,
        last_place,
        run_id,
    )


async def take_remainder(connection: asyncpg.Connection) -> Remainder | None:
    """The first remainder, locked until the end of the transaction; not one that another has."""
    row = await connection.fetchrow(
        "SELECT id, trigger_id, kind, key, last_place, run_id FROM held_remainder "
        "ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return None if row is None else Remainder(**row)


async def list_rest(connection: asyncpg.Connection, rest: Remainder, limit: int) -> list[UUID]:
    """The first events of a remainder by their ids."""
    rows = await connection.fetch(_REST, rest.trigger_id, rest.kind, rest.key, rest.last_place, limit)
    return [row["event_id"] for row in rows]


async def end_remainder(connection: asyncpg.Connection, rest: Remainder) -> None:
    """Say that nothing is left of it."""
    await connection.execute("DELETE FROM held_remainder WHERE id = $1", rest.id)
