"""What stands in a query is understood or refused, in every call."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.main import create_app
from app.openapi import build_document
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.api.callers import Caller

Document = dict[str, Any]
# The latest events are twenty.
_WITHOUT_PAGES = {"/v1/triggers/{trigger_id}/events"}


def _calls() -> Iterator[tuple[str, str, Document]]:
    """Method, path and OpenAPI operation of every call below `/v1`."""
    for path, operations in build_document(create_app(Settings()))["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/"):
                yield method.upper(), path, operation


CALLS = list(_calls())


def _fill(path: str) -> str:
    """A path with values in the places of its parameters, of things that are not there."""
    parts = {"version": "1", "step": "a", "name": "a", "ref": "a", "token": "a"}
    return "/".join(parts.get(part[1:-1], str(new_id())) if part.startswith("{") else part for part in path.split("/"))


def _is_list(operation: Document) -> bool:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return str(operation["operationId"]).startswith("list") and "schema" in content


# What somebody else writes into an address is theirs.
_FREE = ("/v1/hooks/{token}", "/v1/auth/oidc/callback", "/v1/connections/oauth/callback")


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in CALLS if path not in _FREE])
async def test_a_parameter_that_a_call_does_not_know_is_refused_by_its_name(
    owner: Caller, method: str, path: str
) -> None:
    answer = await owner.client.request(method, _fill(path), params={"bogus": "1"}, json={})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_request"
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/bogus", "unknown_parameter")
    assert "'bogus'" in fault["message"]


@pytest.mark.parametrize("path", [path for _, path, operation in CALLS if _is_list(operation)])
async def test_every_list_takes_a_limit_and_a_cursor(path: str) -> None:
    (operation,) = (operation for method, known, operation in CALLS if (method, known) == ("GET", path))
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    assert path in _WITHOUT_PAGES or {"limit", "cursor"} <= names


async def test_the_nearest_parameter_and_all_of_them_are_named(owner: Caller) -> None:
    answer = await owner.client.get("/v1/runs?Workflow=x&limt=5&q=a&~/=1")
    assert answer.status_code == 400
    faults = {fault["pointer"]: fault["message"] for fault in answer.json()["errors"]}
    assert set(faults) == {"/query/Workflow", "/query/limt", "/query/~0~1"}
    assert faults["/query/Workflow"].endswith("did you mean 'workflow_id'?")
    assert faults["/query/limt"].endswith("did you mean 'limit'?")
    assert "cursor, limit, q, since, status, test, trigger_type, until, workflow_id" in faults["/query/~0~1"]
    assert "did you mean" not in faults["/query/~0~1"]


async def test_a_parameter_that_stands_there_twice_is_refused(owner: Caller) -> None:
    answer = await owner.client.get("/v1/runs?status=failed&status=running&limit=1")
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/status", "repeated_parameter")


async def test_of_very_many_unknown_parameters_a_few_are_told(owner: Caller) -> None:
    answer = await owner.client.get("/v1/runs?" + "&".join(f"{'x' * 200}{number}=" for number in range(250)))
    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    ("query", "known"),
    [
        ("/v1/runs?trigger_type=zzz", "manual, api, webhook, schedule, event, workflow"),
        ("/v1/runs?test=zzz", "true, false, all"),
        ("/v1/approvals?status=zzz", "pending, approved, rejected, timed_out, cancelled"),
        ("/v1/approvals?status=approved,zzz", "pending, approved, rejected, timed_out, cancelled"),
        ("/v1/runs?status=failed,zzz", "queued, running, waiting, succeeded, failed, cancelled, timed_out"),
        ("/v1/events?outcome=started,zzz", "pending, started, duplicate, filtered, rejected"),
    ],
)
async def test_a_value_that_is_none_of_a_few_is_refused_with_those_that_are(
    owner: Caller, query: str, known: str
) -> None:
    answer = await owner.client.get(query)
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    place = query.partition("?")[2].partition("=")[0]
    assert (fault["pointer"], fault["code"]) == (f"/query/{place}", "choice")
    assert fault["message"] == f"'zzz' is none of {known}"


async def test_a_bulk_filter_by_what_starts_no_run_is_refused(owner: Caller) -> None:
    body = {"action": "cancel", "filter": {"trigger_type": "zzz"}}
    answer = await owner.client.post("/v1/runs/bulk", json=body)
    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/filter/trigger_type"]


async def test_a_hook_is_called_with_any_query(owner: Caller) -> None:
    answer = await owner.client.post("/v1/hooks/nobody?bogus=1&bogus=2", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/vars", "/v1/step-types", "/v1/workspaces"])
async def test_a_short_list_comes_whole_or_in_pages(owner: Caller, path: str) -> None:
    for name in ("a", "b", "c"):
        assert (await owner.client.put(f"/v1/vars/{name}", json={"value": name})).status_code == 201
    whole = (await owner.client.get(path)).json()
    assert whole["next_cursor"] is None
    seen: list[Document] = []
    cursor: Document = {}
    while True:
        page = (await owner.client.get(path, params={"limit": 2, **cursor})).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 2
        cursor = {"cursor": page["next_cursor"]}
    assert seen == whole["items"]
    refused = await owner.client.get(path, params={"cursor": "bm9uZQ"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")
