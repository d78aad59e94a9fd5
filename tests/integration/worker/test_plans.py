"""The hot statements look rows up by their keys, however many runs there are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from engine.store import journal, runs
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
        plan = await explain(connection, runs._CLAIM, 1, owned[:50], 50)
    assert "run_default_wake_at_idx" not in plan, plan
    assert "run_default_pkey" in plan, plan
