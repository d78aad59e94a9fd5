"""The SQL of the dashboard: how a workspace's runs of a time went, from the runs themselves.

Nothing is counted along the way, so that runs cost no more for being counted; in return only the newest so many runs
are looked at, and the answer tells since when that is.
"""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

# About a tenth of a second of PostgreSQL's time.
MOST_RUNS = 50_000
MOST_QUEUED = 100_000
MOST_FAILING = 10
MOST_RUNNING = 8
# Of those that workers hold, which are a few thousand each.
MOST_HELD = 20_000
POINTS = 48

# Tests of drafts say nothing of what goes on.
_RECENT = """
SELECT id, workflow_id, status, created_at, finished_at, extract(epoch FROM created_at)::float8 AS moment,
       (extract(epoch FROM finished_at - started_at) * 1000)::bigint AS taken FROM run
WHERE workspace_id = $1 AND NOT is_test
  AND id >= rpad(lpad(to_hex((extract(epoch FROM now() - $2::interval) * 1000)::bigint), 12, '0'), 32, '0')::uuid
ORDER BY id DESC LIMIT $3
"""

_TIMES = """
percentile_disc(0.5) WITHIN GROUP (ORDER BY taken) AS p50, percentile_disc(0.95) WITHIN GROUP (ORDER BY taken) AS p95
"""

_FIGURES = f"""
WITH recent AS MATERIALIZED ({_RECENT}),
bound AS MATERIALIZED (
    SELECT CASE (SELECT count(*) FROM recent) WHEN $3 THEN (SELECT min(created_at) FROM recent) ELSE now() - $2 END
           AS since, now() AS until
), cut AS MATERIALIZED (
    SELECT status, finished_at, taken, least(width_bucket(moment, since, until + 0.001, $5), $5) AS place
    FROM recent, (SELECT extract(epoch FROM since)::float8 AS since, extract(epoch FROM until)::float8 AS until
                  FROM bound) AS bound
), counts AS (
    SELECT status, count(*) AS runs FROM recent GROUP BY status
), points AS (
    SELECT place, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE status IN ('failed', 'timed_out')) AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE finished_at IS NULL) AS unfinished, {_TIMES}
    FROM cut GROUP BY place
), failing AS (
    SELECT workflow_id, count(*) AS runs, count(*) FILTER (WHERE status IN ('failed', 'timed_out')) AS failed,
           max(id::text) FILTER (WHERE status IN ('failed', 'timed_out')) AS last_run_id
    FROM recent GROUP BY workflow_id HAVING bool_or(status IN ('failed', 'timed_out'))
    ORDER BY failed DESC, last_run_id DESC LIMIT $4
)
SELECT json_build_object(
    'since', since, 'until', until,
    'counts', (SELECT coalesce(json_object_agg(status, runs), '{{}}') FROM counts),
    'taken', (SELECT json_build_array(p50, p95) FROM (SELECT {_TIMES} FROM recent) AS times),
    'points', (SELECT coalesce(json_agg(json_build_array(
        place - 1, succeeded, failed, cancelled, unfinished, p50, p95) ORDER BY place), '[]') FROM points),
    'failing', (SELECT coalesce(json_agg(json_build_array(
        workflow.id, workflow.name, failed, runs, last_run_id, run.finished_at, run.error_code, run.error_message
        ) ORDER BY failed DESC, last_run_id DESC), '[]')
        FROM failing JOIN workflow ON workflow.id = failing.workflow_id JOIN run ON run.id = last_run_id::uuid)
)::text AS figures
FROM bound
"""  # noqa: S608 - put together of constants of this module

_QUEUED = """
SELECT count(*) FROM (
    SELECT FROM run WHERE workspace_id = $1 AND owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running')
    LIMIT $2
) AS queued
"""

# By their owners, of which there are few: by their status, all runs of the workspace would be walked through.
_RUNNING = """
WITH held AS MATERIALIZED (
    SELECT id, workspace_id, workflow_id, version, status, trigger_type, is_test, created_at, started_at FROM run
    WHERE owner = ANY (ARRAY(SELECT id FROM worker WHERE alive)) LIMIT $3
)
SELECT held.id, held.workflow_id, workflow.name AS workflow_name, held.version, held.status, held.trigger_type,
       held.created_at, held.started_at
FROM held JOIN workflow ON workflow.id = held.workflow_id
WHERE held.workspace_id = $1 AND NOT held.is_test AND held.status IN ('queued', 'running', 'waiting')
ORDER BY held.id DESC LIMIT $2
"""

_IN_FLIGHT = "SELECT coalesce(sum((steps_in_flight ->> $1)::int), 0) FROM worker WHERE alive"


class Point(Struct, frozen=True, array_like=True):
    """The runs that were accepted within the `place`-th part of the time, and what those took that have ended."""

    place: int
    succeeded: int
    failed: int
    cancelled: int
    unfinished: int
    p50_ms: int | None
    p95_ms: int | None


class Failing(Struct, frozen=True, array_like=True):
    """A workflow of whose `runs` some `failed` (or timed out), and the last of these."""

    workflow_id: UUID
    name: str
    failed: int
    runs: int
    last_run_id: UUID
    last_failed_at: datetime | None
    error_code: str | None
    error_message: str | None


class RunningRun(Struct, frozen=True):
    """A run that a worker has in its hands."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    status: str
    trigger_type: str
    created_at: datetime
    started_at: datetime | None


class RunFigures(Struct, frozen=True):
    """How the runs went that were accepted from `since` to `until`; `taken` by those that have ended (p50, p95; ms)."""

    since: datetime
    until: datetime
    counts: dict[str, int]
    taken: tuple[int | None, int | None]
    points: list[Point]
    failing: list[Failing]


_decoder = msgspec.json.Decoder(RunFigures)


async def sum_runs(reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, span: timedelta) -> RunFigures:
    """The figures of the workspace's runs of that time, of the newest `MOST_RUNS` where there were more."""
    text = await reader.fetchval(_FIGURES, workspace_id, span, MOST_RUNS, MOST_FAILING, POINTS)
    return _decoder.decode(text)


async def count_queued(reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID) -> int:
    """How many of the workspace's runs a worker could take at this moment, up to `MOST_QUEUED`."""
    return int(await reader.fetchval(_QUEUED, workspace_id, MOST_QUEUED))


async def count_in_flight(reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID) -> int:
    """How many attempts of the workspace's steps living workers had under way at their last heartbeats."""
    return int(await reader.fetchval(_IN_FLIGHT, str(workspace_id)))


async def list_running(reader: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID) -> list[RunningRun]:
    """The newest `MOST_RUNNING` of the workspace's runs that living workers have in their hands."""
    rows = await reader.fetch(_RUNNING, workspace_id, MOST_RUNNING, MOST_HELD)
    return [RunningRun(**row) for row in rows]
