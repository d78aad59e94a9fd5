"""With years of partitions, statements still look at the one that holds their runs, or at empty indexes."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import msgspec
import pytest

from cli.migrations import migrate
from engine.infra.database import BY_KEY, BY_KEYS_ALONE, connect
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store import inbox, journal, leases, reads, runs, timers
from engine.worker import retention as duty
from engine.worker.retention import Retention

PARTITIONS = 60
RUNS_EACH = 200
NOW = datetime.now(UTC)
PLACE = new_id()

_FILL = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, created_at, finished_at)
SELECT id, $2, $2, $2, 1, 'api', 'succeeded', now(), now() FROM unnest($1::uuid[]) AS id
"""


class Years:
    """A database with runs of years, and the newest of them unfinished."""

    def __init__(
        self, url: str, connection: asyncpg.Connection, reader: asyncpg.Connection, newest: list[UUID]
    ) -> None:
        self.url = url
        self.connection = connection
        self.reader = reader
        self.newest = newest

    async def explain(self, statement: str, *arguments: object, **settings: str) -> dict[str, Any]:
        """How the statement went, as a worker makes it: the plan that is kept, with what each part of it did."""
        async with self.connection.transaction():
            for name, value in settings.items():
                await self.connection.execute(f"SET LOCAL {name} = '{value}'")
            kept = await self.connection.prepare(statement)
            types = [
                parameter.name.replace("[]", "") + "[]" * (parameter.kind == "array")
                for parameter in kept.get_parameters()
            ]
            literals = [
                await self.connection.fetchval(f"SELECT quote_nullable(($1::{kind})::text)", argument)
                for kind, argument in zip(types, arguments, strict=True)
            ]
            declared, given = (f"({', '.join(part)})" if part else "" for part in (types, literals))
            # EXPLAIN of a statement with arguments would plan it for them.
            await self.connection.execute(f"PREPARE kept{declared} AS {statement}")
            row = await self.connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE kept{given}")
            await self.connection.execute("DEALLOCATE kept")
        return read_plan(row)

    async def explain_as_read(self, statement: str, *arguments: object) -> dict[str, Any]:
        """How the statement went, as the API makes it: planned for its arguments."""
        return read_plan(await self.reader.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments))


def read_plan(row: str) -> dict[str, Any]:
    (plan,) = json.loads(row)
    found: dict[str, Any] = plan["Plan"]
    return found


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every part of the plan that read a table, or an index of one, of runs."""
    found = [plan] if str(plan.get("Relation Name", "")).startswith("run_") and plan["Actual Loops"] else []
    return [*found, *(scan for part in plan.get("Plans", ()) for scan in scans(part))]


def pages(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.fixture(scope="module")
async def years(servers: tuple[str, str]) -> AsyncIterator[Years]:
    server = await asyncpg.connect(servers[0])
    await server.execute("CREATE DATABASE years")
    settings = Settings(database_url=urlunsplit(urlsplit(servers[0])._replace(path="/years")))
    await asyncio.to_thread(migrate, settings)
    connection = await connect(settings, name="test", **BY_KEY)
    ids: list[UUID] = []
    patch = pytest.MonkeyPatch()
    keeping = msgspec.structs.replace(settings, retention_days=0)
    for number in range(PARTITIONS):
        now = NOW + number * duty.partition_width(0)
        ids += [new_id(now + timedelta(minutes=minute)) for minute in range(RUNS_EACH)]
        patch.setattr(duty, "read_time", lambda _connection, now=now: asyncio.sleep(0, now))
        await Retention(keeping).make_pass(connection)
    patch.undo()
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", PLACE)
    await connection.execute(
        "INSERT INTO workflow (id, workspace_id, name, definition, created_by, updated_by) "
        "VALUES ($1, $1, 'w', '', $1, $1)",
        PLACE,
    )
    await connection.execute("INSERT INTO worker (name, host, pid) VALUES ('w', 'h', 1)")
    await connection.execute(_FILL, ids, PLACE)
    await connection.execute("INSERT INTO journal SELECT id, 1, 'x', now(), 1, '' FROM run")
    newest = ids[-20:]
    await connection.execute(
        "UPDATE run SET status = 'running', owner = 1, finished_at = NULL WHERE id = ANY ($1)", newest
    )
    await connection.execute("VACUUM ANALYZE")
    reader = await connect(settings, name="reader")
    yield Years(settings.database_url, connection, reader, newest)
    await reader.close()
    await connection.close()
    await server.execute("DROP DATABASE years WITH (FORCE)")
    await server.close()


async def test_there_is_a_partition_for_every_month(years: Years) -> None:
    count = await years.connection.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'run'::regclass")
    assert count >= PARTITIONS


async def test_a_commit_looks_its_runs_up_by_their_keys(years: Years) -> None:
    plan = await years.explain(journal._COMMIT, 1, *journal._columns(make_batch(years)), **BY_KEYS_ALONE)
    found = scans(plan)
    assert {scan["Node Type"] for scan in found} <= {"Bitmap Heap Scan", "Bitmap Index Scan"}
    assert len({scan["Relation Name"] for scan in found if scan["Actual Rows"]}) == 1


async def test_no_plan_of_a_worker_leaves_partitions_out_at_run_time(years: Years) -> None:
    # PostgreSQL 18.6 crashed at times with those that do.
    for statement, arguments, settings in (
        (journal._COMMIT, (1, *journal._columns(make_batch(years))), BY_KEYS_ALONE),
        (runs._CLAIM, (1, years.newest, len(years.newest), True), BY_KEY),
    ):
        plan = await years.explain(statement, *arguments, **settings)
        assert not [part for part in parts(plan) if part.get("Subplans Removed")]
        assert await years.connection.fetchval("SHOW enable_partition_pruning") == "off"


def parts(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan and all its parts."""
    return [plan, *(part for child in plan.get("Plans", ()) for part in parts(child))]


async def test_a_commit_that_waits_for_a_heartbeat_leaves_the_server_alive(years: Years) -> None:
    # The row that it locks is another one by then, for which the server evaluates the whole statement once more.
    beating = await asyncpg.connect(years.url)
    committing = await connect(Settings(database_url=years.url), name="test", **BY_KEYS_ALONE)
    try:
        async with beating.transaction():
            await beating.execute("UPDATE worker SET heartbeat_at = now() WHERE id = 1")
            commit = asyncio.create_task(journal.commit_batch(committing, 1, make_batch(years)))
            waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')"
            async with asyncio.timeout(60):
                while not await beating.fetchval(waiting, committing.get_server_pid()):
                    await asyncio.sleep(0.01)
        committed = await commit
    finally:
        await beating.close()
        await committing.close()
    assert (committed.is_alive, committed.runs) == (True, len(years.newest))


def make_batch(years: Years) -> journal.Batch:
    """A batch that changes the newest runs."""
    changes = [journal.RunChange(run_id=run_id, status="running") for run_id in years.newest]
    return journal.Batch(rows=[], changes=changes, messages=[], inbox_ids=[])


async def test_a_claim_finds_its_runs_by_their_keys(years: Years) -> None:
    plan = await years.explain(runs._CLAIM, 1, years.newest, len(years.newest), True)
    found = scans(plan)
    assert len({scan["Relation Name"] for scan in found if scan["Actual Rows"]}) == 1
    assert all("Index Cond" in scan or "Recheck Cond" in scan for scan in found), plan


async def test_a_run_is_read_from_its_partition_alone(years: Years) -> None:
    plan = await years.explain_as_read(reads._ONE, years.newest[0], PLACE)
    assert [scan["Index Name"].endswith("_pkey") for scan in scans(plan)] == [True]


async def test_a_history_is_read_from_its_partition_alone(years: Years) -> None:
    plan = await years.explain_as_read(journal._READ, years.newest[0], 0, 100)
    assert pages(plan) <= 10, plan


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        (runs._FIND_QUEUED, (runs.NO_WORKSPACE, 100, 100, [])),
        (runs._FIND_DUE, (100,)),
        (runs._FIND_ADDRESSED, (100, [])),
        (timers._LOOK, (NOW, 100)),
        (inbox._READ_OWNED, (1,)),
        (leases._FIND_STRANDED, (15.0,)),
    ],
    ids=["queued", "due", "addressed", "timers", "messages", "stranded"],
)
async def test_what_is_asked_every_second_reads_nothing_but_empty_indexes(
    years: Years, statement: str, arguments: tuple[object, ...]
) -> None:
    plan = await years.explain(statement, *arguments)
    assert not [scan for scan in scans(plan) if scan["Node Type"] == "Seq Scan"], plan
    assert pages(plan) <= 4 * (PARTITIONS + 4) + 40, plan


async def test_a_page_of_runs_reads_as_many_and_a_look_into_each_partition(years: Years) -> None:
    plan = await years.explain_as_read(reads._LIST, *reads._arguments(PLACE, reads.RunFilter(), None, 51))
    assert not [scan for scan in scans(plan) if scan["Node Type"] == "Seq Scan"], plan
    assert pages(plan) <= 6 * (PARTITIONS + 4) + 51 * 4, plan
