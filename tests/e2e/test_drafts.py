"""Drafts over the API: preconditions, faults, publishing, and the form of errors."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Published, assert_problem
from tests.e2e.steps import condition, define, delay, http

Publish = Callable[..., Published]
GOOD = define(condition("always", "true"))
BROKEN = define(
    http("call", "https://example.com/", after=["nowhere"], timeout=-1),
    condition("call", "steps.later.output == 1 &&"),
    delay("later", 5, after=["later"]),
    condition("port", "trigger.body.x == unknown_name", after=["call.maybe"]),
    output="{{ steps.missing.output }}",
    surprise=1,
)


def test_a_draft_is_changed_by_whoever_read_it_last(client: Client) -> None:
    url = f"/v1/workflows/{client.create_workflow(GOOD)['id']}"
    first = client.http.get(url)
    etag = first.headers["etag"]
    assert_problem(client.http.patch(url, json={"name": "New"}), 428, "if_match_required")
    changed = client.http.patch(url, json={"name": "New"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    assert changed.headers["etag"] != etag
    lost = client.http.patch(url, json={"name": "Other"}, headers={"If-Match": etag})
    problem = assert_problem(lost, 412, "stale_etag")
    assert (problem["etag"], lost.headers["etag"]) == (changed.headers["etag"],) * 2
    assert problem["updated_by"]["name"] == client.me()["user"]["name"]
    assert problem["updated_at"] == changed.json()["updated_at"]
    again = client.http.patch(url, json={"name": "Other"}, headers={"If-Match": problem["etag"]})
    assert (again.status_code, client.http.get(url).json()["name"]) == (200, "Other")


def test_a_faulty_draft_is_saved_with_all_its_faults_and_not_published(client: Client) -> None:
    workflow = client.create_workflow(BROKEN)
    problems = workflow["problems"]
    found = {(fault["pointer"], fault["code"]) for fault in problems}
    pointers = {pointer for pointer, _ in found}
    assert len(problems) >= 8
    assert all(fault["message"] for fault in problems)
    expected = {"/surprise", "/steps/0/timeout", "/steps/0/after/0", "/steps/1/id", "/steps/1/with/condition"}
    assert expected | {"/steps/2/after", "/steps/3/after/0", "/steps/3/with/condition", "/output"} <= pointers
    assert client.read(f"/v1/workflows/{workflow['id']}")["problems"] == problems
    validation = client.http.post("/v1/workflows/validate", json=BROKEN).json()
    assert validation == {"valid": False, "errors": problems}
    refused = assert_problem(client.http.post(f"/v1/workflows/{workflow['id']}/publish"), 422, "invalid_definition")
    assert refused["errors"] == problems


def step(step_type: str, with_: Any = None, **more: Any) -> Any:
    return {"id": "a", "type": step_type, "with": with_ or {}, **more}


@pytest.mark.parametrize(
    ("faulty", "pointer", "code"),
    [
        (step("teleport"), "/steps/0/type", None),
        (step("if", {"condition": "true"}, id="Big"), "/steps/0/id", None),
        (step("if"), "/steps/0/with", "required"),
        (step("if", {"condition": "1 +"}), "/steps/0/with/condition", "expression_syntax"),
        (step("if", {"condition": "steps.b.output"}), "/steps/0/with/condition", "unknown_step"),
        (step("delay", {"seconds": 1, "until": "x"}), "/steps/0/with", "exactly_one"),
        (step("delay", {"seconds": 1}, after=["a"]), "/steps/0/after", "cycle"),
        (step("delay", {"seconds": 1}, retry={"max_attempts": 0}), "/steps/0/retry/max_attempts", None),
        (step("http", {"method": "FETCH", "url": "https://a.b"}), "/steps/0/with/method", None),
        (step("http", {"method": "GET", "url": "ftp://a.b"}), "/steps/0/with/url", "invalid_url"),
    ],
)
def test_a_fault_is_told_with_its_place(client: Client, faulty: Any, pointer: str, code: str | None) -> None:
    validation = client.http.post("/v1/workflows/validate", json=define(faulty)).json()
    assert validation["valid"] is False
    faults = [fault for fault in validation["errors"] if fault["pointer"].startswith(pointer)]
    assert faults, validation
    assert code is None or code in {fault["code"] for fault in faults}


def test_a_step_may_read_its_ancestors_only(client: Client) -> None:
    definition = define(condition("a", "true"), condition("b", "steps.a.output"))
    (fault,) = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/steps/1/with/condition", "not_upstream")
    definition["steps"][1]["after"] = ["a"]
    assert client.http.post("/v1/workflows/validate", json=definition).json() == {"valid": True, "errors": []}


def test_a_published_version_never_changes(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(GOOD)
    url = f"/v1/workflows/{workflow.id}"
    etag = client.http.get(url).headers["etag"]
    other = define(condition("other", "false"))
    assert client.http.patch(url, json={"definition": other}, headers={"If-Match": etag}).status_code == 200
    assert client.read(url + "/versions/1")["definition"] == GOOD
    assert client.http.post(url + "/publish").status_code == 201
    assert client.read(url + "/versions/1")["definition"] == GOOD
    assert client.read(url + "/versions/2")["definition"] == other
    assert [version["version"] for version in client.read(url + "/versions")["items"]] == [2, 1]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/nothing/at/all", 404, "not_found"),
        ("PUT", "/v1/runs", 405, "method_not_allowed"),
        ("DELETE", "/v1/setup", 405, "method_not_allowed"),
        ("POST", "/v1/setup", 400, None),
        ("GET", "/v1/workflows/%00", 404, "not_found"),
    ],
)
def test_every_error_is_a_problem_document(
    client: Client, method: str, path: str, status: int, code: str | None
) -> None:
    answer = client.http.request(method, path)
    assert_problem(answer, answer.status_code if code is None else status, code or answer.json()["code"])
    assert 400 <= answer.status_code < 500
