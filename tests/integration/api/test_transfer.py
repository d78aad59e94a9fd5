"""Workflows as files: what is exported imports as the same, and what cannot be read is told with its place."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import yaml

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller

DEFINITION: dict[str, Any] = {
    "schema": 1,
    "steps": [
        {"id": "kind", "type": "switch", "with": {"cases": {"z": "input.n > 10", "a": "input.n > 1"}}},
        {
            "id": "shape",
            "type": "transform",
            "with": {"values": {"text": "on", "code": "007", "ratio": 1.0, "many": "one\ntwo\n", "none": None}},
            "after": ["kind.z"],
        },
    ],
    "output": {"shape": "{{ steps.shape.output }}"},
}
HOOK = {"auth": {"type": "github", "secret": "a long random text"}, "dedup_key": "trigger.body.id"}


async def _create(caller: Caller, name: str = "Orders", definition: Any = DEFINITION) -> dict[str, Any]:
    answer = await caller.client.post("/v1/workflows", json={"name": name, "definition": definition})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def _import(caller: Caller, text: str, **query: str) -> httpx.Response:
    headers = {"content-type": "application/yaml"}
    return await caller.client.post("/v1/workflows/import", content=text.encode(), headers=headers, params=query)


def _items(answer: httpx.Response, status: int) -> list[dict[str, Any]]:
    assert answer.status_code == status, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _file(name: str = "Orders", **more: Any) -> str:
    return yaml.safe_dump({"flowforge": 1, "name": name, "definition": DEFINITION, **more}, sort_keys=False)


@pytest.mark.parametrize("written_in", ["yaml", "json"])
async def test_an_export_imports_as_the_same_definition(owner: Caller, written_in: str) -> None:
    made = await _create(owner, "Röntgen: Aufträge")
    path = f"/v1/workflows/{made['id']}"
    assert (await owner.client.post(f"{path}/triggers", json={"type": "webhook", "config": HOOK})).status_code == 201
    file = await owner.client.get(f"{path}/export", params={"format": written_in})
    assert file.headers["content-type"].startswith(f"application/{written_in}")
    assert file.headers["content-disposition"] == f'attachment; filename="r-ntgen-auftr-ge.{written_in}"'
    assert "a long random text" not in file.text
    headers = {"content-type": file.headers["content-type"]}
    answer = await owner.client.post("/v1/workflows/import", content=file.content, headers=headers)
    (item,) = _items(answer, 201)
    assert (item["outcome"], item["name"], item["problems"]) == ("created", "Röntgen: Aufträge", [])
    copy = (await owner.client.get(f"/v1/workflows/{item['id']}")).json()
    assert json.dumps(copy["definition"]) == json.dumps(DEFINITION)
    (trigger,) = item["triggers"]
    assert trigger["trigger"]["config"]["dedup_key"] == "trigger.body.id"
    assert trigger["needs_secret"]


async def test_yaml_is_the_default_and_keeps_the_order_of_keys(owner: Caller) -> None:
    made = await _create(owner)
    text = (await owner.client.get(f"/v1/workflows/{made['id']}/export")).text
    assert list(yaml.safe_load(text)) == ["flowforge", "name", "description", "definition", "triggers"]
    assert text.index(" z: ") < text.index(" a: ")
    # Readers of YAML 1.1 see the same as we do.
    assert json.dumps(yaml.safe_load(text)["definition"]) == json.dumps(DEFINITION)


@pytest.mark.parametrize("written_in", ["yaml", "json"])
async def test_integers_of_any_length_come_back_from_a_file(owner: Caller, written_in: str) -> None:
    values = {"id": 2**64, "less": -(2**63) - 1, "digits": 10**4299, "least": -(10**4298), "text": str(2**64)}
    step = {"id": "shape", "type": "transform", "with": {"values": values}}
    definition = {"schema": 1, "steps": [step], "ui": {"zoom": 1.0}}
    made = await _create(owner, "Long", definition)
    assert made["problems"] == []
    path = f"/v1/workflows/{made['id']}"
    file = await owner.client.get(f"{path}/export", params={"format": written_in})
    headers = {"content-type": file.headers["content-type"]}
    query = {"mode": "update"}
    answer = await owner.client.post("/v1/workflows/import", content=file.content, headers=headers, params=query)
    (item,) = _items(answer, 200)
    assert (item["outcome"], item["id"]) == ("unchanged", made["id"])
    (copy,) = _items(await owner.client.post("/v1/workflows/import", content=file.content, headers=headers), 201)
    there = (await owner.client.get(f"/v1/workflows/{copy['id']}")).json()["definition"]
    assert json.dumps(there) == json.dumps(definition)


async def test_an_update_finds_the_workflow_by_its_name(owner: Caller) -> None:
    (first,) = _items(await _import(owner, _file(triggers=[{"type": "webhook"}]), mode="update"), 201)
    (again,) = _items(await _import(owner, _file(triggers=[{"type": "webhook"}]), mode="update"), 200)
    assert (again["outcome"], again["id"], again["revision"]) == ("unchanged", first["id"], 1)
    assert again["triggers"][0]["outcome"] == "unchanged"
    assert again["triggers"][0]["trigger"]["url"] == first["triggers"][0]["trigger"]["url"]
    changed = _file(description="new", triggers=[{"type": "webhook", "config": {"dedup_key": "trigger.body.id"}}])
    (third,) = _items(await _import(owner, changed, mode="update"), 200)
    assert (third["outcome"], third["revision"], third["triggers"][0]["outcome"]) == ("updated", 2, "updated")
    assert third["triggers"][0]["trigger"]["url"] == first["triggers"][0]["trigger"]["url"]
    assert len((await owner.client.get("/v1/workflows")).json()["items"]) == 1


async def test_a_triggers_secret_stays_when_its_file_says_nothing_of_it(owner: Caller) -> None:
    given = _file(triggers=[{"type": "webhook", "config": HOOK}])
    (first,) = _items(await _import(owner, given, mode="update"), 201)
    assert not first["triggers"][0]["needs_secret"]
    text = (await owner.client.get(f"/v1/workflows/{first['id']}/export")).text
    (again,) = _items(await _import(owner, text.replace("trigger.body.id", "trigger.body.nr"), mode="update"), 200)
    trigger = again["triggers"][0]
    assert (trigger["outcome"], trigger["needs_secret"], trigger["trigger"]["has_secret"]) == ("updated", False, True)


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "basic", "secret": "shop:a password"},
        {"type": "bearer", "secret": "a-long-random-text"},
        {"type": "standard_webhooks", "secret": "whsec_" + "QUJD" * 10},
        {"type": "hmac", "secret": "a long random text"},
    ],
    ids=lambda auth: auth["type"],
)
async def test_a_trigger_of_any_kind_comes_back_without_its_secret(owner: Caller, auth: dict[str, str]) -> None:
    given = _file(triggers=[{"type": "webhook", "config": {"auth": auth}}])
    (first,) = _items(await _import(owner, given), 201)
    text = (await owner.client.get(f"/v1/workflows/{first['id']}/export")).text
    assert auth["secret"] not in text
    (copy,) = _items(await _import(owner, text), 201)
    (trigger,) = copy["triggers"]
    assert trigger["needs_secret"]
    assert trigger["trigger"]["config"]["auth"]["type"] == auth["type"]


async def test_a_trigger_is_told_to_need_its_secret_until_it_is_given_one(api: Api, owner: Caller) -> None:
    triggers = [{"type": "webhook", "config": {"auth": {"type": "bearer"}}}, {"type": "webhook"}]
    (first,) = _items(await _import(owner, _file(triggers=triggers), mode="update"), 201)
    for _ in range(2):
        (again,) = _items(await _import(owner, _file(triggers=triggers), mode="update"), 200)
        assert [(each["outcome"], each["needs_secret"]) for each in again["triggers"]] == [
            ("unchanged", True),
            ("unchanged", False),
        ]
    signed = first["triggers"][0]["trigger"]
    assert (signed["has_secret"], signed["needs_secret"]) == (False, True)
    assert (await owner.client.post(f"/v1/workflows/{first['id']}/publish")).status_code == 201
    called = httpx.URL(signed["url"]).path
    for token in ("", "Bearer ", "Bearer null", "Bearer a-long-random-text"):
        assert (await api.client().post(called, headers={"authorization": token})).status_code == 401
    changed = await owner.client.patch(
        f"/v1/triggers/{signed['id']}",
        json={"config": {"auth": {"type": "bearer"}, "filter": "trigger.method == 'POST'"}},
    )
    assert (changed.status_code, changed.json()["needs_secret"]) == (200, True)
    rotated = (await owner.client.post(f"/v1/triggers/{signed['id']}/rotate", json={"what": "secret"})).json()
    assert (rotated["trigger"]["has_secret"], rotated["trigger"]["needs_secret"]) == (True, False)
    assert rotated["trigger"]["previous_secret_until"] is None
    answer = await api.client().post(called, headers={"authorization": f"Bearer {rotated['secret']}"})
    assert answer.status_code == 202, answer.text
    listed = (await owner.client.get(f"/v1/workflows/{first['id']}/triggers")).json()["items"]
    assert [each["needs_secret"] for each in listed] == [False, False]


async def test_another_kind_of_authentication_in_a_file_needs_a_secret_of_its_own(owner: Caller) -> None:
    (first,) = _items(await _import(owner, _file(triggers=[{"type": "webhook", "config": HOOK}]), mode="update"), 201)
    other = _file(triggers=[{"type": "webhook", "config": {"auth": {"type": "basic"}}}])
    (changed,) = _items(await _import(owner, other, mode="update"), 200)
    (trigger,) = changed["triggers"]
    assert (trigger["outcome"], trigger["needs_secret"], trigger["trigger"]["has_secret"]) == ("updated", True, False)
    path = f"/v1/triggers/{trigger['trigger']['id']}"
    given = await owner.client.patch(path, json={"config": {"auth": {"type": "basic", "secret": "shop:a password"}}})
    assert (given.json()["has_secret"], given.json()["needs_secret"]) == (True, False)
    # By hand, one that has a secret is not changed into one that lacks it.
    refused = await owner.client.patch(path, json={"config": {"auth": {"type": "github"}}})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "secret_required"), refused.text
    assert first["triggers"][0]["trigger"]["url"] == trigger["trigger"]["url"]


async def test_an_import_without_a_mode_always_makes_a_new_workflow(owner: Caller) -> None:
    ids = {_items(await _import(owner, _file()), 201)[0]["id"] for _ in range(2)}
    assert len(ids) == 2
    answer = await _import(owner, _file(), mode="update")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous_name")
    assert all(each in answer.json()["detail"] for each in ids)


async def test_imports_at_a_time_make_one_workflow_of_a_name(owner: Caller) -> None:
    text = _file("A") + "---\n" + _file("B")
    turned = _file("B") + "---\n" + _file("A")
    answers = await asyncio.gather(*(_import(owner, each, mode="update") for each in (text, turned) * 4))
    assert {answer.status_code for answer in answers} == {200, 201}
    listed = (await owner.client.get("/v1/workflows")).json()["items"]
    assert sorted(each["name"] for each in listed) == ["A", "B"]


async def test_several_documents_are_all_imported_or_none(owner: Caller) -> None:
    items = _items(await _import(owner, _file("One") + "---\n---\n" + _file("Two")), 201)
    assert [item["name"] for item in items] == ["One", "Two"]
    answer = await _import(owner, _file("Three") + "---\n" + _file("Four", colour="red"))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/1/colour", "unknown_field")
    assert error["message"].endswith("column 1)")
    assert len((await owner.client.get("/v1/workflows")).json()["items"]) == 2
    files = [{"flowforge": 1, "name": name, "definition": DEFINITION} for name in ("Five", "Six")]
    answer = await owner.client.post("/v1/workflows/import", json=files)
    assert [item["name"] for item in _items(answer, 201)] == ["Five", "Six"]


async def test_a_bare_definition_is_named_by_the_query(owner: Caller) -> None:
    bare = yaml.safe_dump(DEFINITION, sort_keys=False)
    (item,) = _items(await _import(owner, bare, name="Nightly"), 201)
    assert item["name"] == "Nightly"
    answer = await _import(owner, bare)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]


async def test_problems_of_a_draft_name_their_lines(owner: Caller) -> None:
    text = "flowforge: 1\nname: Faulty\ndefinition:\n  schema: 1\n  steps:\n    - id: a\n      type: teleport\n"
    (item,) = _items(await _import(owner, text), 201)
    (problem,) = item["problems"]
    assert (problem["pointer"], problem["line"], problem["column"]) == ("/steps/0/type", 7, 7)
    bare = "schema: 1\nsteps:\n  - id: a\n    type: teleport\n"
    (item,) = _items(await _import(owner, bare, name="Bare"), 201)
    assert (item["problems"][0]["line"], item["problems"][0]["column"]) == (4, 5)


async def test_the_problems_of_many_files_share_one_room_and_what_is_left_out_is_counted(owner: Caller) -> None:
    # Each alone has a mebibyte of them.
    lengthy = {"schema": 1, "steps": [], "output": {"n" * 20_000: ["{{ nothing }}"] * 100}}
    brief = {"schema": 1, "steps": [{"id": "a", "type": "teleport"}]}
    files = [
        {"flowforge": 1, "name": f"Lengthy {number}", "definition": lengthy if number else brief} for number in range(6)
    ]
    answer = await owner.client.post("/v1/workflows/import", json=[*files, {**files[0], "name": "Sound"}])
    *items, last = _items(answer, 201)
    assert len(answer.content) < 1_200_000
    for item in items:
        draft = (await owner.client.get(f"/v1/workflows/{item['id']}")).json()
        *told, end = item["problems"]
        assert [problem["pointer"] for problem in told] == [
            problem["pointer"] for problem in draft["problems"][: len(told)]
        ]
        if end["code"] != "more_problems":
            assert len(draft["problems"]) == len(item["problems"])
            continue
        left = len(draft["problems"]) - len(told)
        message = f"{left} more are left out of this answer: `GET /v1/workflows/{item['id']}` tells all of this draft"
        assert end == {"pointer": "", "code": "more_problems", "message": message}
    assert [len(item["problems"]) for item in items[2:]] == [1] * 4
    # A small one finds room behind them.
    assert [problem["code"] for problem in last["problems"]] == ["unknown_step_type"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        pytest.param("a: [1\nb: 2", 2, 2, id="unclosed"),
        pytest.param("a: 1\n\tb: 2", 2, 1, id="tab"),
        pytest.param("steps: &all\n  - *all\n", 1, 8, id="anchor"),
        pytest.param("steps: *all\n", 1, 8, id="alias"),
        pytest.param("a: 1\na: 2\n", 2, 1, id="key twice"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", 1, 4, id="tag"),
        pytest.param("a: !!binary aGk=\n", 1, 4, id="harmless tag"),
        pytest.param("a: \x07\n", 1, 4, id="control character"),
        pytest.param("[" * 20_000, 1, 65, id="deep"),
        pytest.param("a: 1e400\n", 1, 4, id="large number"),
        pytest.param(f"a: {'1' * 4301}\n", 1, 4, id="long number"),
        pytest.param("? [a]\n: 1\n", 1, 3, id="key that is no text"),
        pytest.param("a:\n" + "  - \n" * 250_001, 249_999, 4, id="too many values"),
    ],
)
async def test_yaml_that_is_not_read_is_refused_with_its_place(
    owner: Caller, text: str, line: int, column: int
) -> None:
    answer = await _import(owner, text)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_yaml"), answer.text
    assert (answer.json()["line"], answer.json()["column"]) == (line, column), answer.text
    assert f"Line {line}, column {column}: " in answer.json()["detail"]


async def test_a_key_that_stands_twice_in_yaml_is_told_of_with_its_pointer(owner: Caller) -> None:
    text = "flowforge: 1\nname: Twice\ndefinition:\n  schema: 1\n  steps:\n    - {id: a, type: delay, id: b}\n"
    refused = (await _import(owner, text)).json()
    assert (refused["code"], refused["line"], refused["column"]) == ("invalid_yaml", 6, 28)
    (fault,) = refused["errors"]
    assert (fault["pointer"], fault["code"]) == ("/definition/steps/0/id", "duplicate_key")


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/yaml", 400, "invalid_request"),
        (b"--- \n...\n", "application/yaml", 400, "invalid_request"),
        (b"just text", "application/yaml", 400, "invalid_request"),
        (b"\xff\xfe", "application/yaml", 400, "invalid_yaml"),
        (b"{}", "application/json", 400, "invalid_request"),
        (b"[]", "application/json", 400, "invalid_request"),
        (b"{", "application/json", 400, "malformed_body"),
        (b'{"flowforge": 2, "name": "x", "definition": {}}', "application/json", 400, "invalid_request"),
        (b'{"flowforge": 1, "name": "x", "definition": 7}', "application/json", 400, "invalid_request"),
        (b'{"name": "x", "definition": {}}', "application/json", 400, "invalid_request"),
        (b"a: 1", "text/plain", 415, "unsupported_media_type"),
        (b"# " + b"x" * 4_200_000, "application/yaml", 413, "payload_too_large"),
    ],
)
async def test_bodies_that_are_no_workflow_files_are_refused(
    owner: Caller, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = await owner.client.post("/v1/workflows/import", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_faults_of_triggers_point_at_them(owner: Caller) -> None:
    triggers = [{"type": "webhook"}, {"type": "webhook", "config": {"dedup_key": "nonsense +"}}]
    answer = await _import(owner, _file(triggers=triggers))
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/triggers/1/config/dedup_key", "expression_syntax")
    assert "(line " in error["message"]


async def test_a_repeated_import_with_its_key_is_answered_as_the_first(owner: Caller) -> None:
    headers = {"content-type": "application/yaml", "idempotency-key": "once"}
    answers = [
        await owner.client.post("/v1/workflows/import", content=_file().encode(), headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len((await owner.client.get("/v1/workflows")).json()["items"]) == 1


async def test_who_may_export_and_import(api: Api, owner: Caller, anonymous: httpx.AsyncClient) -> None:
    made = await _create(owner)
    path = f"/v1/workflows/{made['id']}/export"
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    stranger = await api.sign_in(Role.OWNER)
    assert (await viewer.client.get(path)).status_code == 200
    assert (await stranger.client.get(path)).status_code == 404
    assert (await anonymous.get(path)).status_code == 401
    assert (await _import(viewer, _file())).status_code == 403
    assert (await anonymous.post("/v1/workflows/import", content=b"", headers={})).status_code == 401
    (item,) = _items(await _import(stranger, _file(), mode="update"), 201)
    assert item["id"] != made["id"]
