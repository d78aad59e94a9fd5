"""Approvals in a definition: which way each decision goes, and what becomes of those that nobody takes or hears."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import Step, define, foreach, of_type, transform
from tests.product import wait_for

Publish = Callable[..., Published]


def approval(step_id: str, message: str = "Go on?", *, after: list[str] | None = None, **more: Any) -> Step:
    """An `approval` step; `more` goes into `with`."""
    return of_type("approval", step_id, {"message": message, **more}, after=after)


def heard(*ports: str, **more: Any) -> Document:
    """An approval with a listener on its success, and on each of these ports."""
    listeners = [transform(f"on_{port}", after=[f"ask.{port}"]) for port in ports]
    return define(approval("ask", **more), transform("go_on", after=["ask"]), *listeners)


def wait_for_approvals(client: Client, run_id: str, count: int = 1) -> list[Document]:
    """The pending approvals of a run, the oldest first, once there are so many."""
    found: list[Document] = wait_for(
        lambda: (
            items
            if len(items := client.read("/v1/approvals", run_id=run_id, status="pending")["items"]) == count
            else None
        ),
        what=f"{count} approvals of {run_id}",
    )
    return found[::-1]


def decide(client: Client, run_id: str, decision: str, comment: str | None = None) -> None:
    """Decide the one approval of a run."""
    (pending,) = wait_for_approvals(client, run_id)
    body = {"decision": decision, "comment": comment}
    answer = client.http.post(f"/v1/approvals/{pending['id']}", json=body)
    assert answer.status_code == 200, answer.text


def test_an_approval_is_waited_for_with_its_message_filled_in(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(approval("ask", "Refund {{ input.amount }} to {{ input.to.name }}?")))
    run_id = client.start(workflow.id, {"input": {"amount": 12.5, "to": {"name": "Ada"}}})
    (pending,) = wait_for_approvals(client, run_id)
    assert (pending["message"], pending["step_id"], pending["run_id"]) == ("Refund 12.5 to Ada?", "ask", run_id)
    run = client.wait_for_status(run_id, "waiting")
    ask = step_of(run, "ask")
    assert (run["reason"], ask["status"], ask["reason"]) == ("approval", "waiting", "approval")
    assert (ask["waiting"]["approval_id"], ask["waiting"]["message"]) == (pending["id"], pending["message"])
    assert pending["message"] in ask["explanation"]
    decide(client, run_id, "approved")
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_an_approved_one_gives_who_decided_what_and_when(client: Client, publish_workflow: Publish) -> None:
    run_id = client.start(publish_workflow(heard("approved", "rejected", "timeout", "error")).id)
    decide(client, run_id, "approved", "looks fine")
    run = client.wait_for_end(run_id)
    ask = step_of(run, "ask")
    assert (ask["status"], ask["port"], ask["reason"]) == ("succeeded", "approved", "approved")
    at = ask["output"].pop("at")
    assert datetime.fromisoformat(at) <= datetime.fromisoformat(ask["finished_at"])
    assert ask["output"] == {"decision": "approved", "comment": "looks fine", "by": client.me()["user"]["id"]}
    assert statuses_of(run) == {
        "ask": "succeeded",
        "go_on": "succeeded",
        "on_approved": "succeeded",
        "on_rejected": "skipped",
        "on_timeout": "skipped",
        "on_error": "skipped",
    }


def test_a_rejection_that_somebody_listens_for_is_no_failure_and_no_success_either(
    client: Client, publish_workflow: Publish
) -> None:
    run_id = client.start(publish_workflow(heard("rejected", "error")).id)
    decide(client, run_id, "rejected", "too much")
    run = client.wait_for_end(run_id)
    ask = step_of(run, "ask")
    assert (run["status"], ask["status"], ask["port"]) == ("succeeded", "succeeded", "rejected")
    assert (ask["output"]["decision"], ask["output"]["comment"]) == ("rejected", "too much")
    assert statuses_of(run) == {
        "ask": "succeeded",
        "go_on": "skipped",
        "on_rejected": "succeeded",
        "on_error": "skipped",
    }
    assert step_of(run, "go_on")["reason"] == "port_not_taken"


@pytest.mark.parametrize("ports", [(), ("timeout",), ("error",)], ids=["alone", "with timeout", "handled"])
def test_a_rejection_that_nobody_listens_for_fails_the_step(
    client: Client, publish_workflow: Publish, ports: tuple[str, ...]
) -> None:
    run_id = client.start(publish_workflow(heard(*ports)).id)
    decide(client, run_id, "rejected", "never")
    run = client.wait_for_end(run_id)
    ask = step_of(run, "ask")
    assert (ask["status"], ask["reason"], ask["error"]["code"]) == ("failed", "approval_rejected", "approval_rejected")
    assert "never" in ask["error"]["message"]
    assert ask["error"]["details"]["decision"] == "rejected"
    if "error" in ports:
        assert (run["status"], step_of(run, "on_error")["status"]) == ("succeeded", "succeeded")
    else:
        assert (run["status"], run["error"]["code"], run["error"]["step"]) == ("failed", "approval_rejected", "ask")


def test_a_timeout_that_somebody_listens_for_goes_on_at_its_port(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(heard("approved", "timeout", "error", timeout="{{ input.patience }}"))
    run_id = client.start(workflow.id, {"input": {"patience": 0.4}})
    run = client.wait_for_end(run_id)
    ask = step_of(run, "ask")
    assert (run["status"], ask["port"], ask["reason"]) == ("succeeded", "timeout", "wait_timeout")
    assert ask["output"] == {"decision": "timeout", "comment": None, "by": None, "at": None}
    assert statuses_of(run) == {
        "ask": "succeeded",
        "go_on": "skipped",
        "on_approved": "skipped",
        "on_timeout": "succeeded",
        "on_error": "skipped",
    }
    (ended,) = client.read("/v1/approvals", run_id=run_id)["items"]
    assert ended["status"] == "timed_out"


@pytest.mark.parametrize("ports", [("rejected",), ("error",)], ids=["unhandled", "handled"])
def test_a_timeout_that_nobody_listens_for_fails_the_step(
    client: Client, publish_workflow: Publish, ports: tuple[str, ...]
) -> None:
    run = client.finish(publish_workflow(heard(*ports, timeout=0.2)).id)
    ask = step_of(run, "ask")
    assert (ask["status"], ask["reason"], ask["error"]["code"]) == ("failed", "wait_timeout", "wait_timeout")
    assert run["status"] == ("succeeded" if ports == ("error",) else "failed")


def test_the_ways_of_an_approval_come_together_with_join_any(client: Client, publish_workflow: Publish) -> None:
    definition = heard("approved", "rejected")
    definition["steps"].append(
        of_type("transform", "meet", {"values": {}}, after=["on_approved", "on_rejected"], join="any")
    )
    workflow = publish_workflow(definition)
    run_ids = {decision: client.start(workflow.id) for decision in ("approved", "rejected")}
    for decision, run_id in run_ids.items():
        decide(client, run_id, decision)
    for run_id in run_ids.values():
        assert step_of(client.wait_for_end(run_id), "meet")["status"] == "succeeded"


def test_each_item_of_a_loop_asks_for_itself(client: Client, publish_workflow: Publish) -> None:
    loop = foreach(
        "each",
        "['a', 'b']",
        approval("ask", "Ship {{ item }}?"),
        output="{{ steps.ask.output.decision }}",
        on_item_error="continue",
    )
    run_id = client.start(publish_workflow(define(loop)).id)
    pending = wait_for_approvals(client, run_id, 2)
    assert {(one["step_id"], one["message"]) for one in pending} == {
        ("each[0].ask", "Ship a?"),
        ("each[1].ask", "Ship b?"),
    }
    for one in pending:
        decision = "approved" if one["step_id"] == "each[0].ask" else "rejected"
        assert client.http.post(f"/v1/approvals/{one['id']}", json={"decision": decision}).status_code == 200
    run = client.wait_for_end(run_id)
    first, second = step_of(run, "each")["output"]
    assert (run["status"], first, second["error"]["code"]) == ("succeeded", "approved", "approval_rejected")


def test_a_faulty_approval_is_refused(client: Client) -> None:
    definition = define(
        of_type("approval", "a", {}),
        approval("b", ""),
        approval("c", timeout=-1),
        transform("d", after=["c.denied"]),
        approval("e", after=["c.rejected", "c.approved", "c.timeout", "c.error"]),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/steps/0/with", "required"),
        ("/steps/1/with/message", "too_short"),
        ("/steps/2/with/timeout", "out_of_range"),
        ("/steps/3/after/0", "unknown_port"),
    }
