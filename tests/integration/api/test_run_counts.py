"""Runs counted by status: what the list holds, of one's own workspace, at a price that no number of runs changes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.runs import counts
from engine.core.statuses import RunStatus
from engine.infra.ids import floor_id, new_id
from engine.infra.settings import Settings
from engine.store import run_counts
from engine.store.plans import ALONG_INDEXES
from engine.store.reads import RunFilter
from engine.store.run_counts import Counted, choose, count_newest
from tests.integration.api.callers import Api, Caller
from tests.integration.plans import Cost, add_workflow, bind, measure

NOW = datetime.now(UTC)
STATUSES = tuple(RunStatus)
COUNTS = "/v1/runs/counts"
PROBLEM = "application/problem+json"
# Of the many runs that there are; and the pages that the newest so many of them take, with those down to each.
MANY, MOST, PAGES = 15_000, 500, 200

_RUN = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, status, trigger_type, is_test, created_at,
                 error_message)
VALUES ($1, $2, $3, $1, 1, $4, $5, $6, $7, $8)
"""
_FILL = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, status, trigger_type, created_at)
SELECT overlay($1::uuid::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $2, $3, $3, 1, $4, 'api', now()
FROM generate_series(1, $5::int) AS n
"""


class Past:
    """Writes runs of a workspace."""

    def __init__(self, connection: asyncpg.Connection, owner: Caller) -> None:
        self.connection = connection
        self._owner = owner

    async def add_workflow(self, name: str) -> UUID:
        """The id of a new workflow."""
        answer = await self._owner.client.post("/v1/workflows", json={"name": name, "definition": {}})
        return UUID(answer.raise_for_status().json()["id"])

    async def add(self, workflow_id: UUID, status: str, *, hours_ago: float = 1, **more: Any) -> None:
        """A run that was created so long ago."""
        at = NOW - timedelta(hours=hours_ago)
        run_id = UUID(int=floor_id(at).int + new_id().int % 2**64)
        values = (status, more.get("trigger_type", "api"), more.get("is_test", False), at, more.get("error"))
        await self.connection.execute(_RUN, run_id, self._owner.workspace_id, workflow_id, *values)


@pytest.fixture
async def past(settings: Settings, owner: Caller) -> AsyncIterator[Past]:
    """The past of the owner's workspace."""
    connection = await asyncpg.connect(settings.database_url)
    yield Past(connection, owner)
    await connection.close()


async def read(caller: Caller, **filters: str) -> dict[str, Any]:
    answer = await caller.client.get(COUNTS, params=filters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_each_status_is_counted_as_the_list_would_hold_it_with_the_other_filters(
    owner: Caller, past: Past
) -> None:
    orders, parcels = await past.add_workflow("Orders"), await past.add_workflow("Parcels")
    for number, status in enumerate(STATUSES, start=1):
        for _ in range(number):
            await past.add(orders, status)
        await past.add(parcels, status, hours_ago=30, trigger_type="webhook", error="the post has lost it")
        await past.add(parcels, status, is_test=True)
    filters: list[dict[str, str]] = [
        {},
        {"workflow_id": str(orders)},
        {"workflow_id": str(parcels), "test": "all"},
        {"trigger_type": "webhook"},
        {"test": "true"},
        {"test": "all"},
        {"since": (NOW - timedelta(hours=2)).isoformat()},
        {"until": (NOW - timedelta(hours=2)).isoformat()},
        {"since": (NOW - timedelta(hours=31)).isoformat(), "until": (NOW - timedelta(hours=29)).isoformat()},
        {"q": "PARC"},
        {"q": "has lost"},
        {"q": "%"},
        {"q": "parcels", "workflow_id": str(orders)},
        {"workflow_id": str(new_id())},
    ]
    found = []
    for chosen in filters:
        listed = await owner.client.get("/v1/runs", params={**chosen, "limit": "200"})
        held = Counter(run["status"] for run in listed.raise_for_status().json()["items"])
        counted = await read(owner, **chosen)
        assert counted == {"by_status": {status: held[status] for status in STATUSES}, "since": None}, chosen
        found.append(sum(held.values()))
    assert found == [35, 28, 14, 7, 7, 42, 28, 7, 7, 7, 7, 0, 0, 0]


async def test_of_very_many_runs_the_newest_are_counted_and_it_is_told_since_when(
    owner: Caller, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await past.add_workflow("Orders")
    for hours_ago, status in ((4, "failed"), (3, "failed"), (2, "succeeded"), (1, "succeeded")):
        await past.add(workflow, status, hours_ago=hours_ago)
    monkeypatch.setattr(run_counts, "MOST_RUNS", 3)
    counted = await read(owner)
    assert (counted["by_status"]["failed"], counted["by_status"]["succeeded"]) == (1, 2)
    assert datetime.fromisoformat(counted["since"]) == NOW - timedelta(hours=3)
    # What is read counts, not what is found.
    assert (await read(owner, q="Nothing of the kind"))["since"] == counted["since"]
    assert (await read(owner, since=(NOW - timedelta(hours=2, minutes=30)).isoformat()))["since"] is None


async def test_of_other_workspaces_nothing_is_told(
    owner: Caller, past: Past, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await past.add_workflow("Orders")
    await past.add(workflow, "failed")
    stranger = await api.sign_in()
    nothing = {"by_status": dict.fromkeys(STATUSES, 0), "since": None}
    # Not even that there are more than are looked at.
    monkeypatch.setattr(run_counts, "MOST_RUNS", 1)
    assert await read(stranger) == nothing
    assert await read(stranger, workflow_id=str(workflow)) == nothing
    assert (await read(owner, workflow_id=str(workflow)))["since"] is not None


async def test_many_who_look_at_the_same_list_at_once_have_it_counted_once(
    owner: Caller, past: Past, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[UUID, RunFilter]] = []

    async def count(*arguments: Any) -> Counted:
        asked.append((arguments[1], arguments[2]))
        return await count_newest(*arguments)

    monkeypatch.setattr(counts, "count_newest", count)
    monkeypatch.setattr(counts, "FRESH_SECONDS", 3600.0)
    workflow = await past.add_workflow("Orders")
    stranger = await api.sign_in()
    await asyncio.gather(*(read(caller) for _ in range(9) for caller in (owner, stranger)))
    await past.add(workflow, "failed")
    assert (await read(owner))["by_status"]["failed"] == 0
    assert (await read(owner, workflow_id=str(workflow)))["by_status"]["failed"] == 1
    assert len(asked) == 3
    assert {workspace_id for workspace_id, _ in asked} == {owner.workspace_id, stranger.workspace_id}
    monkeypatch.setattr(counts, "FRESH_SECONDS", -1.0)
    assert (await read(owner))["by_status"]["failed"] == 1


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("since=1999", "/query/since", "format"),
        ("until=1969-01-01T00:00:00Z", "/query/until", "range"),
        ("q=a%0Ab", "/query/q", "invalid"),
        # They are told for each of them.
        ("status=failed", "/query/status", "unknown_parameter"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_refused(owner: Caller, query: str, pointer: str, code: str) -> None:
    answer = await owner.client.get(f"{COUNTS}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM), answer.text
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]


class Flood:
    """A workspace with very many runs of one workflow, and few of another before and of none after them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.workspace_id, self.stranger_id = new_id(), new_id()
        self.workflows: list[UUID] = []

    async def fill(self) -> None:
        """The strangers' runs are the newest, and those of the quiet workflow the oldest."""
        for workspace_id in (self.workspace_id, self.stranger_id):
            await self.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", workspace_id)
        owners = (self.workspace_id, self.workspace_id, self.workspace_id, self.stranger_id)
        self.workflows = [await add_workflow(self.connection, workspace_id) for workspace_id in owners]
        quiet, busy, _, strange = self.workflows
        for hours_ago, workflow_id, status, count in (
            (9, quiet, "failed", 30),
            (8, busy, "failed", MANY),
            (7, busy, "succeeded", MANY),
            (6, strange, "failed", MANY),
        ):
            workspace_id = self.stranger_id if workflow_id == strange else self.workspace_id
            floor = floor_id(NOW - timedelta(hours=hours_ago))
            await self.connection.execute(_FILL, floor, workspace_id, workflow_id, status, count)

    async def count(self, chosen: RunFilter) -> tuple[dict[str, int], Cost]:
        """What is counted, and what it cost: bound, as callers are."""
        statement, values = choose(self.workspace_id, chosen)
        async with self.connection.transaction():
            await bind(self.connection, self.workspace_id)
            await self.connection.execute(ALONG_INDEXES)
            cost = await measure(self.connection, statement, *values)
            counted = await count_newest(self.connection, self.workspace_id, chosen)
        return {status: count for status, count in counted.by_status.items() if count}, cost


@pytest.fixture
async def flood(clean_database: str) -> AsyncIterator[Flood]:
    connection = await asyncpg.connect(clean_database)
    opened = Flood(connection)
    await opened.fill()
    yield opened
    await connection.close()


@pytest.mark.parametrize("plans", ["force_generic_plan", "force_custom_plan"])
async def test_a_count_looks_at_no_more_than_the_newest_runs_whatever_is_asked_for(
    flood: Flood, plans: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_counts, "MOST_RUNS", MOST)
    quiet, busy, empty, strange = flood.workflows
    evening = floor_id(NOW - timedelta(hours=7, minutes=30))
    expected: list[tuple[RunFilter, dict[str, int]]] = [
        (RunFilter(), {"succeeded": MOST}),
        (RunFilter(q="nothing of the kind"), {}),
        (RunFilter(trigger_type="webhook"), {}),
        (RunFilter(is_test=True), {}),
        (RunFilter(until=evening), {"failed": MOST}),
        (RunFilter(since=floor_id(NOW - timedelta(hours=6, minutes=30))), {}),
        (RunFilter(workflow_id=quiet), {"failed": 30}),
        (RunFilter(workflow_id=quiet, since=evening), {}),
        (RunFilter(workflow_id=busy), {"succeeded": MOST}),
        (RunFilter(workflow_id=busy, until=evening, trigger_type="webhook"), {}),
        (RunFilter(workflow_id=empty), {}),
        (RunFilter(workflow_id=strange), {}),
    ]
    # What the planner knows of the table: nothing, by a poor sample, by the usual one.
    for look in ("SELECT", "SET default_statistics_target = 1; ANALYZE run", "RESET ALL; ANALYZE"):
        await flood.connection.execute(look)
        await flood.connection.execute(f"SET plan_cache_mode = {plans}")
        for chosen, wanted in expected:
            found, cost = await flood.count(chosen)
            assert found == wanted, chosen
            assert cost.pages <= PAGES, (chosen, cost.plan)
