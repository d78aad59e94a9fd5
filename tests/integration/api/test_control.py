"""Retry and signals over the API; no worker runs, so that what a call leaves behind stays as it is."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from app.auth.permissions import Role
from engine.core.events import RunCancelled, RunEvent, RunSignalled, RunSucceeded, StepWaiting
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import Histories, at, queued, started
from tests.integration.api.journals import BROKEN, CHAIN, fetch, problem


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


# Who may.

CALLS = [("retry", {}), ("rerun", {}), ("signal", {"name": "go"})]


@pytest.mark.parametrize(("action", "body"), CALLS, ids=str)
async def test_a_stranger_a_viewer_and_another_workspace_are_refused(
    api: Api, owner: Caller, histories: Histories, action: str, body: dict[str, Any]
) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    path = f"/v1/runs/{run_id}/{action}"
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    other = await api.sign_in(Role.OWNER)
    assert problem(await api.client().post(path, json=body)) == (401, "missing_token")
    assert problem(await viewer.client.post(path, json=body)) == (403, "missing_permission")
    assert problem(await other.client.post(path, json=body)) == (404, "not_found")
    assert problem(await owner.client.post(f"/v1/runs/{new_id()}/{action}", json=body)) == (404, "not_found")
    run = await histories.read(f"/v1/runs/{run_id}")
    assert (run["status"], run["last_seq"]) == ("failed", len(BROKEN))


async def test_an_operator_may_retry_rerun_and_signal(api: Api, owner: Caller, histories: Histories) -> None:
    operator = await api.sign_in(Role.OPERATOR, owner.workspace_id)
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    for action, body in (("rerun", {}), ("retry", {}), ("signal", {"name": "go"})):
        answer = await operator.client.post(f"/v1/runs/{run_id}/{action}", json=body)
        assert answer.status_code == 202, answer.text
        assert (answer.json()["run_id"] == run_id) == (action != "rerun")


# Retry.


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "succeeded"])
async def test_only_a_run_that_did_not_succeed_is_retried(owner: Caller, histories: Histories, status: str) -> None:
    events: list[RunEvent] = [queued(), started(), RunSucceeded(at=at(2), output=None, reason="completed")]
    run_id = await histories.keep(CHAIN, events, status=status)
    answer = await owner.client.post(f"/v1/runs/{run_id}/retry")
    assert problem(answer) == (409, "run_not_retryable")
    assert ("rerun it" if status == "succeeded" else f"is {status}") in answer.json()["detail"]


@pytest.mark.parametrize("status", ["failed", "cancelled", "timed_out"])
async def test_a_retried_run_is_queued_again_under_its_next_attempt(
    owner: Caller, histories: Histories, status: str
) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status=status, error_code="broken", error_message="it is broken")
    assert (await owner.client.post(f"/v1/runs/{run_id}/retry")).status_code == 202
    run = await histories.read(f"/v1/runs/{run_id}")
    assert (run["status"], run["attempt"], run["error"], run["finished_at"]) == ("queued", 2, None, None)
    assert {step["id"]: step["status"] for step in run["steps"]} == {"a": "succeeded", "b": "pending", "c": "pending"}
    (summary,) = [each for each in (await histories.read("/v1/runs"))["items"] if each["id"] == run_id]
    assert (summary["status"], summary["error"], summary["finished_at"]) == ("queued", None, None)
    event = (await histories.read(f"/v1/runs/{run_id}/events"))["items"][-1]
    assert (event["seq"], event["type"], event["data"]["attempt"]) == (len(BROKEN) + 1, "run.retried", 2)
    assert event["data"]["by"] == str(owner.user_id)


async def test_of_many_who_retry_at_once_one_does(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    answers = await asyncio.gather(*(owner.client.post(f"/v1/runs/{run_id}/retry") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"run_not_retryable"}
    events = (await histories.read(f"/v1/runs/{run_id}/events"))["items"]
    assert [event["type"] for event in events].count("run.retried") == 1


async def test_a_retry_that_is_sent_again_under_its_key_is_answered_as_before(
    owner: Caller, histories: Histories
) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed")
    key = {"idempotency-key": "retry-1"}
    first = await owner.client.post(f"/v1/runs/{run_id}/retry", headers=key)
    again = await owner.client.post(f"/v1/runs/{run_id}/retry", headers=key)
    assert (first.status_code, again.status_code, again.content) == (202, 202, first.content)
    assert (await histories.read(f"/v1/runs/{run_id}"))["attempt"] == 2


async def test_a_retry_forgets_what_was_meant_for_the_round_before_but_keeps_signals(
    owner: Caller, histories: Histories, clean_database: str
) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed", slot_at=at(1), concurrency_key="k", crashes=2)
    for kind in ("cancel", "approval", "child", "signal"):
        await histories.execute("INSERT INTO inbox (run_id, kind, payload) VALUES ($1, $2, '{}')", UUID(run_id), kind)
    await histories.execute(
        """
        INSERT INTO approval (id, workspace_id, run_id, step, message, created_at)
        VALUES ($1, $2, $3, 'b', 'Go?', now())
        """,
        new_id(),
        owner.workspace_id,
        UUID(run_id),
    )
    assert (await owner.client.post(f"/v1/runs/{run_id}/retry")).status_code == 202
    assert [row["kind"] for row in await fetch(clean_database, "SELECT kind FROM inbox")] == ["signal"]
    assert [row["status"] for row in await fetch(clean_database, "SELECT status FROM approval")] == ["cancelled"]
    (row,) = await fetch(clean_database, "SELECT slot_at, concurrency_key, crashes, owner, wake_at FROM run")
    assert tuple(row) == (None, None, 0, None, None)
    (told,) = await fetch(clean_database, "SELECT kind, payload FROM outbox WHERE kind = 'dispatch'")
    message = json.loads(told["payload"])
    assert (message["type"], message["status"], message["seq"]) == ("run.retried", "queued", len(BROKEN) + 1)


# Signals.

WAIT = {"steps": [{"id": "wait", "type": "wait", "with": {"signal": "go"}}]}
WAITING: list[RunEvent] = [queued(), started(), StepWaiting(at=at(2), step="wait", due_at=None, reason="signal")]


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
async def test_a_signal_lies_ready_for_a_run_that_goes_on(
    owner: Caller, histories: Histories, clean_database: str, status: str
) -> None:
    run_id = await histories.keep(WAIT, WAITING, status=status)
    answer = await owner.client.post(f"/v1/runs/{run_id}/signal", json={"name": "go", "payload": {"a": [1, None]}})
    assert (answer.status_code, answer.json()) == (202, {"run_id": run_id})
    (row,) = await fetch(clean_database, "SELECT kind, payload FROM inbox")
    message = json.loads(row["payload"])
    assert (row["kind"], message) == (
        "signal",
        {"name": "go", "payload": {"a": [1, None]}, "by": str(owner.user_id)},
    )


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timed_out"])
async def test_a_run_that_has_ended_takes_no_signal(
    owner: Caller, histories: Histories, clean_database: str, status: str
) -> None:
    run_id = await histories.keep(WAIT, [*WAITING, RunCancelled(at=at(3))], status=status)
    answer = await owner.client.post(f"/v1/runs/{run_id}/signal", json={"name": "go"})
    assert problem(answer) == (409, "run_finished")
    assert await fetch(clean_database, "SELECT FROM inbox") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "go", "data": 1}, "/data"),
    ],
    ids=repr,
)
async def test_a_signal_that_cannot_be_meant_is_refused(
    owner: Caller, histories: Histories, body: dict[str, Any], pointer: str
) -> None:
    run_id = await histories.keep(WAIT, WAITING, status="waiting")
    answer = await owner.client.post(f"/v1/runs/{run_id}/signal", json=body)
    assert problem(answer) == (400, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_a_signal_that_is_sent_again_under_its_key_counts_once(
    owner: Caller, histories: Histories, clean_database: str
) -> None:
    run_id = await histories.keep(WAIT, WAITING, status="waiting")
    for _ in range(2):
        answer = await owner.client.post(
            f"/v1/runs/{run_id}/signal", json={"name": "go"}, headers={"idempotency-key": "signal-1"}
        )
        assert answer.status_code == 202
    assert len(await fetch(clean_database, "SELECT FROM inbox")) == 1


async def test_a_payload_has_at_most_a_mebibyte(owner: Caller, histories: Histories, clean_database: str) -> None:
    run_id = await histories.keep(WAIT, WAITING, status="waiting")
    path = f"/v1/runs/{run_id}/signal"
    fits = await owner.client.post(path, json={"name": "go", "payload": "x" * (1_048_576 - 2)})
    assert fits.status_code == 202
    over = await owner.client.post(path, json={"name": "go", "payload": "x" * (1_048_576 - 1)})
    assert problem(over) == (413, "payload_too_large")
    assert "1,048,577 bytes" in over.json()["detail"]
    assert len(await fetch(clean_database, "SELECT FROM inbox")) == 1


async def test_large_signals_of_a_run_are_bounded_together_and_small_ones_are_not(
    owner: Caller, histories: Histories, clean_database: str
) -> None:
    taken = [RunSignalled(at=at(3), name="go", payload="x" * 1_000_000) for _ in range(66)]
    run_id = await histories.keep(WAIT, [*WAITING, *taken], status="waiting")
    path = f"/v1/runs/{run_id}/signal"
    assert (await owner.client.post(path, json={"name": "go", "payload": "x" * 900_000})).status_code == 202
    refused = await owner.client.post(path, json={"name": "go", "payload": "x" * 900_000})
    assert problem(refused) == (409, "too_many_signals")
    assert (await owner.client.post(path, json={"name": "go", "payload": "x" * 4000})).status_code == 202
    assert len(await fetch(clean_database, "SELECT FROM inbox")) == 2


async def test_a_large_payload_is_shown_by_its_beginning_and_given_whole(owner: Caller, histories: Histories) -> None:
    large = {"text": "x" * 100_000}
    events = [*WAITING, *(RunSignalled(at=at(3), name="go", payload=payload) for payload in (large, {"small": 1}))]
    run_id = await histories.keep(WAIT, events, status="waiting")
    first, second = (await histories.read(f"/v1/runs/{run_id}/events", after=len(WAITING)))["items"]
    shown = first["data"]["payload"]
    assert (shown["size"], shown["ref"], shown["preview"][:12]) == (100_011, str(first["seq"]), '{"text":"xxx')
    assert second["data"]["payload"] == {"small": 1}
    for event, payload in ((first, large), (second, {"small": 1})):
        assert (await histories.read(f"/v1/runs/{run_id}/payloads/{event['seq']}")) == payload
    run = await histories.read(f"/v1/runs/{run_id}")
    assert (run["steps"][0]["status"], run["last_seq"]) == ("waiting", len(events))
