"""Approvals as those see them who are asked: who may decide, once, and only while somebody waits for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, step_of
from tests.e2e.database import Database
from tests.e2e.steps import define, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import Product, wait_for

Publish = Callable[..., Published]


def ask(*, after: list[str] | None = None, **configuration: Any) -> Document:
    return of_type("approval", "ask", {"message": "Pay {{ input.amount }}?", **configuration}, after=after)


def asked(client: Client, run_id: str) -> Document:
    """The latest approval of a run, once it is asked for."""
    found: Document = wait_for(
        lambda: next(iter(client.read("/v1/approvals", run_id=run_id, status="pending")["items"]), None),
        what=f"approval of {run_id}",
    )
    return found


def status_of(client: Client, approval: Document) -> str:
    status: str = client.read(f"/v1/approvals/{approval['id']}")["status"]
    return status


def decide(client: Client, approval: Document, decision: str, **body: Any) -> Any:
    return client.http.post(f"/v1/approvals/{approval['id']}", json={"decision": decision, **body})


@pytest.fixture(scope="module")
def colleagues(product: Product, client: Client, database: Database) -> Iterator[dict[str, Client]]:
    """A viewer and an operator of the main workspace, and the owner of another one."""
    here, elsewhere = UUID(client.me()["workspace"]["id"]), database.add_workspace()
    people = {"viewer": here, "operator": here, "owner": elsewhere}
    opened = {role: Client(product.url) for role in people}
    for role, workspace in people.items():
        opened[role].sign_in(database.add_member(workspace, role))
    yield opened
    for each in opened.values():
        each.close()


def test_viewers_read_and_operators_decide_and_strangers_see_nothing(
    client: Client, anonymous: Client, colleagues: dict[str, Client], publish_workflow: Publish
) -> None:
    run_id = client.start(publish_workflow(define(ask())).id, {"input": {"amount": 7}})
    approval = asked(client, run_id)
    assert (approval["message"], approval["step_id"]) == ("Pay 7?", "ask")
    viewer, operator, other = (colleagues[role] for role in ("viewer", "operator", "owner"))
    assert viewer.read(f"/v1/approvals/{approval['id']}") == approval
    assert_problem(decide(viewer, approval, "approved"), 403, "missing_permission")
    assert_problem(decide(other, approval, "approved"), 404, "not_found")
    assert_problem(decide(anonymous, approval, "approved"), 401, "missing_token")
    assert other.read("/v1/approvals")["items"] == []
    answer = decide(operator, approval, "approved", comment="it is fine")
    assert answer.status_code == 200
    output = step_of(client.wait_for_status(run_id, "succeeded"), "ask")["output"]
    operator_id = operator.me()["user"]["id"]
    assert (output["decision"], output["comment"], output["by"]) == ("approved", "it is fine", operator_id)
    seen = client.read(f"/v1/approvals/{approval['id']}")
    assert (seen["status"], seen["decided_by"], seen["decided_at"]) == ("approved", operator_id, output["at"])


def test_a_question_that_is_too_long_fails_its_step_and_stands_in_no_list(
    client: Client, publish_workflow: Publish
) -> None:
    run = client.finish(publish_workflow(define(ask())).id, {"input": {"amount": "9" * 10_001}})
    error = step_of(run, "ask")["error"]
    assert (run["status"], error["code"]) == ("failed", "invalid_config")
    assert "10,006 characters" in error["message"]
    assert client.read("/v1/approvals", run_id=run["id"])["items"] == []


def test_of_many_deciders_one_is_heard(client: Client, publish_workflow: Publish) -> None:
    refused = of_type("transform", "refused", {"values": {}}, after=["ask.rejected"])
    run_id = client.start(publish_workflow(define(ask(), refused)).id, {"input": {"amount": 7}})
    approval = asked(client, run_id)
    with ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(lambda each: decide(client, approval, each), ["approved", "rejected"] * 3))
    (heard,) = [answer.json()["status"] for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code != 200:
            assert_problem(answer, 409, "approval_decided")
    run = client.wait_for_status(run_id, "succeeded")
    assert step_of(run, "ask")["output"]["decision"] == heard == status_of(client, approval)
    assert step_of(run, "refused")["status"] == ("succeeded" if heard == "rejected" else "skipped")
    assert_problem(decide(client, approval, "approved"), 409, "approval_decided")


def test_nobody_decides_for_a_run_that_was_cancelled(client: Client, publish_workflow: Publish) -> None:
    run_id = client.start(publish_workflow(define(ask())).id, {"input": {"amount": 7}})
    approval = asked(client, run_id)
    client.http.post(f"/v1/runs/{run_id}/cancel")
    client.wait_for_end(run_id)
    assert status_of(client, approval) == "cancelled"
    problem = assert_problem(decide(client, approval, "approved"), 409, "approval_decided")
    assert "cancelled" in problem["detail"]
    assert client.read("/v1/approvals", run_id=run_id, status="pending")["items"] == []


def test_nobody_decides_what_has_timed_out(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(define(ask(timeout=0.2))).id, {"input": {"amount": 7}})
    assert (run["status"], run["error"]["code"]) == ("failed", "wait_timeout")
    (approval,) = client.read("/v1/approvals", run_id=run["id"])["items"]
    assert (approval["status"], approval["decided_by"]) == ("timed_out", None)
    assert_problem(decide(client, approval, "rejected"), 409, "approval_decided")


def test_a_retried_run_asks_anew_and_the_earlier_question_stays_closed(
    client: Client, publish_workflow: Publish
) -> None:
    run_id = client.start(publish_workflow(define(ask())).id, {"input": {"amount": 7}})
    first = asked(client, run_id)
    client.http.post(f"/v1/runs/{run_id}/cancel")
    client.wait_for_end(run_id)
    assert client.http.post(f"/v1/runs/{run_id}/retry").status_code == 202
    second = asked(client, run_id)
    assert second["id"] != first["id"]
    assert_problem(decide(client, first, "approved"), 409, "approval_decided")
    assert decide(client, second, "approved").status_code == 200
    client.wait_for_status(run_id, "succeeded")
    assert [status_of(client, each) for each in (first, second)] == ["cancelled", "approved"]


def test_a_decision_is_kept_by_a_retry_and_taken_over_by_a_rerun(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/pay", Reply(status=404), Reply(status=404), Reply())
    definition = define(
        ask(), http("pay", target.base + "/pay", after=["ask"]), output="{{ steps.ask.output.comment }}"
    )
    run_id = client.start(publish_workflow(definition).id, {"input": {"amount": 7}})
    assert decide(client, asked(client, run_id), "approved", comment="once").status_code == 200
    client.wait_for_status(run_id, "failed")
    answer = client.http.post(f"/v1/runs/{run_id}/rerun", json={"from_step": "pay"})
    repeated = client.wait_for_end(answer.json()["run_id"])
    assert (repeated["status"], step_of(repeated, "ask")["output"]["comment"]) == ("failed", "once")
    assert client.read("/v1/approvals", run_id=repeated["id"])["items"] == []
    assert client.http.post(f"/v1/runs/{run_id}/retry").status_code == 202
    assert client.wait_for_status(run_id, "succeeded")["output"] == "once"
    assert len(client.read("/v1/approvals", run_id=run_id)["items"]) == 1


def test_the_lists_tell_decided_cancelled_and_open_ones_apart(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(ask()))
    runs = [client.start(workflow.id, {"input": {"amount": number}}) for number in range(6)]
    approvals = [asked(client, run_id) for run_id in runs]
    for number, (run_id, approval) in enumerate(zip(runs, approvals, strict=True)):
        if number % 2:
            client.http.post(f"/v1/runs/{run_id}/cancel")
        else:
            assert decide(client, approval, "approved").status_code == 200
        client.wait_for_end(run_id)
    mine = {approval["id"] for approval in approvals}
    for status, expected in (("approved", approvals[::2]), ("cancelled", approvals[1::2]), ("pending", [])):
        listed = [each["id"] for each in client.read("/v1/approvals", status=status, limit=200)["items"]]
        assert [each for each in listed if each in mine] == [each["id"] for each in reversed(expected)]
