"""Starting, listing and reading runs over the API."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import Client, Deliver, Document, Published, assert_problem
from tests.e2e.steps import ONCE, condition, define, http
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]
VERSIONED = define(condition("always", "true"), output="{{ workflow.version }}")


@pytest.fixture
def workflow(publish_workflow: Publish) -> Published:
    return publish_workflow(VERSIONED, name=f"Runs {uuid.uuid4().hex}")


def test_a_run_is_started_by_hand(client: Client, workflow: Published) -> None:
    answer = client.http.post(f"/v1/workflows/{workflow.id}/runs", json={"input": {"a": 1}})
    assert (answer.status_code, answer.json().keys()) == (202, {"run_id"})
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["status"], run["version"], run["input"], run["attempt"]) == ("succeeded", 1, {"a": 1}, 1)
    assert run["trigger"]["type"] in ("api", "manual")
    assert run["id"] == answer.json()["run_id"]
    assert uuid.UUID(run["id"]).version == 7


def test_the_same_idempotency_key_starts_one_run(client: Client, workflow: Published) -> None:
    url, headers = f"/v1/workflows/{workflow.id}/runs", {"Idempotency-Key": uuid.uuid4().hex}
    first = client.http.post(url, json={"input": 1}, headers=headers)
    second = client.http.post(url, json={"input": 1}, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert_problem(client.http.post(url, json={"input": 2}, headers=headers), 409, "idempotency_key_reused")
    assert len(client.read("/v1/runs", workflow_id=workflow.id)["items"]) == 1
    assert client.wait_for_end(first.json()["run_id"])["status"] == "succeeded"


def test_the_same_idempotency_key_at_the_same_time_starts_one_run(client: Client, workflow: Published) -> None:
    url, headers = f"/v1/workflows/{workflow.id}/runs", {"Idempotency-Key": uuid.uuid4().hex}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.http.post(url, json={}, headers=headers), range(16)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert accepted
    assert len({answer.json()["run_id"] for answer in accepted}) == 1
    for answer in answers:
        if answer.status_code != 202:
            assert_problem(answer, 409, "idempotency_in_progress")
    assert len(client.read("/v1/runs", workflow_id=workflow.id)["items"]) == 1


def test_without_an_idempotency_key_every_start_is_a_new_run(client: Client, workflow: Published) -> None:
    assert client.start(workflow.id) != client.start(workflow.id)


def test_an_earlier_version_can_be_started_and_an_unknown_one_not(client: Client, workflow: Published) -> None:
    url = f"/v1/workflows/{workflow.id}"
    etag = client.http.get(url).headers["etag"]
    changed = define(condition("other", "true"), output="{{ workflow.version * 10 }}")
    assert client.http.patch(url, json={"definition": changed}, headers={"If-Match": etag}).status_code == 200
    assert client.finish(workflow.id)["output"] == 1
    assert client.http.post(url + "/publish").json()["version"] == 2
    assert client.finish(workflow.id)["output"] == 20
    first = client.finish(workflow.id, {"version": 1})
    assert (first["output"], first["version"], first["steps"][0]["id"]) == (1, 1, "always")
    problem = assert_problem(client.http.post(url + "/runs", json={"version": 3}), 400, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/version"


def test_an_unpublished_workflow_cannot_be_started(client: Client) -> None:
    url = f"/v1/workflows/{client.create_workflow(VERSIONED)['id']}/runs"
    assert_problem(client.http.post(url, json={}), 409, "not_published")
    assert_problem(client.http.post(url, json={}, headers={"Idempotency-Key": "k"}), 409, "not_published")


def test_a_workflow_that_is_unknown_or_deleted_cannot_be_started(client: Client, workflow: Published) -> None:
    assert_problem(client.http.post(f"/v1/workflows/{uuid.uuid4()}/runs", json={}), 404, "not_found")
    assert client.http.delete(f"/v1/workflows/{workflow.id}").status_code == 204
    assert_problem(client.http.post(f"/v1/workflows/{workflow.id}/runs", json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        pytest.param("{", "application/json", 400, id="no json"),
        pytest.param("[]", "application/json", 400, id="no object"),
        pytest.param('{"inputs": 1}', "application/json", 400, id="unknown field"),
        pytest.param('{"version": "1"}', "application/json", 400, id="text for a number"),
        pytest.param('{"version": 0}', "application/json", 400, id="too small"),
        pytest.param('{"version": 99999999999999999999}', "application/json", 400, id="too large"),
        pytest.param('{"input": ' + "[" * 500 + "]" * 500 + "}", "application/json", 400, id="too deep"),
        pytest.param("{}", "text/plain", 415, id="wrong type"),
        pytest.param("a=1", "application/x-www-form-urlencoded", 415, id="form"),
        pytest.param('{"input": "' + "x" * 1_200_000 + '"}', "application/json", 413, id="too large a body"),
        pytest.param('{"input": 123456789012345678901234567890}', "application/json", None, id="a long integer"),
    ],
)
def test_a_hostile_start_gets_a_4xx(
    client: Client, workflow: Published, content: str, content_type: str, status: int | None
) -> None:
    answer = client.http.post(
        f"/v1/workflows/{workflow.id}/runs", content=content, headers={"content-type": content_type}
    )
    if status is None and answer.status_code == 202:
        assert client.wait_for_end(answer.json()["run_id"])["status"] == "succeeded"
        return
    assert 400 <= answer.status_code < 500
    problem = assert_problem(answer, status or answer.status_code, answer.json()["code"])
    assert problem["code"] != "internal_error"


def test_calls_that_need_no_body_take_none(client: Client, workflow: Published) -> None:
    run_id = client.http.post(f"/v1/workflows/{workflow.id}/runs").json()["run_id"]
    assert client.wait_for_end(run_id)["input"] == {}
    for path in (f"/v1/runs/{run_id}/rerun", f"/v1/workflows/{workflow.id}/test"):
        answer = client.http.post(path)
        assert answer.status_code == 202, answer.text
        assert client.wait_for_end(answer.json()["run_id"])["status"] == "succeeded"


def test_what_is_missing_in_a_request_is_named(client: Client, workflow: Published) -> None:
    run_id = client.start(workflow.id)
    no_parent = assert_problem(client.http.get(f"/v1/runs/{run_id}/steps"), 400, "invalid_request")
    assert [(error["pointer"], error["code"]) for error in no_parent["errors"]] == [("/query/parent", "required")]
    no_body = assert_problem(client.http.post(f"/v1/runs/{run_id}/signal"), 400, "invalid_request")
    assert no_body["errors"] == [{"pointer": "", "code": "required", "message": "the body is missing"}]


@pytest.fixture(scope="module")
def listed(client: Client) -> list[str]:
    """Five runs of one workflow, the newest first."""
    workflow = client.publish(VERSIONED, name=f"Listed {uuid.uuid4().hex}")
    run_ids = [client.finish(workflow.id)["id"] for _ in range(5)]
    return [workflow.id, *reversed(run_ids)]


def ids_of(page: Document) -> list[str]:
    return [run["id"] for run in page["items"]]


def test_runs_are_listed_in_pages_the_newest_first(client: Client, listed: list[str]) -> None:
    workflow_id, *run_ids = listed
    found: list[str] = []
    query: dict[str, Any] = {"workflow_id": workflow_id, "limit": 2}
    for size in (2, 2, 1):
        page = client.read("/v1/runs", **query)
        assert len(page["items"]) == size
        found += ids_of(page)
        query["cursor"] = page["next_cursor"]
    assert page["next_cursor"] is None
    assert found == run_ids


def test_a_page_stays_where_it_was_when_newer_runs_come(client: Client, workflow: Published) -> None:
    first, second = client.start(workflow.id), client.start(workflow.id)
    page = client.read("/v1/runs", workflow_id=workflow.id, limit=1)
    assert ids_of(page) == [second]
    client.start(workflow.id)
    following = client.read("/v1/runs", workflow_id=workflow.id, limit=1, cursor=page["next_cursor"])
    assert ids_of(following) == [first]


def test_runs_are_filtered(
    client: Client, listed: list[str], publish_workflow: Publish, deliver: Deliver, target: Target
) -> None:
    target.plan("/broken", Reply(status=404))
    broken = http("call", target.base + "/broken", with_={"expect_status": "{{ 200 }}"}, retry=ONCE)
    failing = publish_workflow(define(broken), name=f"Failing {uuid.uuid4().hex}")
    failed = client.wait_for_end(deliver(failing.hook, "{}").json()["run_id"])
    workflow_id, *run_ids = listed

    def find(**query: Any) -> list[str]:
        return ids_of(client.read("/v1/runs", **query))

    assert find(workflow_id=failing.id) == [failed["id"]]
    assert failed["id"] in find(status="failed")
    assert failed["id"] in find(status="failed,cancelled")
    assert failed["id"] not in find(status="succeeded")
    assert find(trigger_type="webhook", workflow_id=failing.id) == [failed["id"]]
    assert find(trigger_type="webhook", workflow_id=workflow_id) == []
    assert find(q=failed["id"]) == find(q=failed["id"].upper()) == find(q=client.run(failed["id"])["workflow_name"])
    assert failed["id"] in find(q="answered 404")
    assert find(q="answered 404", workflow_id=workflow_id) == []
    assert find(workflow_id=workflow_id, q="%") == []
    created_at = [client.run(run_id)["created_at"] for run_id in run_ids]
    assert find(workflow_id=workflow_id, since=created_at[1]) == run_ids[:2]
    assert find(workflow_id=workflow_id, until=created_at[2]) == run_ids[3:]
    assert find(workflow_id=workflow_id, since=created_at[3], until=created_at[1]) == run_ids[2:4]
    assert find(since=(datetime.now(UTC) + timedelta(days=1)).isoformat()) == []


def test_a_listed_run_tells_what_a_list_shows(client: Client, listed: list[str]) -> None:
    (run,) = client.read("/v1/runs", workflow_id=listed[0], limit=1)["items"]
    whole = client.run(run["id"])
    shown = ("workflow_id", "version", "status", "error", "created_at", "started_at", "finished_at")
    assert {name: run[name] for name in shown} == {name: whole[name] for name in shown}
    assert not {"input", "output", "trigger", "steps"} & run.keys()
    for name in ("created_at", "started_at", "finished_at"):
        assert datetime.fromisoformat(run[name]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"limit": 0},
        {"limit": 100_000},
        {"limit": "many"},
        {"workflow_id": "x"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00Z"},
        {"trigger_type": "a b"},
        {"trigger_type": "cron"},
        {"workflow": "x"},
        {"q": "a\0b"},
        {"q": "x" * 1000},
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_used_is_refused(client: Client, query: dict[str, Any]) -> None:
    problem = assert_problem(client.http.get("/v1/runs", params=query), 400, "invalid_request")
    assert problem["errors"][0]["pointer"] == f"/query/{next(iter(query))}"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "1" * 500, "ü"])
def test_a_cursor_that_was_not_given_out_is_refused(client: Client, cursor: str) -> None:
    assert_problem(client.http.get("/v1/runs", params={"cursor": cursor}), 400, "invalid_cursor")


@pytest.mark.parametrize("path", ["", "/events", "/stream"])
def test_a_run_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert_problem(client.http.get(f"/v1/runs/{uuid.uuid4()}{path}"), 404, "not_found")
    assert_problem(client.http.get(f"/v1/runs/no-id{path}"), 404, "not_found")
