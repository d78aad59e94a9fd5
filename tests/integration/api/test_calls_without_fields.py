"""Calls that have nothing to be told: what they are told nevertheless was meant for something, and is refused."""

from typing import Any

import pytest

from app.openapi import build_document
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import Histories, queued, started
from tests.integration.api.journals import BROKEN, CHAIN, problem

DRAFT = {"schema": 1, "steps": [{"id": "a", "type": "delay", "with": {"seconds": 1}}]}


async def _find_path(action: str, caller: Caller, histories: Histories) -> str:
    """Where the action is called, on something that it can be done to."""
    if action == "logout":
        return "/v1/auth/logout"
    if action == "publish":
        answer = await caller.client.post("/v1/workflows", json={"name": "Orders", "definition": DRAFT})
        return f"/v1/workflows/{answer.json()['id']}/publish"
    if action == "cancel":
        return f"/v1/runs/{await histories.keep(CHAIN, [queued(), started()], status='running')}/cancel"
    return f"/v1/runs/{await histories.keep(CHAIN, BROKEN, status='failed')}/retry"


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


ACTIONS = ["retry", "cancel", "publish", "logout"]
JSON = {"content-type": "application/json"}
NO_OBJECTS = [b"[]", b'"b"', b"1", b"null"]
NOTHING: list[dict[str, Any]] = [
    {},
    {"json": {}},
    {"content": b"", "headers": JSON},
    # What `curl -d ''` sends.
    {"content": b"", "headers": {"content-type": "application/x-www-form-urlencoded"}},
]


@pytest.mark.parametrize("action", ACTIONS)
async def test_what_nobody_asks_for_is_refused_and_nothing_is_done(
    owner: Caller, histories: Histories, action: str
) -> None:
    path = await _find_path(action, owner, histories)
    answer = await owner.client.post(path, json={"from_step": "b", "force": True})
    assert problem(answer) == (400, "invalid_request"), answer.text
    faults = {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]}
    assert faults == {("/from_step", "unknown_field"), ("/force", "unknown_field")}
    for body in NO_OBJECTS:
        answer = await owner.client.post(path, content=body, headers=JSON)
        assert problem(answer) == (400, "invalid_request"), answer.text
    # It can still be done: the refused calls have done nothing.
    assert (await owner.client.post(path)).is_success


@pytest.mark.parametrize("action", ["retry", "cancel", "publish"])
async def test_no_body_and_one_without_fields_are_taken(owner: Caller, histories: Histories, action: str) -> None:
    for said in NOTHING:
        path = await _find_path(action, owner, histories)
        answer = await owner.client.post(path, **said)
        assert answer.is_success, answer.text


def test_every_post_says_what_its_body_may_be(api: Api) -> None:
    paths = build_document(api.app)["paths"]
    silent = {
        operation["operationId"]
        for path in paths.values()
        for method, operation in path.items()
        if method == "post" and "requestBody" not in operation
    }
    # A hook's sender says what it wants.
    assert silent <= {"postHook"}
