"""Variables over the API: any JSON by name, bounded, of one workspace alone."""

from typing import Any

import pytest

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller


async def put(caller: Caller, name: str, value: Any) -> int:
    return (await caller.client.put(f"/v1/vars/{name}", json={"value": value})).status_code


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "text", "\0", ["a", {"b": None}], {"z": 1, "a": 2}])
async def test_a_variable_is_any_json(owner: Caller, value: Any) -> None:
    assert await put(owner, "region", value) == 201
    read = (await owner.client.get("/v1/vars/region")).json()
    assert (read["name"], read["value"], read["updated_by"]) == ("region", value, str(owner.user_id))


async def test_a_variable_is_changed_listed_and_deleted(owner: Caller) -> None:
    assert [await put(owner, name, name) for name in ("b", "a", "b")] == [201, 201, 200]
    listed = (await owner.client.get("/v1/vars")).json()
    assert [(item["name"], item["value"]) for item in listed["items"]] == [("a", "a"), ("b", "b")]
    assert listed["next_cursor"] is None
    assert (await owner.client.delete("/v1/vars/a")).status_code == 204
    assert (await owner.client.get("/v1/vars/a")).status_code == 404
    assert (await owner.client.delete("/v1/vars/a")).status_code == 404


@pytest.mark.parametrize("name", ["1st", "a-b", "a" * 64, "ä", "%00", "a.b", "a%0A"])
async def test_a_name_that_no_expression_could_read_is_refused(owner: Caller, name: str) -> None:
    answer = await owner.client.put(f"/v1/vars/{name}", json={"value": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/value", "required"),
        ({"value": 1, "secret": True}, "/secret", "unknown_field"),
        ({"value": "x" * 65_535}, "/value", "length"),
    ],
)
async def test_what_is_wrong_with_a_value_is_told(owner: Caller, body: Any, pointer: str, code: str) -> None:
    answer = await owner.client.put("/v1/vars/region", json=body)
    assert answer.status_code == 400, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


async def test_all_of_a_workspace_together_are_bounded(owner: Caller) -> None:
    large = "x" * 65_000
    assert [await put(owner, f"v{number}", large) for number in range(17)] == [201] * 16 + [400]
    assert await put(owner, "v0", "smaller") == 200
    assert await put(owner, "v16", "y") == 201


async def test_with_an_etag_nobody_undoes_what_somebody_else_has_done(owner: Caller) -> None:
    path = "/v1/vars/region"
    made = await owner.client.put(path, json={"value": 1})
    first = made.headers["etag"]
    assert (await owner.client.get(path)).headers["etag"] == first
    changed = await owner.client.put(path, json={"value": 2}, headers={"if-match": first})
    second = changed.headers["etag"]
    assert (changed.status_code, second == first) == (200, False)
    stale = await owner.client.put(path, json={"value": 3}, headers={"if-match": first})
    assert (stale.status_code, stale.json()["code"], stale.headers["etag"]) == (412, "stale_etag", second)
    assert stale.json()["updated_by"] == {"id": str(owner.user_id)}
    assert (await owner.client.delete(path, headers={"if-match": first})).status_code == 412
    assert (await owner.client.get(path)).json()["value"] == 2
    assert (await owner.client.delete(path, headers={"if-match": second})).status_code == 204
    for etag in (second, "*"):
        answer = await owner.client.put(path, json={"value": 4}, headers={"if-match": etag})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_etag")
    assert (await owner.client.get(path)).status_code == 404


async def test_who_may_read_and_who_may_write(api: Api, owner: Caller) -> None:
    await put(owner, "region", "eu")
    await put(owner, "other", 1)
    for role, written, deleted in ((Role.VIEWER, 403, 403), (Role.OPERATOR, 403, 403), (Role.EDITOR, 200, 204)):
        caller = await api.sign_in(role, owner.workspace_id)
        assert await put(caller, "region", "eu") == written
        assert (await caller.client.delete("/v1/vars/other")).status_code == deleted
        assert (await caller.client.get("/v1/vars/region")).json()["value"] == "eu"


async def test_another_workspace_has_its_own(api: Api, owner: Caller) -> None:
    await put(owner, "region", "eu")
    other = await api.sign_in(Role.OWNER)
    assert (await other.client.get("/v1/vars/region")).status_code == 404
    assert (await other.client.get("/v1/vars")).json()["items"] == []
    assert await put(other, "region", "us") == 201
    assert (await owner.client.get("/v1/vars/region")).json()["value"] == "eu"


def step(kind: str, with_: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a", "type": kind, "with": with_, **more}


READERS: dict[str, dict[str, Any]] = {
    "a template": {"steps": [step("transform", {"values": {"x": ["in {{ vars.region }}"]}})]},
    "a condition": {"steps": [step("if", {"condition": "vars.region == 'eu'"})]},
    "items": {"steps": [step("foreach", {"items": "[vars['region']]"}, steps=[])]},
    "a case": {"steps": [step("switch", {"cases": {"eu": "vars.region == 'eu'"}})]},
    "a step of a loop": {
        "steps": [step("foreach", {"items": "[1]"}, steps=[step("if", {"condition": "vars.region == 'eu'"})])]
    },
    "the output": {"steps": [], "output": {"x": "{{ vars.region }}"}},
    "the settings": {"steps": [], "settings": {"timeout": "{{ vars.region.size() }}"}},
}
OTHERS: dict[str, dict[str, Any]] = {
    "a text": {"steps": [step("transform", {"values": {"x": "vars.region"}})]},
    "a text in an expression": {"steps": [step("if", {"condition": "'vars.region' == 'x'"})]},
    "another variable": {"steps": [step("if", {"condition": "vars.regions == 'eu'"})]},
    "a field of another": {"steps": [step("if", {"condition": "vars.a.region == 'eu'"})]},
    "no expression": {"steps": [step("if", {"condition": "vars.region =="})]},
    "any shape": {"steps": ["vars.region", {"with": "vars.region"}, 7], "output": "vars.region"},
}


async def test_a_variable_tells_where_it_is_used(api: Api, owner: Caller) -> None:
    await put(owner, "region", "eu")
    ids = {}
    for name, document in {**READERS, **OTHERS}.items():
        body = {"name": name, "definition": {"schema": 1, **document}}
        made = await owner.client.post("/v1/workflows", json=body)
        assert made.status_code == 201, made.text
        ids[name] = made.json()["id"]
    uses = (await owner.client.get("/v1/vars/region")).json()["used_by"]
    assert [use["workflow_name"] for use in uses] == list(READERS)
    assert {(use["in_draft"], use["in_published"]) for use in uses} == {(True, False)}
    assert (await owner.client.post(f"/v1/workflows/{ids['a template']}/publish")).status_code == 201
    draft = {"definition": {"schema": 1, "steps": []}}
    path = f"/v1/workflows/{ids['a template']}"
    assert (await owner.client.patch(path, json=draft, headers={"if-match": "*"})).status_code == 200
    first = (await owner.client.get("/v1/vars/region")).json()["used_by"][0]
    assert (first["workflow_id"], first["in_draft"], first["in_published"]) == (ids["a template"], False, True)
    stranger = await api.sign_in(Role.OWNER)
    await put(stranger, "region", "us")
    assert (await stranger.client.get("/v1/vars/region")).json()["used_by"] == []
