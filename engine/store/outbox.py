"""SQL of the outbox as the relay needs it. Rows are written by whoever changes a run, in the same statement."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from asyncpg import Connection

# Any number that nothing else in the database locks on: the bytes of "ffrelay".
RELAY_LOCK = 0x66_66_72_65_6C_61_79
COUNT_LIMIT = 100_000


class OutboxRow(NamedTuple):
    """A row to be published; `age` in seconds, by the database's clock. `revision` is that of the event triggers.

    `is_heard`: what listens to its event was started before it could be published.
    """

    kind: str
    workspace_id: UUID
    run_id: UUID
    traceparent: str | None
    payload: bytes
    age: float
    revision: int = 0
    is_heard: bool = False
    id: int = 0


# Both parts see the same rows, so that the second one has to leave out what the first one deletes. The revision is of
# the snapshot that sees the rows: whatever listened when they were committed is in it.
_TAKE = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY ($2::bigint[]))
SELECT kind, workspace_id, run_id, traceparent, payload,
       greatest(0, extract(epoch FROM clock_timestamp() - created_at))::float8 AS age,
       coalesce((SELECT revision FROM listener_revision), 0) AS revision, is_heard, id
FROM outbox WHERE id <> ALL ($2::bigint[]) ORDER BY id LIMIT $1
"""

_LOOK = """
SELECT kind, workspace_id, run_id, traceparent, payload, 0::float8 AS age,
       coalesce((SELECT revision FROM listener_revision), 0) AS revision, is_heard, id
FROM outbox WHERE id > $1 ORDER BY id LIMIT $2
"""

# The newest rows, and of each workspace only the newest of them.
_AHEAD = """
SELECT run_id FROM (
    SELECT run_id, row_number() OVER (PARTITION BY workspace_id ORDER BY id DESC) AS place
    FROM (SELECT id, workspace_id, run_id, kind FROM outbox ORDER BY id DESC LIMIT $1) AS newest WHERE kind = 'dispatch'
) AS dispatch WHERE place <= $2
"""

_MEASURE = """
SELECT count(*), greatest(0, coalesce(extract(epoch FROM now() - min(created_at)), 0))::float8
FROM (SELECT created_at FROM outbox ORDER BY id LIMIT $1) AS waiting
"""


async def has_rows(connection: Connection, timeout: float) -> bool:
    """Whether anything waits; raises TimeoutError where the session does not answer, so it is a sign of life too."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)", timeout=timeout)
    return found


async def take(connection: Connection, limit: int, done: Sequence[int], timeout: float) -> list[OutboxRow]:
    """Delete the rows of these ids, which are done with, and return the first ones of the others by id, which stay."""
    return [OutboxRow(*row) for row in await connection.fetch(_TAKE, limit, list(done), timeout=timeout)]


async def delete(connection: Connection, ids: Sequence[int], timeout: float) -> None:
    """Delete rows that are done with; some may be gone already."""
    await connection.execute("DELETE FROM outbox WHERE id = ANY ($1::bigint[])", list(ids), timeout=timeout)


async def look(connection: Connection, after: int, limit: int, timeout: float) -> list[OutboxRow]:
    """The first rows behind an id, which stay."""
    return [OutboxRow(*row) for row in await connection.fetch(_LOOK, after, limit, timeout=timeout)]


async def mark_heard(connection: Connection, ids: Sequence[int], timeout: float) -> set[int]:
    """Note that this transaction starts what listens to the events of these rows; those that still were there."""
    statement = "UPDATE outbox SET is_heard = true WHERE id = ANY ($1::bigint[]) AND NOT is_heard RETURNING id"
    return {row["id"] for row in await connection.fetch(statement, list(ids), timeout=timeout)}


async def find_newest(connection: Connection, limit: int, of_each: int, timeout: float) -> list[UUID]:
    """Runs that the newest rows dispatch, at most so many of each workspace; the rows stay."""
    return [row["run_id"] for row in await connection.fetch(_AHEAD, limit, of_each, timeout=timeout)]


async def measure(connection: Connection, timeout: float) -> tuple[int, float]:
    """The number of rows that wait, counted up to 100,000, and the age of the oldest in seconds."""
    count, oldest = await connection.fetchrow(_MEASURE, COUNT_LIMIT, timeout=timeout)
    return count, oldest
