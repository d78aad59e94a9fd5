"""Reads of runs, of what happened in them and of figures: the database shows them their own workspace alone."""

import re
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from sqlalchemy import text

from app import dependencies
from app.auth.permissions import Role
from app.dependencies import Isolation
from app.outages import as_outage
from engine.infra.database import DATABASE_ERRORS, create_engine
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store import accounts, connections, dashboard, inbox, origins, reads, run_counts, trigger_payloads
from engine.store.isolation import RUN, WORKSPACE
from engine.store.journal import read_journal
from engine.store.reads import open_run
from tests.integration.api.belongings import LOOP, Belongings, furnish
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.hooks import open_hook, read_ingest

_STATE = f"""
SELECT current_user AS role, current_setting('{WORKSPACE}', true) AS workspace, current_setting('{RUN}', true) AS run,
       pg_backend_pid() AS pid
"""
# Every statement that tells a run, its history or figures by their workspace, and how it names it.
_STATEMENTS: tuple[tuple[ModuleType, str], ...] = (
    (reads, "_ONE"),
    (reads, "_OPEN"),
    (reads, "_LIST"),
    (run_counts, "_OF_WORKFLOW"),
    (dashboard, "_FIGURES"),
    (dashboard, "_QUEUED"),
    (accounts, "_SUM"),
    (origins, "_VERSION"),
    (inbox, "_PUT"),
    (connections, "_READ_ONE"),
    (trigger_payloads, "_EXISTS"),
    (trigger_payloads, "_RECEIPTS"),
)
_NAMED = re.compile(r"(?:\w+\.)?workspace_id = (\$\d)")


@pytest.fixture(params=["required", "off"])
async def api(
    request: pytest.FixtureRequest, settings: Settings, clean_database: str, clean_redis: str
) -> AsyncIterator[Api]:
    """The API with the second net, and without."""
    async with running(msgspec.structs.replace(settings, row_security=request.param)) as opened:
        yield opened


def forget_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first net away: of every statement the condition by which it names its workspace."""
    for module, name in _STATEMENTS:
        forgetful, count = _NAMED.subn(r"\1::uuid IS NOT NULL", getattr(module, name))
        assert count, (module.__name__, name)
        monkeypatch.setattr(module, name, forgetful)


async def ask(caller: Caller, home: Belongings) -> dict[str, int]:
    """The status of each call that reads a run, its history, or what it is started from."""
    run, client = f"/v1/runs/{home.ids['run_id']}", caller.client
    target = {"url": "http://127.0.0.1:9/"}
    answers = {
        "run": await client.get(run),
        "events": await client.get(f"{run}/events"),
        "items": await client.get(f"{run}/steps", params={"parent": "each"}),
        "value": await client.get(f"{run}/payloads/{home.ids['ref']}"),
        "expression": await client.post(
            "/v1/expressions/evaluate", json={"expression": "run.id", "run_id": home.ids["run_id"]}
        ),
        "received": await client.get(f"/v1/triggers/{home.ids['trigger_id']}/events"),
        "connection": await client.post(f"/v1/connections/{home.ids['connection_id']}/test", json=target),
        "cancel": await client.post(f"{run}/cancel"),
    }
    return {name: answer.status_code for name, answer in answers.items()}


async def start(caller: Caller) -> UUID:
    """A run of the caller's."""
    body = {"name": "w", "definition": LOOP}
    workflow_id = (await caller.client.post("/v1/workflows", json=body)).raise_for_status().json()["id"]
    (await caller.client.post(f"/v1/workflows/{workflow_id}/publish", json={})).raise_for_status()
    started = await caller.client.post(f"/v1/workflows/{workflow_id}/runs", json={})
    return UUID(started.raise_for_status().json()["run_id"])


async def test_a_run_is_kept_from_others_where_its_query_forgets_the_workspace(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, stranger = await furnish(api), await api.sign_in(Role.OWNER)
    forget_workspaces(monkeypatch)
    is_bound = api.settings.row_security == "required"
    asked = await ask(stranger, home)
    if is_bound:
        assert set(asked.values()) == {404}, asked
    else:
        assert 404 not in asked.values(), asked
    own = await ask(home.owner, home)
    assert own == {name: 202 if name == "cancel" else 200 for name in asked}


async def test_lists_and_figures_are_of_ones_own_runs_where_their_queries_forget_the_workspace(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, stranger = await furnish(api), await api.sign_in(Role.OWNER)
    forget_workspaces(monkeypatch)
    sees = api.settings.row_security == "off"
    for caller, is_told in ((home.owner, True), (stranger, sees)):
        listed = (await caller.client.get("/v1/runs")).raise_for_status().json()["items"]
        assert (home.ids["run_id"] in {run["id"] for run in listed}) is is_told
        counts = await caller.client.get("/v1/runs/counts", params={"workflow_id": home.ids["workflow_id"]})
        assert sum(counts.raise_for_status().json()["by_status"].values()) == (1 if is_told else 0)
        stats: dict[str, Any] = (await caller.client.get("/v1/stats")).raise_for_status().json()
        assert (stats["queue_depth"], stats["runs"]["by_status"]["queued"]) == ((2, 2) if is_told else (0, 0))
        assert stats["ingest"]["accepted"] == (1 if is_told else 0)


async def test_events_that_wait_for_a_trigger_that_is_gone_are_still_counted(api: Api) -> None:
    owner = await api.sign_in(Role.OWNER)
    hook = await open_hook(api, owner, {"debounce": {"period": 3600}})
    assert (await hook.post({"order": 7})).status_code == 202
    (await owner.client.delete(f"/v1/triggers/{hook.trigger_id}")).raise_for_status()
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["pending"], ingest["drift"]) == (1, 1, 0)


async def test_a_run_is_started_from_ones_own_workflow_alone_where_its_query_forgets_the_workspace(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, stranger = await furnish(api), await api.sign_in(Role.OWNER)
    forget_workspaces(monkeypatch)
    path = f"/v1/workflows/{home.ids['workflow_id']}/runs"
    answer = await stranger.client.post(path, json={})
    assert (answer.status_code == 404) is (api.settings.row_security == "required")
    assert (await home.owner.client.post(path, json={})).status_code == 202


@pytest.mark.parametrize("api", ["required"], indirect=True)
async def test_the_history_of_a_run_of_others_is_empty_whatever_was_opened(api: Api) -> None:
    home, other = await furnish(api), await api.sign_in(Role.OWNER)
    isolation: Isolation = api.app.state.isolation
    mine, theirs = UUID(home.ids["run_id"]), await start(other)
    async with isolation.read(home.owner.workspace_id) as reader:
        before = await read_journal(reader, mine)
        assert len(before) == 1, "it is read through the run, too"
        assert await open_run(reader, theirs, other.workspace_id) is None
        assert await read_journal(reader, theirs) == []
        assert await open_run(reader, mine, home.owner.workspace_id) is not None
        assert await reader.fetchval(f"SELECT current_setting('{RUN}')") == str(mine)
        assert await read_journal(reader, mine) == before
        assert await read_journal(reader, theirs) == []


@pytest.mark.without_faults("it looks at the very connection")
async def test_a_reading_transaction_is_of_one_moment_writes_nothing_and_leaves_nothing_behind(
    settings: Settings, clean_database: str
) -> None:
    place = new_id()
    engine = create_engine(msgspec.structs.replace(settings, database_pool=1), name="api")
    isolation = Isolation(engine, "required")
    beside = await asyncpg.connect(clean_database)
    user = await beside.fetchval("SELECT current_user")
    async with isolation.read(place) as reader:
        bound = await reader.fetchrow(_STATE)
        assert (bound["role"].startswith("flowforge_workspace_"), bound["workspace"]) == (True, str(place))
        assert await reader.fetchval("SELECT count(*) FROM workspace") == 0
        await beside.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", place)
        assert await reader.fetchval("SELECT count(*) FROM workspace") == 0
        await reader.execute(f"SELECT set_config('{RUN}', $1, true)", str(place))
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reader.execute("UPDATE workspace SET name = 'x'")
    # The same connection, after one transaction that failed, as whoever it is signed in as.
    async with Isolation(engine, "off").read(place) as reader:
        free = await reader.fetchrow(_STATE)
        assert (free["pid"], free["role"], free["workspace"], free["run"]) == (bound["pid"], user, "", "")
    await beside.close()
    await engine.dispose()


@pytest.mark.without_faults("it breaks the very connection")
async def test_a_connection_that_is_lost_while_reading_is_an_outage_and_the_next_one_reads(
    settings: Settings, clean_database: str
) -> None:
    engine = create_engine(msgspec.structs.replace(settings, database_pool=1), name="api")
    isolation = Isolation(engine, "required")
    beside = await asyncpg.connect(clean_database)
    pids = []

    async def read(*, is_broken_off: bool) -> None:
        async with isolation.read(new_id()) as reader:
            pids.append(await reader.fetchval("SELECT pg_backend_pid()"))
            if is_broken_off:
                await beside.execute("SELECT pg_terminate_backend($1)", pids[-1])
            assert await reader.fetchval("SELECT count(*) FROM run") == 0

    with pytest.raises(DATABASE_ERRORS) as lost:
        await read(is_broken_off=True)
    outage = as_outage(lost.value)
    assert outage is not None
    assert outage.code == "database_unavailable"
    await read(is_broken_off=False)
    assert pids[0] != pids[1]
    await beside.close()
    await engine.dispose()


async def test_a_connection_whose_beginning_was_never_heard_of_is_nobody_elses(
    settings: Settings, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(msgspec.structs.replace(settings, database_pool=1), name="api")
    isolation = Isolation(engine, "required")

    async def begin_unheard(connection: asyncpg.Connection, _workspace_id: UUID | None) -> bool:
        await connection.execute("BEGIN; SELECT pg_sleep(3600)", timeout=0.01)
        raise AssertionError("it has been heard of")

    with monkeypatch.context() as patched:
        patched.setattr(dependencies, "begin_reading", begin_unheard)
        with pytest.raises(TimeoutError):
            async with isolation.read(new_id()):
                raise AssertionError("it reads")
    async with isolation.read(new_id()) as reader:
        assert await reader.fetchval("SELECT count(*) FROM run") == 0
    async with isolation.begin(new_id()) as transaction:
        assert (await transaction.execute(text("SELECT count(*) FROM run"))).scalar_one() == 0
    await engine.dispose()
