"""What the database of a chaos run says, read past every proxy."""

from collections.abc import Sequence

import asyncpg

from cli.chaos.facts import Event, Remainder, RunRow, WorkerRow

# The commit of a row, not what a process believed the time to be.
_EVENTS = """
SELECT run_id::text, seq, kind, coalesce(convert_from(payload, 'UTF8')::json ->> 'step', '') AS step, worker_id,
       extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS committed_at
FROM journal ORDER BY run_id, seq
"""
_RUNS = """
SELECT run.id::text, (given.value ->> 'n')::int AS n, run.status, (given.value ->> 'pause')::float8 AS pause,
       extract(epoch FROM run.created_at)::float8 AS created_at,
       extract(epoch FROM run.started_at)::float8 AS started_at,
       extract(epoch FROM run.finished_at)::float8 AS finished_at, run.error_code AS error
FROM run JOIN journal ON journal.run_id = run.id AND journal.seq = 1
CROSS JOIN LATERAL (SELECT convert_from(journal.payload, 'UTF8')::json AS event) AS queued
CROSS JOIN LATERAL (
    SELECT CASE run.trigger_type WHEN 'webhook' THEN event -> 'trigger' -> 'body' ELSE event -> 'input' END AS value
) AS given
"""
_WORKERS = """
SELECT id, alive, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS changed_at FROM worker
"""
_ENDS = """
SELECT id::text, status, extract(epoch FROM finished_at)::float8 AS finished_at FROM run
WHERE finished_at >= to_timestamp($1)
"""
_REMAINDER = """
SELECT (SELECT count(*) FROM outbox) AS outbox, (SELECT count(*) FROM inbox) AS inbox,
       (SELECT count(*) FROM run WHERE owner IS NOT NULL) AS owned,
       (SELECT count(*) FROM run WHERE finished_at IS NULL) AS unfinished
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'flowforge-%'"
_WORKERS_SINCE = """
SELECT DISTINCT worker.pid FROM journal JOIN worker ON worker.id = journal.worker_id AND worker.alive
WHERE journal.run_id = ANY ($1::uuid[])
"""
_LIVING = "SELECT pid FROM worker WHERE alive"
# In use since a moment: a statement that began later has been answered.
_PORTS_IN_USE = """
SELECT client_port FROM pg_stat_activity
WHERE state LIKE 'idle%' AND query_start > to_timestamp($1) AND client_port IS NOT NULL
"""


async def read_events(connection: asyncpg.Connection) -> list[Event]:
    """The whole journal, run by run in order."""
    return [Event(**row) for row in await connection.fetch(_EVENTS)]


async def read_runs(connection: asyncpg.Connection) -> list[RunRow]:
    """All runs."""
    return [RunRow(**row) for row in await connection.fetch(_RUNS)]


async def read_workers(connection: asyncpg.Connection) -> list[WorkerRow]:
    """All incarnations of workers."""
    return [WorkerRow(**row) for row in await connection.fetch(_WORKERS)]


async def read_ends(connection: asyncpg.Connection, since: float) -> dict[str, tuple[str, float]]:
    """Status and end of all runs that ended since a moment."""
    return {row["id"]: (row["status"], row["finished_at"]) for row in await connection.fetch(_ENDS, since)}


async def read_remainder(connection: asyncpg.Connection) -> Remainder:
    """What is left to do."""
    return Remainder(**await connection.fetchrow(_REMAINDER))


async def count_connections(connection: asyncpg.Connection) -> int:
    """How many sessions the product has."""
    return int(await connection.fetchval(_CONNECTIONS))


async def read_living_pids(connection: asyncpg.Connection) -> set[int]:
    """The processes of all living incarnations."""
    return {row["pid"] for row in await connection.fetch(_LIVING)}


async def read_ports_in_use(connection: asyncpg.Connection, since: float) -> set[int]:
    """The client ports of sessions of which a statement that began after this moment has been answered."""
    return {row["client_port"] for row in await connection.fetch(_PORTS_IN_USE, since)}


async def read_working_pids(connection: asyncpg.Connection, run_ids: Sequence[str]) -> set[int]:
    """The processes of those that have committed anything for these runs."""
    return {row["pid"] for row in await connection.fetch(_WORKERS_SINCE, list(run_ids))}
