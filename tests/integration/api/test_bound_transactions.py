"""Bound transactions as the API opens them: over a pool, through errors, and where the database has no role for it."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.auth.permissions import Role
from app.dependencies import Isolation
from app.outages import is_denied
from app.variables import repository as variables
from app.workflows import repository as workflows
from app.workflows.tables import workflow
from cli.diagnosis import Diagnosis
from cli.migrations import migrate
from engine.infra.database import create_engine
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store import approvals, receipts
from engine.store.isolation import NAME_OF_ROLE
from tests.integration.api.belongings import furnish
from tests.integration.api.callers import Api, running

_STATE = text("SELECT current_user, current_setting('flowforge.workspace', true), pg_backend_pid()")
_STEPS = {"schema": 1, "steps": [{"id": "note", "type": "transform", "with": {"values": {}}}]}


async def add_workspace(settings: Settings) -> UUID:
    """A workspace with a variable; its id."""
    workspace = new_id()
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", workspace)
    await connection.execute(
        "INSERT INTO variable (workspace_id, name, value, updated_by) VALUES ($1, $2, '1', $1)", workspace, "v"
    )
    await connection.close()
    return workspace


@pytest.mark.without_faults("it looks at the very connection")
async def test_nothing_of_a_bound_transaction_stays_with_its_connection(
    settings: Settings, clean_database: str
) -> None:
    first, second = new_id(), new_id()
    engine = create_engine(msgspec.structs.replace(settings, database_pool=1), name="api")
    isolation = Isolation(engine, "required")
    async with engine.begin() as transaction:
        user, _, pid = (await transaction.execute(_STATE)).one()
    async with isolation.begin(first) as transaction:
        role, workspace, its_pid = (await transaction.execute(_STATE)).one()
        assert (role.startswith("flowforge_workspace_"), workspace, its_pid) == (True, str(first), pid)
        with pytest.raises(DBAPIError):
            async with transaction.begin_nested():
                await transaction.execute(text("SELECT 1 / 0"))
        assert (await transaction.execute(_STATE)).one() == (role, str(first), pid), "a savepoint changes nothing"
    with pytest.raises(DBAPIError):
        async with isolation.begin(second) as transaction:
            await transaction.execute(text("SELECT 1 / 0"))
    async with engine.begin() as transaction:
        assert (await transaction.execute(_STATE)).one() == (user, "", pid)
    await engine.dispose()


@pytest.mark.without_faults("a statement that fails is not sent again")
async def test_a_row_of_another_workspace_is_none_and_a_write_of_it_is_denied(
    settings: Settings, clean_database: str
) -> None:
    mine, theirs = await add_workspace(settings), await add_workspace(settings)
    engine = create_engine(settings, name="api")
    isolation = Isolation(engine, "required")
    query = text("SELECT workspace_id FROM variable")
    async with isolation.begin(mine) as transaction:
        assert (await transaction.execute(query)).scalars().all() == [mine]
    add = "INSERT INTO variable (workspace_id, name, value, updated_by) VALUES ('{0}', 'w', '1', '{0}')"
    with pytest.raises(DBAPIError) as refused:
        async with isolation.begin(mine) as transaction:
            await transaction.execute(text(add.format(theirs)))
    assert is_denied(refused.value)
    async with Isolation(engine, "off").begin(mine) as transaction:
        assert sorted((await transaction.execute(query)).scalars()) == sorted([mine, theirs])
    await engine.dispose()


@pytest.mark.parametrize("mode", ["required", "off"])
async def test_a_query_that_forgets_its_workspace_finds_nothing_of_others(
    settings: Settings, clean_database: str, clean_redis: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    async with running(msgspec.structs.replace(settings, row_security=mode)) as api:
        theirs, stranger = await api.sign_in(Role.OWNER), await api.sign_in(Role.OWNER)
        made = await theirs.client.post("/v1/workflows", json={"name": "w", "definition": _STEPS})
        path = f"/v1/workflows/{made.raise_for_status().json()['id']}"
        monkeypatch.setattr(workflows, "_is_visible", lambda _workspace, workflow_id: workflow.c.id == workflow_id)
        status = 404 if mode == "required" else 200
        etag = made.headers["etag"]
        assert (await stranger.client.get(path)).status_code == status
        change = await stranger.client.patch(path, json={"name": "mine"}, headers={"if-match": etag})
        assert change.status_code == status
        assert (await theirs.client.get(path)).json()["name"] == ("w" if mode == "required" else "mine")


@pytest.mark.parametrize("mode", ["required", "off"])
async def test_an_approval_or_receipt_is_kept_from_others_where_its_query_forgets_the_workspace(
    settings: Settings, clean_database: str, clean_redis: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    async with running(msgspec.structs.replace(settings, row_security=mode)) as api:
        home, stranger = await furnish(api), await api.sign_in(Role.OWNER)
        for module, name, number in ((approvals, "_ONE", 2), (approvals, "_LIST", 1), (receipts, "_ONE", 2)):
            anything = f"${number}::uuid IS NOT NULL"
            forgetful = re.sub(r"(approval\.)?workspace_id = \$\d", anything, getattr(module, name))
            monkeypatch.setattr(module, name, forgetful)
        choose, place = receipts.choose, home.owner.workspace_id
        monkeypatch.setattr(receipts, "choose", lambda _place, *rest: choose(place, *rest))
        one, receipt = f"/v1/approvals/{home.ids['approval_id']}", f"/v1/events/{home.ids['event_id']}"
        is_seen = mode == "off"
        for path in (one, receipt):
            assert (await stranger.client.get(path)).status_code == (200 if is_seen else 404)
            assert (await home.owner.client.get(path)).status_code == 200
        for caller, sees in ((stranger, is_seen), (home.owner, True)):
            for path, item_id in (("/v1/approvals", home.ids["approval_id"]), ("/v1/events", home.ids["event_id"])):
                listed = (await caller.client.get(path)).json()["items"]
                assert [item["id"] for item in listed] == ([item_id] if sees else [])


async def test_a_write_into_another_workspace_is_answered_with_404(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, stranger = await api.sign_in(Role.OWNER), await api.sign_in(Role.OWNER)
    put = variables.put_variable
    monkeypatch.setattr(
        variables,
        "put_variable",
        lambda connection, _workspace, *rest: put(connection, theirs.workspace_id, *rest),
    )
    answer = await stranger.client.put("/v1/vars/region", json={"value": "eu"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await theirs.client.get("/v1/vars/region")).status_code == 404


@pytest.fixture
async def managed(servers: tuple[str, str], settings: Settings) -> AsyncIterator[tuple[Settings, asyncpg.Connection]]:
    """An empty database of a user who is no superuser and may make no role, and a superuser's connection to it."""
    name, password = f"managed_{secrets.token_hex(4)}", secrets.token_hex(8)
    server = await asyncpg.connect(servers[0])
    await server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    await server.execute(f"CREATE DATABASE {name} OWNER {name}")
    parts = urlsplit(servers[0])._replace(path=f"/{name}")
    host = parts.netloc.rpartition("@")[2]
    above = await asyncpg.connect(urlunsplit(parts))
    url = urlunsplit(parts._replace(netloc=f"{name}:{password}@{host}"))
    yield msgspec.structs.replace(settings, database_url=url, test_database_faults=""), above
    role = await above.fetchval(NAME_OF_ROLE)
    await above.close()
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.execute(f"DROP ROLE IF EXISTS {role}")
    await server.execute(f"DROP ROLE {name}")
    await server.close()


async def test_where_no_role_can_be_made_all_goes_on_without_and_says_so(
    managed: tuple[Settings, asyncpg.Connection], clean_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, above = managed
    assert await asyncio.to_thread(migrate, settings)
    role = await above.fetchval(NAME_OF_ROLE)
    assert f"Row-level security is off: the role {role} cannot be used" in capsys.readouterr().err
    async with running(settings) as api:
        caller = await api.sign_in(Role.OWNER)
        assert (await caller.client.get("/v1/workflows")).status_code == 200
        check = (await api.client().get("/health/ready")).json()["checks"]["migrations"]
        assert check["status"] == "ok"
        assert "row-level security is off" in check["detail"]
    finding = next(one for one in await Diagnosis(settings).examine() if one.check == "isolation")
    assert (finding.outcome, role in finding.message) == ("warn", True)
    async with running(msgspec.structs.replace(settings, row_security="required")) as api:
        answer = await api.client().get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]["migrations"]["status"]) == (503, "failed")
        caller = await api.sign_in(Role.OWNER)
        answer = await caller.client.get("/v1/workflows")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


async def test_whoever_owns_the_audit_log_has_no_right_to_change_it(
    managed: tuple[Settings, asyncpg.Connection], clean_redis: str
) -> None:
    settings, _ = managed
    await asyncio.to_thread(migrate, settings)
    async with running(settings) as api:
        await api.sign_in(Role.OWNER)
    owner = await asyncpg.connect(settings.database_url)
    try:
        assert await owner.fetchval("SELECT count(*) FROM audit_entry") == 1
        for statement in (
            "UPDATE audit_entry SET outcome = 'refused'",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
            "DELETE FROM audit_head",
            "TRUNCATE audit_head",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await owner.execute(statement)
    finally:
        await owner.close()


async def test_a_superuser_makes_the_role_and_the_next_migration_does_the_rest(
    managed: tuple[Settings, asyncpg.Connection], clean_redis: str
) -> None:
    settings, above = managed
    await asyncio.to_thread(migrate, settings)
    role = await above.fetchval(NAME_OF_ROLE)
    owner = urlsplit(settings.database_url).username
    await above.execute(f"CREATE ROLE {role} NOLOGIN")
    await above.execute(f"GRANT {role} TO {owner} WITH ADMIN TRUE, INHERIT FALSE, SET TRUE")
    assert await asyncio.to_thread(migrate, settings) == []
    engine = create_engine(settings, name="api")
    async with Isolation(engine, "required").begin(new_id()) as transaction:
        assert (await transaction.execute(text("SELECT current_user"))).scalar_one() == role
        assert (await transaction.execute(text("SELECT count(*) FROM run"))).scalar_one() == 0
    async with engine.begin() as transaction:
        place = new_id()
        await transaction.execute(text("INSERT INTO workspace (id, name) VALUES (:id, 'w')"), {"id": place})
        assert (await transaction.execute(text("SELECT count(*) FROM workspace"))).scalar_one() == 1
    await engine.dispose()
    finding = next(one for one in await Diagnosis(settings).examine() if one.check == "isolation")
    assert finding.outcome == "ok"


async def test_a_user_who_does_not_own_the_tables_is_not_cut_off(
    managed: tuple[Settings, asyncpg.Connection],
) -> None:
    settings, above = managed
    await asyncio.to_thread(migrate, settings)
    user = f"process_{secrets.token_hex(4)}"
    await above.execute(f"CREATE ROLE {user} NOLOGIN")
    try:
        await above.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}")
        async with above.transaction():
            await above.execute(f"SET LOCAL ROLE {user}")
            place, run = new_id(), new_id()
            await above.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", place)
            await above.execute(
                "INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status) "
                "VALUES ($1, $2, $2, $2, 1, 'api', 'queued')",
                run,
                place,
            )
            add = "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, 1, 'x', now(), '')"
            await above.execute(add, run)
            assert await above.fetchval("SELECT count(*) FROM run JOIN journal ON run_id = run.id") == 1
    finally:
        await above.execute(f"DROP OWNED BY {user}")
        await above.execute(f"DROP ROLE {user}")
