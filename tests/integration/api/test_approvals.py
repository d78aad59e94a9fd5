"""Approvals over the API; no worker runs, so that what a decision leaves behind stays as it is."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.auth.permissions import Role
from engine.core.events import RunEvent, StepWaiting
from engine.infra.ids import new_id
from engine.store.extras import close_approvals
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import BEGIN, Histories, at, queued, started
from tests.integration.api.journals import fetch, problem
from tests.product import PATIENCE_SECONDS

ASK = {"steps": [{"id": "ask", "type": "approval", "with": {"message": "Go?"}}]}
ASKING: list[RunEvent] = [
    queued(),
    started(),
    StepWaiting(at=at(2), step="ask", due_at=None, reason="approval", message="Go?"),
]

_INSERT = """
INSERT INTO approval (id, workspace_id, run_id, step, message, status, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def ask(
    histories: Histories,
    owner: Caller,
    *,
    status: str = "pending",
    run_status: str = "waiting",
    step: str = "ask",
    due_at: datetime | None = None,
) -> tuple[str, str]:
    """The ids of an approval, and of the run that asks for it."""
    run_id = await histories.keep(ASK, ASKING, status=run_status)
    approval_id = new_id()
    place = owner.workspace_id
    await histories.execute(_INSERT, approval_id, place, UUID(run_id), step, "Go?", status, due_at, BEGIN)
    return str(approval_id), run_id


async def decide(caller: Caller, approval_id: str, **body: Any) -> Any:
    return await caller.client.post(f"/v1/approvals/{approval_id}", json={"decision": "approved", **body})


async def test_an_approval_says_who_asks_for_what(owner: Caller, histories: Histories) -> None:
    due_at = BEGIN + timedelta(days=1)
    approval_id, run_id = await ask(histories, owner, step="each[0].ask", due_at=due_at)
    approval = await histories.read(f"/v1/approvals/{approval_id}")
    workflow_id = approval.pop("workflow_id")
    assert approval == {
        "id": approval_id,
        "run_id": run_id,
        "step_id": "each[0].ask",
        "workflow_name": "W",
        "message": "Go?",
        "status": "pending",
        "created_at": "2027-01-01T00:00:00Z",
        "due_at": "2027-01-02T00:00:00Z",
        "comment": None,
        "decided_by": None,
        "decided_at": None,
    }
    assert (await histories.read(f"/v1/workflows/{workflow_id}"))["id"] == workflow_id


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_decision_shows_at_once_and_lies_in_the_inbox_of_the_run(
    owner: Caller, histories: Histories, clean_database: str, decision: str
) -> None:
    approval_id, run_id = await ask(histories, owner)
    answer = await decide(owner, approval_id, decision=decision, comment="fine\n👍")
    assert answer.status_code == 200, answer.text
    decided = answer.json()
    assert (decided["status"], decided["comment"], decided["decided_by"]) == (
        decision,
        "fine\n👍",
        str(owner.user_id),
    )
    assert decided["decided_at"] is not None
    assert await histories.read(f"/v1/approvals/{approval_id}") == decided
    (row,) = await fetch(clean_database, "SELECT run_id, kind, payload FROM inbox")
    assert (str(row["run_id"]), row["kind"]) == (run_id, "approval")
    assert json.loads(row["payload"]) == {
        "step": "ask",
        "decision": decision,
        "comment": "fine\n👍",
        "by": str(owner.user_id),
        "at": decided["decided_at"],
    }
    told = await fetch(clean_database, "SELECT kind FROM outbox WHERE run_id = $1", UUID(run_id))
    assert [row["kind"] for row in told] == ["inbox"]


@pytest.mark.parametrize("status", ["approved", "rejected", "timed_out", "cancelled"])
async def test_what_is_decided_is_not_decided_again(
    owner: Caller, histories: Histories, clean_database: str, status: str
) -> None:
    approval_id, _ = await ask(histories, owner, status=status)
    answer = await decide(owner, approval_id)
    assert problem(answer) == (409, "approval_decided")
    assert status in answer.json()["detail"]
    assert (await histories.read(f"/v1/approvals/{approval_id}"))["status"] == status
    assert await fetch(clean_database, "SELECT FROM inbox") == []


@pytest.mark.without_faults("it holds a lock against one statement and looks for who waits")
async def test_a_decision_that_comes_as_the_approval_times_out_is_refused(
    owner: Caller, histories: Histories, clean_database: str
) -> None:
    approval_id, _ = await ask(histories, owner)
    connection = await asyncpg.connect(clean_database)
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with connection.transaction():
            await connection.execute("UPDATE approval SET status = 'timed_out'")
            deciding = asyncio.create_task(decide(owner, approval_id))
            # It waits for the timeout's commit, and then finds that there is nothing left to decide.
            waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"
            while not (await fetch(clean_database, waits, connection.get_server_pid()))[0][0]:
                await asyncio.sleep(0.01)
        answer = await deciding
    await connection.close()
    assert problem(answer) == (409, "approval_decided")
    assert "timed_out" in answer.json()["detail"]
    assert await fetch(clean_database, "SELECT FROM inbox") == []


async def test_of_many_who_decide_at_once_one_does(owner: Caller, histories: Histories, clean_database: str) -> None:
    approval_id, _ = await ask(histories, owner)
    decisions = ["approved", "rejected"] * 3
    answers = await asyncio.gather(*(decide(owner, approval_id, decision=decision) for decision in decisions))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await histories.read(f"/v1/approvals/{approval_id}"))["status"] == winner["status"]
    (row,) = await fetch(clean_database, "SELECT payload FROM inbox")
    assert json.loads(row["payload"])["decision"] == winner["status"]


async def test_a_decision_that_is_sent_again_under_its_key_is_answered_as_before(
    owner: Caller, histories: Histories
) -> None:
    approval_id, _ = await ask(histories, owner)
    path, key = f"/v1/approvals/{approval_id}", {"idempotency-key": "decision-1"}
    answers = [await owner.client.post(path, json={"decision": "approved"}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("run_status", ["failed", "cancelled", "timed_out"])
async def test_an_approval_of_a_run_that_has_ended_is_cancelled_whether_or_not_it_was_closed(
    owner: Caller, histories: Histories, clean_database: str, run_status: str
) -> None:
    approval_id, run_id = await ask(histories, owner, run_status=run_status)
    still_open, _ = await ask(histories, owner)
    for _ in range(2):
        assert (await histories.read(f"/v1/approvals/{approval_id}"))["status"] == "cancelled"
        listed = await histories.read("/v1/approvals", run_id=run_id)
        assert [approval["status"] for approval in listed["items"]] == ["cancelled"]
        # Filters see what readers see.
        for status, ids in (
            ("pending", [still_open]),
            ("cancelled", [approval_id]),
            ("approved", []),
            ("approved,cancelled", [approval_id]),
        ):
            found = (await histories.read("/v1/approvals", status=status))["items"]
            assert [approval["id"] for approval in found] == ids
        assert problem(await decide(owner, approval_id)) == (409, "approval_decided")
        connection = await asyncpg.connect(clean_database)
        await close_approvals(connection)
        await connection.close()


async def test_who_may_read_and_who_may_decide(api: Api, owner: Caller, histories: Histories) -> None:
    approval_id, _ = await ask(histories, owner)
    path = f"/v1/approvals/{approval_id}"
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    operator = await api.sign_in(Role.OPERATOR, owner.workspace_id)
    other = await api.sign_in(Role.OWNER)
    body = {"decision": "approved"}
    for call in (api.client().get("/v1/approvals"), api.client().get(path), api.client().post(path, json=body)):
        assert problem(await call) == (401, "missing_token")
    assert problem(await other.client.get(path)) == (404, "not_found")
    assert problem(await other.client.post(path, json=body)) == (404, "not_found")
    assert (await other.client.get("/v1/approvals")).json() == {"items": [], "next_cursor": None}
    assert (await viewer.client.get(path)).json()["status"] == "pending"
    assert len((await viewer.client.get("/v1/approvals")).json()["items"]) == 1
    assert problem(await viewer.client.post(path, json=body)) == (403, "missing_permission")
    decided = await operator.client.post(path, json=body)
    assert (decided.status_code, decided.json()["decided_by"]) == (200, str(operator.user_id))
    assert problem(await owner.client.post(f"/v1/approvals/{new_id()}", json=body)) == (404, "not_found")


async def test_pages_hold_the_newest_first(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(ASK, ASKING, status="waiting")
    ids = [new_id() for _ in range(5)]
    for number, approval_id in enumerate(ids):
        status = "approved" if number % 2 else "pending"
        step = f"each[{number}].ask"
        values = (approval_id, owner.workspace_id, UUID(run_id), step, "Go?", status, None, BEGIN)
        await histories.execute(_INSERT, *values)
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        page = await histories.read("/v1/approvals", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [approval["id"] for approval in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [str(approval_id) for approval_id in reversed(ids)]
    pending = await histories.read("/v1/approvals", status="pending", limit=2)
    assert [approval["id"] for approval in pending["items"]] == [str(ids[4]), str(ids[2])]
    assert pending["next_cursor"] is not None
    # Those of several statuses fill their pages too, whatever stands between them.
    both = await histories.read("/v1/approvals", status="approved,rejected", limit=2)
    assert [approval["id"] for approval in both["items"]] == [str(ids[3]), str(ids[1])]
    assert both["next_cursor"] is None
    every = await histories.read("/v1/approvals", status="pending,approved")
    assert [approval["id"] for approval in every["items"]] == seen
    other = await histories.read("/v1/approvals", run_id=str(new_id()))
    assert other["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/decision"),
        ({"decision": "maybe"}, "/decision"),
        ({"decision": "timeout"}, "/decision"),
        ({"decision": "approved", "comment": "a\x00"}, "/comment"),
        ({"decision": "approved", "comment": "x" * 10_001}, "/comment"),
        ({"decision": "approved", "comment": 5}, "/comment"),
        ({"decision": "approved", "by": "me"}, "/by"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_decision_that_is_none_is_refused(
    owner: Caller, histories: Histories, body: dict[str, Any], pointer: str
) -> None:
    approval_id, _ = await ask(histories, owner)
    answer = await owner.client.post(f"/v1/approvals/{approval_id}", json=body)
    assert problem(answer) == (400, "invalid_request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert (await histories.read(f"/v1/approvals/{approval_id}"))["status"] == "pending"
