import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller

GOOD: dict[str, Any] = {
    "schema": 1,
    "steps": [
        {"id": "fetch", "type": "http", "with": {"method": "GET", "url": "https://shop.example/orders"}},
        {"id": "pause", "type": "delay", "with": {"seconds": 5}, "after": ["fetch"]},
    ],
}
FAULTY: dict[str, Any] = {
    "schema": 1,
    "steps": [
        {"id": "a", "type": "delay", "with": {"seconds": 1}, "after": ["nowhere"]},
        {"id": "b", "type": "teleport"},
    ],
}


async def _create(caller: Caller, name: str = "Orders", definition: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await caller.client.post("/v1/workflows", json={"name": name, "definition": definition or GOOD})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_a_new_workflow_comes_back_with_its_draft_and_no_problems(owner: Caller) -> None:
    answer = await owner.client.post(
        "/v1/workflows", json={"name": "Orders", "description": "From the shop", "definition": GOOD}
    )
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/workflows/{body['id']}"
    assert (body["name"], body["description"], body["enabled"]) == ("Orders", "From the shop", True)
    assert body["definition"] == GOOD
    assert body["problems"] == []
    assert body["published_version"] is None
    assert body["created_by"] == body["updated_by"] == str(owner.user_id)
    assert (await owner.client.get(f"/v1/workflows/{body['id']}")).json() == body


async def test_a_faulty_draft_is_saved_with_its_problems(owner: Caller) -> None:
    body = await _create(owner, definition=FAULTY)
    assert {problem["pointer"] for problem in body["problems"]} >= {"/steps/0/after/0", "/steps/1/type"}
    assert all(problem["code"] and problem["message"] for problem in body["problems"])


async def test_a_definition_keeps_its_bytes_and_their_order(owner: Caller) -> None:
    definition = '{"steps": [], "schema":1,\n "ui": {"z": 1.0, "a": "\\u0000", "big": 123456789012345678901234567890}}'
    answer = await owner.client.post(
        "/v1/workflows",
        content=f'{{"name": "Raw", "definition": {definition}}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 201
    assert definition in answer.text
    assert definition in (await owner.client.get(answer.headers["location"])).text


async def test_the_list_is_newest_first_in_pages_without_definitions(owner: Caller) -> None:
    made = [(await _create(owner, f"W{i}"))["id"] for i in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor:
        parameters = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await owner.client.get("/v1/workflows", params=parameters)).json()
        assert all("definition" not in item for item in page["items"])
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        pages += 1
    assert pages == 3
    assert seen == made[::-1]


async def test_names_are_searched_in_any_case_and_literally(owner: Caller) -> None:
    for name in ("Order intake", "100% done", "Reorder", "Invoices"):
        await _create(owner, name)
    for q, expected in (("ORDER", {"Order intake", "Reorder"}), ("%", {"100% done"}), ("_", set()), ("\\", set())):
        page = (await owner.client.get("/v1/workflows", params={"q": q})).json()
        assert {item["name"] for item in page["items"]} == expected


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=201", f"limit={'9' * 30}", "limit=x", "limit=", "limit=1&limit=x", "q=%00"),
        *("cursor=x", "cursor=AAAA", "cursor=%00", f"cursor={'A' * 600}"),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_refused(owner: Caller, query: str) -> None:
    answer = await owner.client.get(f"/v1/workflows?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_request", "invalid_cursor")


async def test_a_faulty_parameter_is_named(owner: Caller) -> None:
    answer = await owner.client.get("/v1/workflows?limit=0")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/query/limit"]


async def test_a_change_raises_the_revision_and_leaves_the_rest(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    answer = await owner.client.patch(path, json={"name": "Renamed", "enabled": False}, headers={"if-match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    body = answer.json()
    assert (body["name"], body["enabled"], body["definition"]) == ("Renamed", False, GOOD)
    answer = await owner.client.patch(path, json={"definition": FAULTY}, headers={"if-match": '"2"'})
    assert answer.json()["problems"]
    assert (await owner.client.get(path)).headers["etag"] == '"3"'


async def test_a_change_that_changes_nothing_keeps_the_etag(owner: Caller) -> None:
    created = await _create(owner)
    for body in ({}, {"name": created["name"]}):
        answer = await owner.client.patch(f"/v1/workflows/{created['id']}", json=body, headers={"if-match": '"1"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')


async def test_a_change_without_if_match_is_refused(owner: Caller) -> None:
    created = await _create(owner)
    answer = await owner.client.patch(f"/v1/workflows/{created['id']}", json={"name": "X"})
    assert (answer.status_code, answer.json()["code"]) == (428, "if_match_required")


@pytest.mark.parametrize("stale", ['"1"', 'W/"2"', '"x"', "2", '"1", "3"', ","])
async def test_a_stale_change_tells_etag_author_and_time(api: Api, owner: Caller, stale: str) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    colleague = await api.sign_in(Role.EDITOR, owner.workspace_id)
    changed = await colleague.client.patch(path, json={"name": "Theirs"}, headers={"if-match": '"1"'})
    answer = await owner.client.patch(path, json={"name": "Mine"}, headers={"if-match": stale})
    assert answer.status_code == 412
    assert answer.headers["etag"] == '"2"'
    problem = answer.json()
    assert problem["code"] == "stale_etag"
    assert problem["etag"] == '"2"'
    assert problem["updated_by"] == {"id": str(colleague.user_id), "name": "Editor"}
    assert problem["updated_at"] == changed.json()["updated_at"]
    assert (await owner.client.get(path)).json()["name"] == "Theirs"


@pytest.mark.parametrize("fresh", ['"1"', "*", '"7", "1"', ' "1" '])
async def test_a_fresh_etag_lets_the_change_pass(owner: Caller, fresh: str) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    assert (await owner.client.patch(path, json={"name": "X"}, headers={"if-match": fresh})).status_code == 200


async def test_of_changes_at_once_with_one_etag_one_wins(owner: Caller) -> None:
    created = await _create(owner)
    answers = await asyncio.gather(
        *(
            owner.client.patch(f"/v1/workflows/{created['id']}", json={"name": f"N{i}"}, headers={"if-match": '"1"'})
            for i in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_publishing_makes_immutable_versions(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    first = await owner.client.post(f"{path}/publish")
    assert first.status_code == 201
    assert first.headers["location"] == f"{path}/versions/1"
    assert (first.json()["version"], first.json()["published_by"]) == (1, str(owner.user_id))
    changed = {**GOOD, "output": {"total": 1}}
    await owner.client.patch(path, json={"definition": changed}, headers={"if-match": "*"})
    second = await owner.client.post(f"{path}/publish")
    assert second.json()["version"] == 2
    assert (await owner.client.get(f"{path}/versions/1")).json() == first.json()
    assert (await owner.client.get(f"{path}/versions/1")).json()["definition"] == GOOD
    assert (await owner.client.get(f"{path}/versions/2")).json()["definition"] == changed
    assert (await owner.client.get(path)).json()["published_version"] == 2
    versions = (await owner.client.get(f"{path}/versions", params={"limit": 1})).json()
    assert [version["version"] for version in versions["items"]] == [2]
    rest = (await owner.client.get(f"{path}/versions", params={"cursor": versions["next_cursor"]})).json()
    assert [version["version"] for version in rest["items"]] == [1]


async def test_publishing_the_same_draft_again_gives_the_same_version(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}/publish"
    first = await owner.client.post(path)
    again = await owner.client.post(path)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


async def test_publishing_at_once_makes_one_version(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}/publish"
    answers = await asyncio.gather(*(owner.client.post(path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert {answer.json()["version"] for answer in answers} == {1}


async def test_a_faulty_draft_is_not_published_and_all_faults_are_told(owner: Caller) -> None:
    created = await _create(owner, definition=FAULTY)
    answer = await owner.client.post(f"/v1/workflows/{created['id']}/publish")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_definition")
    assert answer.json()["errors"] == created["problems"]
    assert (await owner.client.get(f"/v1/workflows/{created['id']}")).json()["published_version"] is None


async def test_publishing_with_a_stale_etag_is_refused(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    await owner.client.patch(path, json={"name": "X"}, headers={"if-match": '"1"'})
    assert (await owner.client.post(f"{path}/publish", headers={"if-match": '"1"'})).status_code == 412
    assert (await owner.client.post(f"{path}/publish", headers={"if-match": '"2"'})).status_code == 201


@pytest.mark.parametrize("wrap", [lambda document: document, lambda document: {"definition": document}])
async def test_validation_lists_every_fault_and_saves_nothing(owner: Caller, wrap: Any) -> None:
    answer = await owner.client.post("/v1/workflows/validate", json=wrap(GOOD))
    assert (answer.status_code, answer.json()) == (200, {"valid": True, "errors": []})
    answer = await owner.client.post("/v1/workflows/validate", json=wrap(FAULTY))
    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert {error["pointer"] for error in answer.json()["errors"]} >= {"/steps/0/after/0", "/steps/1/type"}
    assert (await owner.client.get("/v1/workflows")).json()["items"] == []


@pytest.mark.parametrize("document", [None, 1, "text", [], True, {}, {"steps": 7}, {"schema": 99, "steps": []}])
async def test_validation_of_anything_is_answered(owner: Caller, document: object) -> None:
    answer = await owner.client.post(
        "/v1/workflows/validate", content=json.dumps(document), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert answer.json()["errors"]


async def test_a_deleted_workflow_is_found_no_more(owner: Caller) -> None:
    created = await _create(owner)
    path = f"/v1/workflows/{created['id']}"
    await owner.client.post(f"{path}/publish")
    assert (await owner.client.delete(path, headers={"if-match": '"9"'})).status_code == 412
    assert (await owner.client.delete(path)).status_code == 204
    calls = (("GET", ""), ("DELETE", ""), ("POST", "/publish"), ("GET", "/versions"), ("GET", "/versions/1"))
    for method, suffix in calls:
        assert (await owner.client.request(method, path + suffix)).status_code == 404
    assert (await owner.client.get("/v1/workflows")).json()["items"] == []


@pytest.mark.parametrize(
    "path",
    ["not-a-uuid", str(uuid4()), f"{uuid4()}/versions", f"{uuid4()}/versions/1", "%00", "..%2f..%2fetc"],
)
async def test_what_is_not_there_answers_404(owner: Caller, path: str) -> None:
    answer = await owner.client.get(f"/v1/workflows/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("version", ["0", "-1", "2", "x", "9" * 30, "1.0", "1e0"])
async def test_a_version_that_is_not_there_answers_404(owner: Caller, version: str) -> None:
    created = await _create(owner)
    await owner.client.post(f"/v1/workflows/{created['id']}/publish")
    assert (await owner.client.get(f"/v1/workflows/{created['id']}/versions/{version}")).status_code == 404


@pytest.mark.parametrize("definition", [None, 7, "text", [], True])
async def test_a_definition_that_is_no_object_is_refused(owner: Caller, definition: object) -> None:
    answer = await owner.client.post("/v1/workflows", json={"name": "X", "definition": definition})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/definition"]


async def test_a_definition_has_at_most_a_mebibyte(owner: Caller) -> None:
    padding = 1_048_576 - len('{"ui":{"a":""}}')
    for extra, status in ((0, 201), (1, 413)):
        raw = '{"ui":{"a":"' + "x" * (padding + extra) + '"}}'
        body = f'{{"name":"Large","definition":{raw}}}'
        answer = await owner.client.post("/v1/workflows", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status


async def _outcome(client: httpx.AsyncClient, method: str, path: str) -> int:
    body = {"name": "Mine now", "definition": GOOD} if path == "/v1/workflows" else {"name": "Mine now"}
    if path.endswith("/validate"):
        body = GOOD
    headers = {"if-match": "*"}
    if method in ("POST", "PATCH") and not path.endswith(("/publish", "/restore")):
        return (await client.request(method, path, json=body, headers=headers)).status_code
    return (await client.request(method, path, headers=headers)).status_code


CALLS = [
    ("GET", "/v1/workflows", Role.VIEWER, 200, 200),
    ("POST", "/v1/workflows", Role.EDITOR, 201, 201),
    ("POST", "/v1/workflows/validate", Role.VIEWER, 200, 200),
    ("GET", "/v1/workflows/{id}", Role.VIEWER, 200, 404),
    ("PATCH", "/v1/workflows/{id}", Role.EDITOR, 200, 404),
    ("POST", "/v1/workflows/{id}/publish", Role.EDITOR, 200, 404),
    ("GET", "/v1/workflows/{id}/versions", Role.VIEWER, 200, 404),
    ("GET", "/v1/workflows/{id}/versions/1", Role.VIEWER, 200, 404),
    ("POST", "/v1/workflows/{id}/versions/1/restore", Role.EDITOR, 200, 404),
    pytest.param(
        "DELETE",
        "/v1/workflows/{id}",
        Role.EDITOR,
        204,
        404,
        marks=pytest.mark.without_faults("who asks again, and finds nothing to delete, takes it for done"),
    ),
]


@pytest.mark.parametrize(("method", "path", "weakest", "valid", "foreign"), CALLS)
async def test_each_call_as_anonymous_too_weak_from_elsewhere_and_valid(
    api: Api, owner: Caller, method: str, path: str, weakest: Role, valid: int, foreign: int
) -> None:
    created = await _create(owner)
    await owner.client.post(f"/v1/workflows/{created['id']}/publish")
    path = path.format(id=created["id"])
    stranger = await api.sign_in(Role.OWNER)
    roles = list(Role)
    assert await _outcome(api.client(), method, path) == 401
    for weaker in roles[roles.index(weakest) + 1 :]:
        assert await _outcome((await api.sign_in(weaker, owner.workspace_id)).client, method, path) == 403
    assert await _outcome(stranger.client, method, path) == foreign
    assert (await owner.client.get(f"/v1/workflows/{created['id']}")).json()["name"] == created["name"]
    allowed = await api.sign_in(weakest, owner.workspace_id)
    assert await _outcome(allowed.client, method, path) == valid


TWICE = '{"schema": 1, "steps": [{"id": "a", "type": "delay", "with": {"seconds": 1, "seconds": 2}}]}'
PLACE = "/steps/0/with/seconds"


def _faults(answer: httpx.Response) -> list[tuple[str, str]]:
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


async def test_a_key_that_stands_twice_is_refused_wherever_a_definition_comes_in(owner: Caller) -> None:
    json_type = {"content-type": "application/json"}

    async def send(method: str, path: str, body: str, **headers: str) -> httpx.Response:
        return await owner.client.request(method, path, content=body, headers=json_type | headers)

    created = await send("POST", "/v1/workflows", f'{{"name": "Twice", "definition": {TWICE}}}')
    assert _faults(created) == [(f"/definition{PLACE}", "duplicate_key")]
    assert (await owner.client.get("/v1/workflows")).json()["items"] == []
    workflow = await _create(owner)
    path = f"/v1/workflows/{workflow['id']}"
    changed = await send("PATCH", path, f'{{"definition": {TWICE}}}', **{"if-match": '"1"'})
    assert _faults(changed) == [(f"/definition{PLACE}", "duplicate_key")]
    assert (await owner.client.get(path)).json() == workflow
    for body, place in ((TWICE, PLACE), (f'{{"definition": {TWICE}}}', PLACE)):
        verdict = (await send("POST", "/v1/workflows/validate", body)).json()
        assert (verdict["valid"], [error["code"] for error in verdict["errors"]]) == (False, ["duplicate_key"])
        assert verdict["errors"][0]["pointer"] == place
    file = f'{{"flowforge": 1, "name": "Twice", "definition": {TWICE}}}'
    assert _faults(await send("POST", "/v1/workflows/import", file)) == [(f"/definition{PLACE}", "duplicate_key")]
    files = await send("POST", "/v1/workflows/import", f"[{json.dumps({**workflow})}, {file}]")
    assert _faults(files) == [(f"/1/definition{PLACE}", "duplicate_key")]
    assert _faults(await send("POST", "/v1/workflows/import?name=Bare", TWICE)) == [(PLACE, "duplicate_key")]
    assert len((await owner.client.get("/v1/workflows")).json()["items"]) == 1


async def test_keys_that_stand_twice_are_told_of_beside_all_other_faults(owner: Caller) -> None:
    text = '{"schema": 1, "schema": 1, "steps": [{"id": "a", "type": "teleport"}]}'
    answer = await owner.client.post(
        "/v1/workflows/validate", content=text, headers={"content-type": "application/json"}
    )
    faults = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
    assert faults == {("/schema", "duplicate_key"), ("/steps/0/type", "unknown_step_type")}
