"""Every call of the OpenAPI document, made by everybody who may come: each gets what the table of access says."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.handlers import get
from msgspec import Struct

from app.auth.guards import authenticate
from app.auth.permissions import PERMISSIONS, Permission, Role
from app.auth.principal import Principal
from app.main import create_app
from app.openapi import build_document
from app.problems import EXCEPTION_HANDLERS, MEDIA_TYPE
from cli.access import PAGE
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.api.access import ASKED, GRANTED, PUBLIC, holders
from tests.integration.api.belongings import Belongings, dump_rows, furnish
from tests.integration.api.callers import Api

METHODS = ("get", "post", "put", "patch", "delete")
# Nobody is on the machine itself: metrics are open there.
AFAR = "192.0.2.7"
# Of the printed table: who comes, before what is another workspace's.
COLUMNS = ("anybody", *(role.value for role in tuple(Role)[::-1]))
STREAM = "GET /v1/stream"
LOG_OUT = "POST /v1/auth/logout"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404

# What calls need in their bodies to get beyond them.
BODIES: dict[str, Any] = {
    "PATCH /v1/members/{user_id}": {"role": "operator"},
    "PATCH /v1/triggers/{trigger_id}": {"enabled": False},
    "PATCH /v1/workflows/{workflow_id}": {"name": "Mine"},
    "PATCH /v1/workspaces/{workspace_id}": {"name": "Ours"},
    "POST /v1/approvals/{approval_id}": {"decision": "approved"},
    # Refused before anything is sent.
    "POST /v1/connections/{connection_id}/test": {"url": "http://127.0.0.1:9/"},
    "POST /v1/runs/{run_id}/signal": {"name": "go"},
    "POST /v1/triggers/{trigger_id}/rotate": {"what": "url"},
    "POST /v1/workflows/{workflow_id}/steps/{step}/test": {"timeout": 0},
    "POST /v1/workflows/{workflow_id}/triggers": {"type": "webhook"},
    "PUT /v1/vars/{name}": {"value": "mine"},
}
QUERIES = {"GET /v1/runs/{run_id}/steps": {"parent": "each"}}
# A name is taken in each workspace by itself: setting a variable of another's name makes one's own.
MAKES_ONES_OWN = "PUT /v1/vars/{name}"
STALE = '"0"'
# 409 and 412 tell how the thing is, and so that it is there.
SERVED = {200, 201, 202, 204, 409, 412}


class Known(Struct, frozen=True):
    """A caller: who it is, as what it comes, and its client."""

    what: str
    role: Role | None
    client: httpx.AsyncClient
    token: str = ""


@pytest.fixture(scope="module")
def printed() -> dict[str, list[str]]:
    """The rows of the table in the documentation: by call, who may make it and what it finds of another workspace."""
    rows = re.findall(r"^\| `([A-Z]+ /\S*)` \| \S+ \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return {call: cells.split(" | ") for call, cells in rows}


@pytest.fixture(scope="module")
def calls() -> list[str]:
    """Method and path of every operation that the document names."""
    document = build_document(create_app(Settings(database_url="postgresql://nowhere")))
    named = [(path, method) for path, item in document["paths"].items() for method in METHODS if method in item]
    return [f"{method.upper()} {path}" for path, method in named]


def test_the_table_names_every_call_and_no_other(calls: list[str]) -> None:
    assert set(calls) == ASKED.keys() | PUBLIC, "name the call with its permission in tests/integration/api/access.py"
    assert not ASKED.keys() & PUBLIC


def test_roles_hold_what_the_contract_gives_them() -> None:
    assert {role: {each.value for each in PERMISSIONS[role]} for role in Role} == {
        role: {each.value for each in Permission if role in holders(each)} for role in Role
    }
    assert set().union(*GRANTED.values()) == {each.value for each in Permission}


async def test_a_call_that_asks_for_no_permission_is_for_nobody() -> None:
    denied = []

    class Everybody:
        async def authenticate(self, _token: str) -> Principal:
            return Principal(user_id=new_id(), workspace_id=new_id(), role=Role.OWNER)

        def note_denied(self, _principal: Principal, permission: str | None, call: str, _detail: str) -> None:
            denied.append((permission, call))

    @get("/forgotten", guards=[authenticate])
    async def forgotten() -> str:
        return "open"

    app: Any = Litestar([forgotten], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)
    app.state.authenticator = app.state.refusals = Everybody()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://flowforge.test") as client:
        answer = await client.get("/forgotten", headers={"authorization": "Bearer any"})
    assert (answer.status_code, answer.json()["code"]) == (FORBIDDEN, "missing_permission")
    assert denied == [(None, "GET /forgotten")]


async def test_each_call_is_for_those_roles_alone_that_hold_its_permission(
    api: Api, calls: list[str], printed: dict[str, list[str]]
) -> None:
    callers = await _make_callers(api)
    walked: dict[str, dict[str, set[str]]] = {}
    # Signing out ends what the others need.
    for call in sorted(calls, key=lambda call: call == LOG_OUT):
        method, path = _fill(call, {})
        may = walked[call] = {column: set() for column in COLUMNS}
        for caller in callers:
            label = f"{call} as {caller.what}"
            column = "anybody" if caller.role is None else caller.role.value
            if call == STREAM and caller.role is not None:
                assert await _begin_stream(api, path, caller.token) == 200, label
                may[column].add("yes")
                continue
            answer = await caller.client.request(method, path, json=None if method == "GET" else {})
            is_problem = answer.headers.get("content-type") == MEDIA_TYPE
            told = (answer.status_code, answer.json()["code"] if is_problem else None)
            may[column].add("-" if answer.status_code in {UNAUTHORIZED, FORBIDDEN} else "yes")
            if call in PUBLIC:
                assert answer.status_code not in {UNAUTHORIZED, FORBIDDEN}, label
            elif caller.role is None:
                assert told == (UNAUTHORIZED, "missing_token"), label
            elif caller.role in holders(ASKED[call]):
                assert answer.status_code not in {UNAUTHORIZED, FORBIDDEN}, (label, told)
                assert answer.status_code < 500, (label, told)
            else:
                assert told == (FORBIDDEN, "missing_permission"), label
    told_of = {call: dict(zip(COLUMNS, cells, strict=False)) for call, cells in printed.items() if call in walked}
    assert told_of == {call: {column: "".join(each) for column, each in may.items()} for call, may in walked.items()}


async def test_the_table_prints_beside_the_calls_only_pages_that_are_for_everybody(
    api: Api, calls: list[str], printed: dict[str, list[str]]
) -> None:
    pages = printed.keys() - set(calls)
    assert pages == {"GET /docs/api", "GET /docs/api.css", "GET /openapi.json"}
    for page in pages:
        assert printed[page] == ["yes"] * len(COLUMNS) + ["-"]
        assert (await api.client(address=AFAR).get(page.removeprefix("GET "))).status_code == 200


async def test_what_another_workspace_owns_is_not_there(
    api: Api, calls: list[str], printed: dict[str, list[str]]
) -> None:
    home = await furnish(api)
    stranger = (await api.sign_in(Role.OWNER)).client
    async with api.database.begin() as connection:
        before = await dump_rows(connection, home.owner.workspace_id)
    assert {name for name, rows in before.items() if rows} >= {"run", "workflow", "api_key", "membership", "variable"}
    for call in sorted(calls, key=lambda call: call == MAKES_ONES_OWN):
        if call in PUBLIC or call in (STREAM, LOG_OUT):
            continue
        answer = await _make_call(stranger, call, home.ids)
        if "{" in call and call != MAKES_ONES_OWN:
            assert answer.status_code == NOT_FOUND, (call, answer.text)
            assert answer.json()["code"] == "not_found", call
            assert printed[call][-1] == "404", call
        else:
            assert printed[call][-1] == ("one's own" if call == MAKES_ONES_OWN else "-"), call
        seen = [each for each in home.ids.values() if "-" in each and each in answer.text]
        assert seen == [], call
    async with api.database.begin() as connection:
        assert await dump_rows(connection, home.owner.workspace_id) == before
    await _check_that_they_are_there(home, calls)


async def test_reading_changes_nothing(api: Api, calls: list[str]) -> None:
    home = await furnish(api)
    async with api.database.begin() as connection:
        before = await dump_rows(connection, home.owner.workspace_id)
    for call in calls:
        if call.startswith("GET ") and call not in PUBLIC and not call.endswith("/stream"):
            answer = await _make_call(home.owner.client, call, home.ids)
            assert answer.status_code == 200, (call, answer.text)
    async with api.database.begin() as connection:
        assert await dump_rows(connection, home.owner.workspace_id) == before


async def test_nobody_is_led_to_another_address(api: Api, calls: list[str]) -> None:
    # Who calls without TLS has told the token by then: a redirect would only hide that.
    home = await furnish(api)
    signs_in = {"GET /v1/auth/oidc/callback", "GET /v1/auth/oidc/login", "GET /v1/connections/oauth/callback"}
    for client in (api.client(address=AFAR), home.owner.client):
        for call in calls:
            if call == LOG_OUT or call in signs_in or call.endswith("/stream"):
                continue
            answer = await _make_call(client, call, {})
            assert not answer.has_redirect_location, call
            assert not 300 <= answer.status_code < 400, call


async def test_ids_of_another_workspace_in_bodies_name_nothing(api: Api) -> None:
    home = await furnish(api)
    stranger = (await api.sign_in(Role.OWNER)).client
    run_id, workflow_id = home.ids["run_id"], home.ids["workflow_id"]
    elsewhere = {"workspace_id": str(home.owner.workspace_id)}
    assert (await stranger.post("/v1/auth/switch", json=elsewhere)).status_code == NOT_FOUND
    evaluated = await stranger.post("/v1/expressions/evaluate", json={"expression": "input", "run_id": run_id})
    assert evaluated.status_code == NOT_FOUND
    for meant in ({"ids": [run_id]}, {"workflow_id": workflow_id}):
        answer = await stranger.post("/v1/runs/bulk", json={"action": "cancel", "filter": meant})
        assert answer.status_code == 200, answer.text
        assert run_id not in answer.text
    assert (await home.owner.client.get(f"/v1/runs/{run_id}")).json()["status"] == "queued"
    assert (await stranger.get("/v1/runs", params={"workflow_id": workflow_id})).json()["items"] == []


async def _make_callers(api: Api) -> list[Known]:
    """Somebody without a token, and of each role a member and a key."""
    callers = [Known("anonymous", None, api.client(address=AFAR))]
    owner = await api.sign_in(Role.OWNER)
    for role in Role:
        member = await api.sign_in(role, owner.workspace_id)
        made = await owner.client.post("/v1/api-keys", json={"name": role.value, "role": role.value})
        for what, token in (("member", member.tokens["access_token"]), ("key", made.json()["secret"])):
            callers.append(Known(f"{role.value}'s {what}", role, api.client(token, AFAR), token))
    return callers


async def _check_that_they_are_there(home: Belongings, calls: list[str]) -> None:
    """Make the same calls as the owner: what was not there for a stranger is there."""
    last = ("GET", "POST", "PUT", "PATCH", "DELETE")
    own = [call for call in calls if "{" in call and call not in PUBLIC and not call.endswith("/stream")]
    for call in sorted(own, key=lambda call: last.index(call.split(" ")[0])):
        answer = await _make_call(home.owner.client, call, home.ids)
        assert answer.status_code in SERVED, (call, answer.text)


async def _make_call(client: httpx.AsyncClient, call: str, ids: Mapping[str, str]) -> httpx.Response:
    """Make a call with these ids, and with what it needs beside them."""
    method, path = _fill(call, ids)
    body = None if method == "GET" else BODIES.get(call, {})
    return await client.request(method, path, json=body, params=QUERIES.get(call), headers={"if-match": STALE})


def _fill(call: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Method and path of a call, with these values; ids and names of nothing where there are none."""
    method, path = call.split(" ", 1)
    plain = {"name": "nothing", "ref": "1.input", "step": "nothing", "version": "7"}
    return method, re.sub(
        r"\{(\w+)\}", lambda found: values.get(found[1]) or plain.get(found[1]) or str(new_id()), path
    )


async def _begin_stream(api: Api, path: str, token: str) -> int:
    """The status that a stream begins with; its caller then hangs up."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    requests = asyncio.Queue[dict[str, Any]]()
    requests.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not begun.done():
            begun.set_result(message["status"])
            requests.put_nowait({"type": "http.disconnect"})

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"flowforge.test"), (b"authorization", f"Bearer {token}".encode())],
        "client": (AFAR, 40_000),
        "server": ("flowforge.test", 80),
    }
    serving = asyncio.create_task(api.app(scope, requests.get, send))
    try:
        return await begun
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
