"""Tests of drafts as the API accepts them; no worker runs here, so that none of them starts."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from app.auth.permissions import Role
from engine.core.events import RunQueued, decode_event
from tests.integration.api.callers import Api, Caller

DEFINITION: dict[str, Any] = {
    "schema": 1,
    "steps": [
        {"id": "fetch", "type": "http", "with": {"method": "GET", "url": "https://shop.example/{{ input.id }}"}},
        {"id": "large", "type": "if", "with": {"condition": "steps.fetch.output.total > 100"}, "after": ["fetch"]},
        {
            "id": "kind",
            "type": "switch",
            "with": {"cases": {"new": "input.age < 10"}},
            "after": ["large.true"],
        },
        {
            "id": "each",
            "type": "foreach",
            "after": ["fetch"],
            "with": {"items": "steps.fetch.output.rows"},
            "steps": [
                {"id": "get", "type": "http", "with": {"method": "GET", "url": "https://shop.example/{{ item }}"}},
                {"id": "sum", "type": "transform", "with": {"values": {"n": "{{ index }}"}}, "after": ["get"]},
            ],
        },
        {"id": "ask", "type": "approval", "with": {"message": "Go on?"}},
    ],
}
FAULTY = {
    "schema": 1,
    "steps": [
        {"id": "good", "type": "transform", "with": {"values": {"n": "{{ steps.gone.output }}"}}, "after": ["gone"]},
        {"id": "bad", "type": "delay", "with": {"seconds": -1}, "timeout": 3},
        {
            "id": "each",
            "type": "foreach",
            "with": {"items": "["},
            "steps": [
                {"id": "fine", "type": "transform", "with": {"values": {"n": "{{ item }}"}}},
                {"id": "lost", "type": "teleport", "after": ["nobody"]},
            ],
        },
    ],
}


async def create(caller: Caller, definition: dict[str, Any]) -> str:
    answer = await caller.client.post("/v1/workflows", json={"name": "Orders", "definition": definition})
    assert answer.status_code == 201, answer.text
    workflow_id: str = answer.json()["id"]
    return workflow_id


async def run_draft(caller: Caller, workflow_id: str, **body: Any) -> httpx.Response:
    return await caller.client.post(f"/v1/workflows/{workflow_id}/test", json=body)


async def run_step(caller: Caller, workflow_id: str, step: str, **body: Any) -> httpx.Response:
    path = f"/v1/workflows/{workflow_id}/steps/{step}/test"
    return await caller.client.post(path, json={"timeout": 0, **body})


class Kept(msgspec.Struct):
    """A test as the database has it."""

    version_id: UUID
    definition: bytes
    is_test: bool
    queued: RunQueued


async def find_test(database_url: str, run_id: str) -> Kept:
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            """
            SELECT run.version_id, version.definition, run.is_test, journal.payload
            FROM run JOIN workflow_version AS version ON version.id = run.version_id AND version.version = run.version
            JOIN journal ON journal.run_id = run.id
            WHERE run.id = $1 AND run.version = 0
            """,
            UUID(run_id),
        )
    finally:
        await connection.close()
    queued = decode_event(row["payload"])
    assert isinstance(queued, RunQueued)
    return Kept(version_id=row["version_id"], definition=row["definition"], is_test=row["is_test"], queued=queued)


async def test_a_draft_is_accepted_as_a_test_of_its_own_bytes(owner: Caller, database_url: str) -> None:
    workflow_id = await create(owner, DEFINITION)
    mocks = {"fetch": {"total": 5}, "large": False, "kind": "default", "get": 1}
    answer = await run_draft(owner, workflow_id, input={"id": 7}, trigger={"body": {"a": 1}}, mocks=mocks)
    assert answer.status_code == 202
    kept = await find_test(database_url, answer.json()["run_id"])
    assert (kept.is_test, msgspec.json.decode(kept.definition)) == (True, DEFINITION)
    assert (kept.queued.input, kept.queued.mocks, kept.queued.preset) == ({"id": 7}, mocks, {})
    trigger = kept.queued.trigger
    assert (trigger["type"], trigger["body"], trigger["headers"], trigger["query"]) == ("manual", {"a": 1}, {}, {})
    assert trigger["received_at"].endswith("Z")
    assert kept.queued.workflow == {"id": workflow_id, "name": "Orders", "version": 0}


async def test_the_same_draft_is_kept_once_and_a_changed_one_anew(owner: Caller, database_url: str) -> None:
    workflow_id = await create(owner, DEFINITION)
    versions = []
    for _ in range(2):
        started = await run_draft(owner, workflow_id)
        versions.append((await find_test(database_url, started.json()["run_id"])).version_id)
    changed = {**DEFINITION, "output": 1}
    await owner.client.patch(f"/v1/workflows/{workflow_id}", json={"definition": changed}, headers={"if-match": '"1"'})
    started = await run_draft(owner, workflow_id)
    kept = await find_test(database_url, started.json()["run_id"])
    assert versions[0] == versions[1] != kept.version_id
    assert msgspec.json.decode(kept.definition) == changed


async def test_two_tests_of_one_draft_at_a_time_are_both_accepted(owner: Caller) -> None:
    workflow_id = await create(owner, DEFINITION)
    answers = await asyncio.gather(*(run_draft(owner, workflow_id) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.json()["run_id"] for answer in answers}) == 4


async def test_a_tested_draft_is_no_version(owner: Caller) -> None:
    workflow_id = await create(owner, DEFINITION)
    assert (await run_draft(owner, workflow_id)).status_code == 202
    url = f"/v1/workflows/{workflow_id}"
    assert (await owner.client.get(f"{url}/versions")).json()["items"] == []
    assert (await owner.client.get(f"{url}/versions/0")).status_code == 404
    assert (await owner.client.post(f"{url}/versions/0/restore")).status_code == 404
    assert (await owner.client.post(f"{url}/runs", json={"version": 0})).status_code == 400
    assert (await owner.client.post(f"{url}/runs", json={})).json()["code"] == "not_published"
    published = await owner.client.post(f"{url}/publish")
    assert (published.status_code, published.json()["version"]) == (201, 1)
    assert [version["version"] for version in (await owner.client.get(f"{url}/versions")).json()["items"]] == [1]


async def test_lists_leave_tests_out_unless_asked(owner: Caller) -> None:
    workflow_id = await create(owner, DEFINITION)
    tested = (await run_draft(owner, workflow_id)).json()["run_id"]
    await owner.client.post(f"/v1/workflows/{workflow_id}/publish")
    real = (await owner.client.post(f"/v1/workflows/{workflow_id}/runs", json={})).json()["run_id"]

    async def listed(query: str) -> list[tuple[str, bool]]:
        page = (await owner.client.get(f"/v1/runs{query}")).json()
        return [(run["id"], run["is_test"]) for run in page["items"]]

    assert await listed("") == await listed("?test=false") == [(real, False)]
    assert await listed("?test=true") == [(tested, True)]
    assert await listed("?test=all") == [(real, False), (tested, True)]
    assert (await owner.client.get("/v1/runs?test=maybe")).status_code == 400
    assert (await owner.client.get(f"/v1/runs/{tested}")).json()["is_test"] is True


async def test_a_run_tells_of_the_draft_as_it_was_tested(api: Api, owner: Caller) -> None:
    workflow_id = await create(owner, DEFINITION)
    tested = (await run_draft(owner, workflow_id)).json()["run_id"]
    path = f"/v1/workflows/{workflow_id}"
    changed = {**DEFINITION, "output": 1}
    answer = await owner.client.patch(path, json={"definition": changed}, headers={"if-match": '"1"'})
    assert answer.status_code == 200, answer.text
    again = (await run_draft(owner, workflow_id)).json()["run_id"]
    await owner.client.post(f"{path}/publish")
    real = (await owner.client.post(f"{path}/runs", json={})).json()["run_id"]
    assert (await owner.client.delete(path)).status_code == 204
    for run_id, version, definition in ((tested, 0, DEFINITION), (again, 0, changed), (real, 1, changed)):
        assert (await owner.client.get(f"/v1/runs/{run_id}")).json()["version"] == version
        answer = await owner.client.get(f"/v1/runs/{run_id}/definition")
        # The cases of a `switch` are in their order, too.
        assert (answer.status_code, answer.text) == (200, json.dumps({"definition": definition}, separators=(",", ":")))
    stranger = await api.sign_in()
    assert (await stranger.client.get(f"/v1/runs/{tested}/definition")).status_code == 404


async def test_a_faulty_draft_is_not_tested(owner: Caller) -> None:
    workflow_id = await create(owner, FAULTY)
    problems = (await owner.client.get(f"/v1/workflows/{workflow_id}")).json()["problems"]
    answer = await run_draft(owner, workflow_id)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_definition")
    assert answer.json()["errors"] == problems
    assert len(problems) >= 4


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"mocks": {"fetch": 1, "gone": 2}}, 422, "/mocks/gone"),
        ({"mocks": {"large": "true"}}, 422, "/mocks/large"),
        ({"mocks": {"kind": "old"}}, 422, "/mocks/kind"),
        ({"mocks": {"ask": {"decision": "who"}}}, 422, "/mocks/ask"),
        ({"mocks": {"ask": {"decision": ["approved"]}}}, 422, "/mocks/ask"),
        ({"mocks": {"ask": {"comment": "fine"}}}, 422, "/mocks/ask"),
        ({"mocks": {"ask": 5}}, 422, "/mocks/ask"),
        ({"mocks": {"ask": None}}, 422, "/mocks/ask"),
        ({"trigger": {"type": "moon"}}, 422, "/trigger/type"),
        ({"trigger": {"type": ["manual"]}}, 422, "/trigger/type"),
        ({"trigger": []}, 400, "/trigger"),
        ({"mocks": []}, 400, "/mocks"),
        ({"version": 1}, 400, "/version"),
    ],
)
async def test_what_does_not_fit_the_draft_is_told_with_its_place(
    owner: Caller, body: dict[str, Any], status: int, pointer: str
) -> None:
    workflow_id = await create(owner, DEFINITION)
    answer = await run_draft(owner, workflow_id, **body)
    assert answer.status_code == status, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await owner.client.get("/v1/runs?test=all")).json()["items"] == []


@pytest.mark.parametrize("decision", ["approved", "rejected", "timeout"])
async def test_an_approval_may_be_mocked_with_any_decision(owner: Caller, database_url: str, decision: str) -> None:
    mocks = {"ask": {"decision": decision, "comment": None}}
    answer = await run_draft(owner, await create(owner, DEFINITION), mocks=mocks)
    assert answer.status_code == 202, answer.text
    assert (await find_test(database_url, answer.json()["run_id"])).queued.mocks == mocks


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "webhook"}, {"body": {}, "method": "POST", "headers": {"content-type": "application/json"}}),
        ({"type": "webhook", "method": "PUT", "body": 1}, {"body": 1, "method": "PUT"}),
        ({"type": "event"}, {"event": {}, "body": None}),
        ({"type": "schedule", "due_at": "2027-01-01T00:00:00Z"}, {"due_at": "2027-01-01T00:00:00Z", "method": None}),
    ],
)
async def test_a_trigger_is_laid_over_a_plausible_one(
    owner: Caller, database_url: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    run_id = (await run_draft(owner, await create(owner, DEFINITION), trigger=given)).json()["run_id"]
    trigger = (await find_test(database_url, run_id)).queued.trigger
    assert {**trigger, "type": given["type"], **expected} == trigger
    assert (await owner.client.get("/v1/runs?test=true")).json()["items"][0]["trigger_type"] == given["type"]


async def test_a_step_is_taken_out_of_the_draft_with_its_context(owner: Caller, database_url: str) -> None:
    workflow_id = await create(owner, DEFINITION)
    context = {"steps": {"fetch": {"output": {"total": 5}}}, "vars": {"v": 1}, "input": 3, "trigger": {"body": 4}}
    answer = await run_step(owner, workflow_id, "large", context=context)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    kept = await find_test(database_url, answer.json()["run_id"])
    alone = {name: value for name, value in DEFINITION["steps"][1].items() if name != "after"}
    assert msgspec.json.decode(kept.definition) == {"schema": 1, "steps": [alone]}
    assert kept.queued.preset == {
        "steps": {"fetch": {"output": {"total": 5}, "status": "succeeded", "error": None}},
        "vars": {"v": 1},
    }
    assert (kept.queued.input, kept.queued.trigger["body"]) == (3, 4)


@pytest.mark.parametrize("path", ["sum", "each.sum", "each[3].sum"])
async def test_a_nested_step_is_found_by_its_id_and_by_its_path(owner: Caller, database_url: str, path: str) -> None:
    answer = await run_step(owner, await create(owner, DEFINITION), path, context={"item": None, "index": 3})
    assert answer.status_code == 202, answer.text
    kept = await find_test(database_url, answer.json()["run_id"])
    (alone,) = msgspec.json.decode(kept.definition)["steps"]
    assert alone == {"id": "sum", "type": "transform", "with": {"values": {"n": "{{ index }}"}}}
    assert kept.queued.preset == {"steps": {}, "vars": {}, "item": None, "index": 3}


async def test_a_step_is_tested_whatever_is_wrong_with_the_others(owner: Caller) -> None:
    workflow_id = await create(owner, FAULTY)
    assert (await run_step(owner, workflow_id, "good")).status_code == 202
    assert (await run_step(owner, workflow_id, "each.fine")).status_code == 202
    refused = (await run_step(owner, workflow_id, "bad")).json()
    assert refused["code"] == "invalid_definition"
    assert {error["pointer"] for error in refused["errors"]} == {"/steps/1/with/seconds", "/steps/1/timeout"}
    refused = (await run_step(owner, workflow_id, "each")).json()
    pointers = {error["pointer"] for error in refused["errors"]}
    assert pointers == {"/steps/2/with/items", "/steps/2/steps/1/type", "/steps/2/steps/1/after/0"}


async def test_steps_within_a_step_wait_for_what_they_name(owner: Caller) -> None:
    def transform(step_id: str, text: str) -> dict[str, Any]:
        return {"id": step_id, "type": "transform", "with": {"values": {"n": text}}}

    steps = [transform("a", "{{ item }}"), transform("b", "{{ steps.a.output }} {{ steps.before.output }}")]
    loop = {"id": "each", "type": "foreach", "with": {"items": "steps.before.output"}, "steps": steps}
    workflow_id = await create(owner, {"schema": 1, "steps": [transform("before", "1"), loop]})
    (error,) = (await run_step(owner, workflow_id, "each")).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/steps/1/steps/1/with/values/n", "not_upstream")
    assert (await run_step(owner, workflow_id, "each.b")).status_code == 202


async def test_a_step_outside_of_loops_may_name_no_item(owner: Caller) -> None:
    step = {"id": "a", "type": "transform", "with": {"values": {"n": "{{ item }}"}}}
    answer = await run_step(owner, await create(owner, {"schema": 1, "steps": [step]}), "a", context={"item": 1})
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/steps/0/with/values/n", "unknown_name")


@pytest.mark.parametrize(
    ("step", "body", "status"),
    [
        ("gone", {}, 404),
        ("each.fetch", {}, 404),
        ("large", {"mocks": {"fetch": 1}}, 422),
        ("large", {"context": {"trigger": {"type": "moon"}}}, 422),
        ("large", {"context": {"run": {}}}, 400),
        ("large", {"context": {"steps": {"fetch": 1}}}, 400),
        ("large", {"context": {"index": -1}}, 400),
        ("large", {"timeout": 31}, 400),
        ("large", {"timeout": -1}, 400),
    ],
)
async def test_a_step_test_that_makes_no_sense_is_refused(
    owner: Caller, step: str, body: dict[str, Any], status: int
) -> None:
    answer = await run_step(owner, await create(owner, DEFINITION), step, **body)
    assert answer.status_code == status, answer.text
    assert (await owner.client.get("/v1/runs?test=all")).json()["items"] == []


async def test_a_key_tests_once(owner: Caller) -> None:
    workflow_id = await create(owner, DEFINITION)
    for path, body in ((f"/v1/workflows/{workflow_id}/test", {}), (_step_url(workflow_id), {"timeout": 0})):
        key = {"idempotency-key": uuid4().hex}
        answers = [await owner.client.post(path, json=body, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json() == answers[1].json()
        other = await owner.client.post(path, json={**body, "mocks": {}}, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("role", "status"), [(Role.ADMIN, 202), (Role.EDITOR, 202), (Role.OPERATOR, 403), (Role.VIEWER, 403)]
)
async def test_editors_test_drafts(api: Api, owner: Caller, role: Role, status: int) -> None:
    workflow_id = await create(owner, DEFINITION)
    caller = await api.sign_in(role, owner.workspace_id)
    assert (await run_draft(caller, workflow_id)).status_code == status
    assert (await run_step(caller, workflow_id, "fetch")).status_code == status


async def test_workflows_of_others_are_not_found(api: Api, owner: Caller, anonymous: httpx.AsyncClient) -> None:
    workflow_id = await create(owner, DEFINITION)
    stranger = await api.sign_in(Role.OWNER)
    assert (await run_draft(stranger, workflow_id)).status_code == 404
    assert (await run_step(stranger, workflow_id, "fetch")).status_code == 404
    for path in (f"/v1/workflows/{workflow_id}/test", _step_url(workflow_id)):
        assert (await anonymous.post(path, json={})).status_code == 401
    await owner.client.delete(f"/v1/workflows/{workflow_id}")
    assert (await run_draft(owner, workflow_id)).status_code == 404


def _step_url(workflow_id: str) -> str:
    return f"/v1/workflows/{workflow_id}/steps/fetch/test"
