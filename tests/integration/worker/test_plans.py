"""The hot statements look rows up by their keys, however many runs there are."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.infra.database import BY_KEY, BY_KEYS_ALONE
from engine.infra.ids import new_id
from engine.store import journal, leases, runs
from engine.store.extras import ApprovalEnd, Extras, extra_columns
from engine.store.partitions import list_partitions
from tests.integration.plans import Cost, measure
from tests.integration.worker.conftest import Workshop

OWNED, SUSPENDED, ENDED = 3000, 20_000, 40_000

_FILL = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, owner, wake_at)
SELECT gen_random_uuid(), $1, $1, $1, 1, 'api', $2, $3, $4 FROM generate_series(1, $5::int) RETURNING id
"""


async def fill(connection: asyncpg.Connection, workshop: Workshop) -> list[UUID]:
    """Runs that a worker owns, runs that are suspended, and runs that have ended; the first."""
    await connection.execute("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1)")
    wake_at = datetime.now(UTC) + timedelta(days=1)
    place = workshop.workspace_id
    rows = await connection.fetch(_FILL, place, "running", 1, None, OWNED)
    await connection.execute(_FILL, place, "waiting", None, wake_at, SUSPENDED)
    await connection.execute(_FILL, place, "succeeded", None, None, ENDED)
    await connection.execute("ANALYZE run")
    return [row["id"] for row in rows]


async def explain(connection: asyncpg.Connection, statement: str, *arguments: object) -> str:
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT TEXT) {statement}", *arguments)
    return "\n".join(row[0] for row in rows)


async def test_a_commit_finds_each_changed_run_by_its_id(workshop: Workshop) -> None:
    async with workshop.pool.acquire() as connection:
        owned = await fill(connection, workshop)
        changes = [journal.RunChange(run_id=run_id, status="running") for run_id in owned[:50]]
        batch = journal.Batch(rows=[], changes=changes, messages=[], inbox_ids=[])
        plan = await explain(connection, journal._COMMIT, 1, *journal._columns(batch))
    assert "run_default_owner_idx" not in plan, plan
    assert "run_default_pkey" in plan, plan


async def test_a_claim_reads_no_run_but_those_it_names(workshop: Workshop) -> None:
    async with workshop.pool.acquire() as connection:
        owned = await fill(connection, workshop)
        plan = await explain(connection, runs._CLAIM, 1, owned[:50], 50, True)
    assert "run_default_wake_at_idx" not in plan, plan
    assert "run_default_pkey" in plan, plan


_FILL_APPROVALS = """
INSERT INTO approval (id, workspace_id, run_id, step, message, status, created_at)
SELECT gen_random_uuid(), $1, gen_random_uuid(), 'ask', '?', $2, now() FROM generate_series(1, $3::int) RETURNING run_id
"""


async def fill_approvals(connection: asyncpg.Connection) -> list[UUID]:
    """Very many approvals that were decided, and some that are open; the runs that ask for those."""
    await connection.execute(_FILL_APPROVALS, new_id(), "approved", ENDED)
    rows = await connection.fetch(_FILL_APPROVALS, new_id(), "pending", 50)
    await connection.execute("ANALYZE approval")
    return [row["run_id"] for row in rows]


async def test_a_commit_that_ends_approvals_finds_each_by_its_run_and_its_id(workshop: Workshop) -> None:
    async with workshop.pool.acquire() as connection:
        asking = await fill_approvals(connection)
        for name, value in BY_KEYS_ALONE.items():
            await connection.execute(f"SET {name} = {value}")
        await connection.execute("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1)")
        ends = [ApprovalEnd(run_id=run_id, step="ask", status="cancelled") for run_id in asking]
        batch = journal.Batch(rows=[], changes=[], messages=[], inbox_ids=[])
        columns = [*journal._columns(batch), *extra_columns(Extras(approval_ends=ends))]
        plan = await explain(connection, journal._COMMIT_WITH_EXTRAS, 1, *columns)
        left = await connection.fetchval("SELECT count(*) FROM approval WHERE status = 'pending'")
        await connection.execute("RESET ALL")
    assert "Seq Scan on approval" not in plan, plan
    assert "approval_workspace_idx" not in plan, plan
    assert plan.count("approval_pkey") >= 2, plan
    assert left == 0


_QUEUE = """
WITH place AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, number FROM generate_series(1, $1::int) AS number
)
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, wake_at)
SELECT gen_random_uuid(), place.id, place.id, place.id, 1, 'api', kind.status, kind.wake_at
FROM place CROSS JOIN (VALUES ('queued', $2::timestamptz), ('succeeded', NULL)) AS kind (status, wake_at)
CROSS JOIN LATERAL generate_series(1, CASE number WHEN 1 THEN $3::int ELSE 1 END)
"""


async def fill_queue(connection: asyncpg.Connection, *, flood: int, workspaces: int, wake_at: datetime | None) -> None:
    """Runs of one workspace that wait for a worker, and one of each of the others; as many that have ended."""
    await connection.execute(_QUEUE, workspaces, wake_at, flood)


async def measure_sweep(connection: asyncpg.Connection, statement: str, *arguments: object) -> Cost:
    """What a statement costs as the sweep has its plan made."""
    await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_partition_pruning = off")
    async with runs.reading_in_order(connection):
        return await measure(connection, statement, *arguments)


@pytest.mark.parametrize("workspaces", [1, 2, 3000])
@pytest.mark.parametrize("kind", ["queued", "due"])
async def test_a_sweep_costs_the_same_however_many_runs_and_workspaces_wait(
    workshop: Workshop, kind: str, workspaces: int
) -> None:
    wake_at = datetime.now(UTC) - timedelta(minutes=1) if kind == "due" else None
    statement = runs._FIND_DUE_BY_WORKSPACE if kind == "due" else runs._FIND_QUEUED
    async with workshop.pool.acquire() as connection:
        await fill_queue(connection, flood=100_000, workspaces=workspaces, wake_at=wake_at)
        partitions = len(await list_partitions(connection))
        # What the planner knows of the table: nothing, by a poor sample, by the usual one.
        for look in ("SELECT", "SET default_statistics_target = 1; ANALYZE run", "RESET ALL; ANALYZE run"):
            await connection.execute(look)
            pages, plan = await measure_sweep(connection, statement, runs.NO_WORKSPACE, 100, 100, [])
            assert "Seq Scan" not in plan, plan
            # For each workspace a few in the index to find it, and as many to find its first run; and a look into the
            # indexes of every other partition, which are empty.
            assert pages <= 100 * (12 + 3 * partitions), plan


# What the planner knows of the tables: of some of them, by a poor sample, by the usual one.
LOOKS = ("SELECT", "SET default_statistics_target = 1; ANALYZE", "RESET default_statistics_target; ANALYZE")

_FILL_JOURNAL = """
INSERT INTO journal (run_id, seq, kind, at, worker_id, payload)
SELECT id, seq, 'step.started', now(), CASE WHEN seq > 60 THEN 2 ELSE 1 END, ''
FROM run CROSS JOIN generate_series(1, 100) AS seq WHERE owner = 2
"""


def find_reads(plan: dict[str, Any], table: str) -> dict[str, list[dict[str, Any]]]:
    """Every part of the plan that reads the table itself, by the index that it goes along."""
    found: dict[str, list[dict[str, Any]]] = {}
    if plan.get("Relation Name", "").startswith(table) and plan["Node Type"] != "ModifyTable":
        found[find_index(plan)] = [plan]
    for part in plan.get("Plans", ()):
        for index, reads in find_reads(part, table).items():
            found.setdefault(index, []).extend(reads)
    return found


def find_index(plan: dict[str, Any]) -> str:
    """Along which index a part of a plan reads, for short."""
    if "Index Name" in plan:
        return str(plan["Index Name"]).partition("_")[2].removeprefix("default_")
    return find_index(plan["Plans"][0]) if plan.get("Plans") else str(plan["Node Type"])


async def test_the_runs_of_a_dead_worker_are_freed_by_their_owner_and_their_journals_read_from_the_end(
    workshop: Workshop,
) -> None:
    async with workshop.pool.acquire() as connection:
        for name, value in BY_KEY.items():
            await connection.execute(f"SET {name} = {value}")
        await fill(connection, workshop)
        rows = await connection.fetch(_FILL, workshop.workspace_id, "running", 2, None, 20)
        freed = [row["id"] for row in rows]
        await connection.execute(_FILL_JOURNAL)
        for look in LOOKS:
            await connection.execute(look)
            async with runs.reading_in_order(connection):
                text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {leases._FREE}", 2)
                await connection.execute("UPDATE run SET owner = 2 WHERE id = ANY ($1)", freed)
            (plan,) = json.loads(text)
            reads = find_reads(plan["Plan"], "run_")
            assert {index.endswith("owner_idx") for index in reads} == {True}, plan
            assert {index.endswith("pkey") for index in find_reads(plan["Plan"], "journal_")} == {True}, plan
            # The last events of each run, and those of nobody else.
            journals = [part for parts in find_reads(plan["Plan"], "journal_").values() for part in parts]
            assert sum(part["Actual Rows"] * part["Actual Loops"] for part in journals) <= 20 * 51, plan
        await connection.execute("RESET ALL")


async def test_a_look_for_the_runs_of_dead_workers_costs_the_same_however_many_runs_there_are(
    workshop: Workshop,
) -> None:
    async with workshop.pool.acquire() as connection:
        for name, value in BY_KEY.items():
            await connection.execute(f"SET {name} = {value}")
        await fill(connection, workshop)
        partitions = len(await list_partitions(connection)) + 1
        for look in LOOKS:
            await connection.execute(look)
            pages, plan = await measure_sweep(connection, leases._FIND_STRANDED, 15.0)
            assert "Seq Scan on run" not in plan, plan
            # One owner: a look for the first, and one for whoever comes after.
            assert pages <= 2 * 4 * partitions + 20, plan
        await connection.execute("RESET ALL")
