"""Connections over the API: made, changed, used by workflows, and their secrets shown to nobody."""

from typing import Any

import pytest
from sqlalchemy import text

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller

SECRET = "s3cr3t-of-the-shop"
BEARER = {"name": "shop", "type": "bearer", "secret": {"token": SECRET}}


def definition(name: str) -> dict[str, Any]:
    step = {"id": "get", "type": "http", "with": {"method": "GET", "url": "https://a.example/", "connection": name}}
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1]"}, "steps": [step]}
    return {"schema": 1, "steps": [loop]}


async def make(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = await caller.client.post("/v1/connections", json={**BEARER, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("basic", {"username": "ann", "password": SECRET}),
        ("basic", {"username": SECRET, "password": ""}),
        ("bearer", {"token": SECRET}),
        ("api_key", {"header": "X-Api-Key", "value": SECRET}),
        ("custom_headers", {"headers": {"X-One": SECRET, "X-Two": "2"}}),
        ("oauth2_client_credentials", {"token_url": "https://a.example/t", "client_id": "c", "client_secret": SECRET}),
    ],
)
async def test_a_secret_of_every_type_goes_in_and_never_comes_out(
    api: Api, owner: Caller, kind: str, secret: dict[str, Any]
) -> None:
    made = await owner.client.post("/v1/connections", json={"name": "shop", "type": kind, "secret": secret})
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    read = await owner.client.get(path)
    listed = await owner.client.get("/v1/connections")
    changed = await owner.client.patch(path, json={"secret": secret})
    for answer in (made, read, listed, changed):
        assert answer.is_success
        assert "secret" not in answer.text
        assert SECRET not in answer.text
    assert read.json()["type"] == kind
    assert [item["name"] for item in listed.json()["items"]] == ["shop"]
    async with api.database.begin() as connection:
        kept = (await connection.execute(text("SELECT secret, wrapped_key FROM connection"))).all()
    assert kept
    assert all(SECRET.encode() not in bytes(part) for row in kept for part in row)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"name": "a b"}, "/name", "format"),
        ({"name": ""}, "/name", "format"),
        ({"type": "magic"}, "/type", "choice"),
        ({"secret": {}}, "/secret/token", "required"),
        ({"secret": {"token": 5}}, "/secret/token", "type"),
        ({"secret": {"token": ""}}, "/secret/token", "length"),
        ({"secret": {"token": SECRET, "more": 1}}, "/secret/more", "unknown_field"),
        ({"secret": {"token": f"{SECRET}\nX: 1"}}, "/secret/token", "format"),
        ({"secret": SECRET}, "/secret", "type"),
        ({"type": "basic", "secret": {"username": "a:b", "password": SECRET}}, "/secret/username", "format"),
        ({"type": "basic", "secret": {"username": "", "password": ""}}, "/secret/password", "length"),
        ({"type": "api_key", "secret": {"header": "Host", "value": SECRET}}, "/secret/header", "format"),
        ({"type": "api_key", "secret": {"header": "a b", "value": SECRET}}, "/secret/header", "format"),
        ({"type": "custom_headers", "secret": {"headers": {}}}, "/secret/headers", "length"),
        ({"type": "custom_headers", "secret": {"headers": {"A": "1", "a": "2"}}}, "/secret/headers/A", "format"),
        (
            {
                "type": "oauth2_client_credentials",
                "secret": {"token_url": "ftp://a", "client_id": "c", "client_secret": SECRET},
            },
            "/secret/token_url",
            "format",
        ),
        ({"allowed_hosts": ["https://a.example"]}, "/allowed_hosts/0", "format"),
        ({"allowed_hosts": ["a.example", "*"]}, "/allowed_hosts/1", "format"),
        ({"allowed_hosts": ["a.example:99999"]}, "/allowed_hosts/0", "format"),
        ({"more": 1}, "/more", "unknown_field"),
    ],
)
async def test_what_is_wrong_with_a_connection_is_told_without_its_secret(
    owner: Caller, fields: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await owner.client.post("/v1/connections", json={**BEARER, **fields})
    assert answer.status_code == 400, answer.text
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert SECRET not in answer.text


async def test_allowed_hosts_are_kept_as_they_are_compared(owner: Caller) -> None:
    hosts = ["API.Example.com.", "*.example.com:8443", "münchen.example", "api.example.com"]
    made = await make(owner, allowed_hosts=hosts)
    assert made["allowed_hosts"] == ["api.example.com", "*.example.com:8443", "xn--mnchen-3ya.example"]


async def test_a_name_is_taken_once_in_a_workspace(api: Api, owner: Caller) -> None:
    await make(owner)
    again = await owner.client.post("/v1/connections", json=BEARER)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    other = await make(owner, name="other")
    renamed = await owner.client.patch(f"/v1/connections/{other['id']}", json={"name": "shop"})
    assert (renamed.status_code, renamed.json()["code"]) == (409, "name_taken")
    await make(await api.sign_in(Role.ADMIN))


async def test_a_post_that_is_repeated_with_its_key_makes_one_connection(owner: Caller) -> None:
    key = {"idempotency-key": "once"}
    answers = [await owner.client.post("/v1/connections", json=BEARER, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    other = {**BEARER, "name": "other"}
    assert (await owner.client.post("/v1/connections", json=other, headers=key)).status_code == 409


async def test_a_change_moves_the_etag_and_a_stale_one_changes_nothing(owner: Caller) -> None:
    made = await owner.client.post("/v1/connections", json=BEARER)
    path, first = made.headers["location"], made.headers["etag"]
    changed = await owner.client.patch(path, json={"allowed_hosts": ["a.example"]}, headers={"if-match": first})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] != first
    for stale in (
        await owner.client.patch(path, json={"name": "mine"}, headers={"if-match": first}),
        await owner.client.delete(path, headers={"if-match": first}),
    ):
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_etag")
        assert stale.headers["etag"] == changed.headers["etag"]
    read = await owner.client.get(path)
    assert (read.json()["name"], read.json()["allowed_hosts"]) == ("shop", ["a.example"])
    assert read.headers["etag"] == changed.headers["etag"]


async def test_another_type_needs_its_secret(owner: Caller) -> None:
    path = f"/v1/connections/{(await make(owner))['id']}"
    refused = await owner.client.patch(path, json={"type": "basic"})
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [("/secret", "required")]
    secret = {"username": "ann", "password": "p"}
    changed = await owner.client.patch(path, json={"type": "basic", "secret": secret})
    assert changed.json()["type"] == "basic", changed.text


async def test_a_connection_that_workflows_name_goes_by_force_alone(owner: Caller) -> None:
    path = f"/v1/connections/{(await make(owner))['id']}"
    workflow = (
        await owner.client.post("/v1/workflows", json={"name": "Orders", "definition": definition("shop")})
    ).json()
    published = await owner.client.post(f"/v1/workflows/{workflow['id']}/publish")
    assert published.status_code == 201, published.text
    use = {"workflow_id": workflow["id"], "workflow_name": "Orders", "in_draft": True, "in_published": True}
    assert (await owner.client.get(path)).json()["used_by"] == [use]
    for refused in (await owner.client.delete(path), await owner.client.patch(path, json={"name": "store"})):
        assert (refused.status_code, refused.json()["code"]) == (409, "connection_in_use")
        assert refused.json()["used_by"] == [use]
    draft = {"definition": definition("other")}
    changed = await owner.client.patch(f"/v1/workflows/{workflow['id']}", json=draft, headers={"if-match": "*"})
    assert [problem["code"] for problem in changed.json()["problems"]] == ["unknown_connection"]
    assert (await owner.client.get(path)).json()["used_by"] == [{**use, "in_draft": False}]
    assert (await owner.client.delete(path, params={"force": "true"})).status_code == 204
    assert (await owner.client.get(path)).status_code == 404


async def test_the_list_counts_the_workflows_that_name_each_where_it_is_asked_to(api: Api, owner: Caller) -> None:
    stranger = await api.sign_in(Role.OWNER)
    for caller in (owner, stranger):
        await make(caller)
    await make(owner, name="other")
    for number, name in enumerate(("shop", "shop", "other", "{{ vars.shop }}", "elsewhere")):
        body = {"name": f"Orders {number}", "definition": definition(name)}
        made = (await owner.client.post("/v1/workflows", json=body)).json()
        if number == 0:
            # In the draft and in the published version of one: it is one workflow.
            assert (await owner.client.post(f"/v1/workflows/{made['id']}/publish")).status_code == 201

    async def counts(caller: Caller, **query: str) -> dict[str, int | None]:
        items = (await caller.client.get("/v1/connections", params=query)).json()["items"]
        return {item["name"]: item["used_by_count"] for item in items}

    assert await counts(owner, count_uses="true") == {"shop": 2, "other": 1}
    assert await counts(stranger, count_uses="true") == {"shop": 0}
    assert await counts(owner) == {"shop": None, "other": None}


async def test_a_name_that_is_written_with_escapes_is_found(owner: Caller) -> None:
    path = f"/v1/connections/{(await make(owner))['id']}"
    raw = b'{"schema":1,"steps":[{"id":"a","type":"http","with":{"url":"https://a.example","method":"GET",'
    raw += b'"conn\\u0065ction":"sh\\u006fp"}}]}'
    body = b'{"name":"Escaped","definition":' + raw + b"}"
    made = await owner.client.post("/v1/workflows", content=body, headers={"content-type": "application/json"})
    assert made.json()["problems"] == [], made.text
    assert [use["workflow_name"] for use in (await owner.client.get(path)).json()["used_by"]] == ["Escaped"]


async def test_a_definition_that_names_an_unknown_connection_is_not_published(api: Api, owner: Caller) -> None:
    # Another workspace's connection is none here.
    await make(await api.sign_in(Role.OWNER))
    body = {"name": "Orders", "definition": definition("shop")}
    workflow = (await owner.client.post("/v1/workflows", json=body)).json()
    expected = [("/steps/0/steps/0/with/connection", "unknown_connection")]
    assert [(each["pointer"], each["code"]) for each in workflow["problems"]] == expected
    refused = await owner.client.post(f"/v1/workflows/{workflow['id']}/publish")
    assert refused.status_code == 422
    assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == expected
    checked = (await owner.client.post("/v1/workflows/validate", json=definition("shop"))).json()
    assert [(each["pointer"], each["code"]) for each in checked["errors"]] == expected
    await make(owner)
    assert (await owner.client.post(f"/v1/workflows/{workflow['id']}/publish")).status_code == 201


async def test_a_name_that_an_expression_gives_is_no_fault(owner: Caller) -> None:
    checked = (await owner.client.post("/v1/workflows/validate", json=definition("{{ vars.shop }}"))).json()
    assert checked == {"valid": True, "errors": []}


async def test_who_may_see_and_who_may_change_connections(api: Api, owner: Caller) -> None:
    path = f"/v1/connections/{(await make(owner))['id']}"
    for role, status in ((Role.ADMIN, 200), (Role.EDITOR, 403), (Role.OPERATOR, 403), (Role.VIEWER, 403)):
        caller = await api.sign_in(role, owner.workspace_id)
        assert (await caller.client.patch(path, json={"allowed_hosts": []})).status_code == status
        assert (await caller.client.get(path)).json()["name"] == "shop"
