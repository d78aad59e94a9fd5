"""What is committed beside a run's events: approvals, the ends of sub-runs, large outputs."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.core.events import StepCancelled, StepFailed, StepSucceeded
from engine.store.approvals import decide_approval
from engine.store.inbox import put_message
from engine.worker import driver as driver_module
from engine.worker import extras as extras_module
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

APPROVAL = {"id": "ask", "type": "approval", "with": {"message": "Ship {{ input.n }}?"}}
TEXT = {"text": "{{ steps.big.output.text }}"}


async def approvals(workshop: Workshop) -> list[dict[str, Any]]:
    return [dict(row) for row in await workshop.pool.fetch("SELECT * FROM approval ORDER BY id")]


async def decide(workshop: Workshop, run_id: UUID, decision: str, **rest: Any) -> None:
    payload = {"step": "ask", "decision": decision, **rest}
    await put_message(workshop.pool, run_id, workshop.workspace_id, "approval", payload)


@pytest.mark.parametrize("suspend_after", [0.05, 60.0], ids=["suspended", "in memory"])
async def test_an_approval_is_a_row_from_its_question_to_its_answer(workshop: Workshop, suspend_after: float) -> None:
    workflow = await workshop.publish([APPROVAL], output="{{ steps.ask.output }}")
    await workshop.engine(suspend_after_seconds=suspend_after)
    (run_id,) = await workshop.start(workflow, run_input={"n": 17})
    await workshop.wait(run_id, "waiting")
    (row,) = await approvals(workshop)
    assert (row["status"], row["message"], row["step"]) == ("pending", "Ship 17?", "ask")
    assert row["workspace_id"] == workshop.workspace_id
    user = str(workshop.workspace_id)
    await decide(workshop, run_id, "approved", comment="yes", by=user)
    await workshop.wait(run_id, "succeeded")
    (row,) = await approvals(workshop)
    assert (row["status"], row["comment"], str(row["decided_by"])) == ("approved", "yes", user)
    output = (await workshop.journal(run_id))[-1].output
    assert output == {"decision": "approved", "comment": "yes", "by": user, "at": output["at"]}


async def test_a_rejection_a_timeout_and_a_cancel_close_their_approvals(workshop: Workshop) -> None:
    workflow = await workshop.publish([APPROVAL])
    brief = await workshop.publish([{**APPROVAL, "with": {"message": "?", "timeout": 0.1}}])
    await workshop.engine()
    rejected, cancelled = await workshop.start(workflow, 2, run_input={"n": 1})
    (late,) = await workshop.start(brief)
    for run_id in (rejected, cancelled):
        await workshop.wait(run_id, "waiting")
    await decide(workshop, rejected, "rejected", comment="no")
    await put_message(workshop.pool, cancelled, workshop.workspace_id, "cancel", {"by": None})
    assert (await workshop.wait(rejected, "failed"))["error_code"] == "approval_rejected"
    await workshop.wait(cancelled, "cancelled")
    assert (await workshop.wait(late, "failed"))["error_code"] == "wait_timeout"
    rows = {row["run_id"]: row for row in await approvals(workshop)}
    assert {rows[run_id]["status"] for run_id in (rejected,)} == {"rejected"}
    assert rows[cancelled]["status"] == "cancelled"
    assert rows[late]["status"] == "timed_out"


async def test_what_was_decided_as_the_run_was_cancelled_stays_decided(workshop: Workshop) -> None:
    workflow = await workshop.publish([APPROVAL])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow, run_input={"n": 17})
    await workshop.wait(run_id, "waiting")
    (row,) = await approvals(workshop)
    user = workshop.workspace_id
    # Both are there at once, the request to cancel before the decision.
    async with workshop.pool.acquire() as connection, connection.transaction():
        await put_message(connection, run_id, user, "cancel", {"by": None})
        assert await decide_approval(connection, row["id"], user, decision="approved", comment="yes", by=user)
    await workshop.wait(run_id, "cancelled")
    assert any(isinstance(event, StepCancelled) for event in await workshop.journal(run_id))
    (row,) = await approvals(workshop)
    assert (row["status"], row["comment"], row["decided_by"]) == ("approved", "yes", user)


async def test_the_time_of_a_decision_is_that_of_its_acceptance_and_stays_so(workshop: Workshop) -> None:
    workflow = await workshop.publish([APPROVAL])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow, run_input={"n": 17})
    await workshop.wait(run_id, "waiting")
    (row,) = await approvals(workshop)
    user = workshop.workspace_id
    assert await decide_approval(workshop.pool, row["id"], user, decision="rejected", comment=None, by=user)
    (decided,) = await approvals(workshop)
    await workshop.wait(run_id, "failed")
    (row,) = await approvals(workshop)
    failed = next(event for event in await workshop.journal(run_id) if isinstance(event, StepFailed))
    assert row["decided_at"] == decided["decided_at"] == datetime.fromisoformat(failed.error.details["at"])
    assert row["decided_at"] <= failed.at


async def test_an_approval_that_opens_and_ends_in_one_commit_is_written_as_ended(workshop: Workshop) -> None:
    workflow = await workshop.publish(
        [APPROVAL, {"id": "no", "type": "fail", "with": {"message": "stop"}}], output="{{ steps.ask.output }}"
    )
    await workshop.engine()
    (run_id,) = await workshop.start(workflow, run_input={"n": 1})
    await workshop.wait(run_id, "failed")
    (row,) = await approvals(workshop)
    assert row["status"] == "cancelled"


@pytest.mark.parametrize("suspend_after", [0.05, 60.0], ids=["suspended", "in memory"])
async def test_a_sub_run_returns_its_output_to_its_parent(
    workshop: Workshop, target: Target, suspend_after: float
) -> None:
    child = await workshop.publish([call("a", target)], output={"got": "{{ input.n }}"})
    parent = await workshop.publish(
        [{"id": "sub", "type": "workflow", "with": {"workflow_id": str(child), "input": {"n": "{{ input.n }}"}}}],
        output="{{ steps.sub.output }}",
    )
    target.gate.clear()
    await workshop.engine(suspend_after_seconds=suspend_after)
    (run_id,) = await workshop.start(parent, run_input={"n": 5})
    await asyncio.wait_for(target.arrived.wait(), PATIENCE_SECONDS)
    await workshop.wait(run_id, "waiting")
    target.gate.set()
    await workshop.wait(run_id, "succeeded")
    assert (await workshop.journal(run_id))[-1].output == {"got": 5}
    sub = await workshop.pool.fetchrow("SELECT * FROM run WHERE parent_run_id = $1", run_id)
    assert (sub["parent_step"], sub["depth"], sub["status"]) == ("sub", 1, "succeeded")
    assert await workshop.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_the_failure_of_a_sub_run_is_its_steps_error(workshop: Workshop) -> None:
    child = await workshop.publish([{"id": "no", "type": "fail", "with": {"message": "out of stock"}}])
    parent = await workshop.publish([{"id": "sub", "type": "workflow", "with": {"workflow_id": str(child)}}])
    await workshop.engine()
    (run_id,) = await workshop.start(parent)
    row = await workshop.wait(run_id, "failed")
    assert row["error_code"] == "child_failed"
    failed = next(event for event in await workshop.journal(run_id) if isinstance(event, StepFailed))
    assert "out of stock" in failed.error.message


async def test_sub_runs_are_cancelled_with_their_parent(workshop: Workshop) -> None:
    child = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 3600}}])
    parent = await workshop.publish([{"id": "sub", "type": "workflow", "with": {"workflow_id": str(child)}}])
    await workshop.engine(suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(parent)
    await workshop.wait(run_id, "waiting")
    sub = await workshop.pool.fetchval("SELECT id FROM run WHERE parent_run_id = $1", run_id)
    await workshop.wait(sub, "waiting")
    await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
    await workshop.wait(run_id, "cancelled")
    await workshop.wait(sub, "cancelled")
    assert (await workshop.journal(sub))[-1].reason == "parent_ended"


BIG = {"id": "big", "type": "transform", "with": {"values": {"text": "{{ input.text }}"}}}


async def test_a_large_output_lies_in_a_payload_and_is_read_again_after_a_suspension(workshop: Workshop) -> None:
    workflow = await workshop.publish(
        [
            BIG,
            {"id": "pause", "type": "delay", "with": {"seconds": 0.5}, "after": ["big"]},
            {
                "id": "size",
                "type": "transform",
                "after": ["pause"],
                "with": {"values": {"n": "{{ size(steps.big.output.text) }}"}},
            },
        ],
        output="{{ steps.size.output.n }}",
    )
    await workshop.engine(suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(workflow, run_input={"text": "é" * 100_000})
    await workshop.wait(run_id, "succeeded", "failed")
    events = await workshop.journal(run_id)
    event = next(event for event in events if isinstance(event, StepSucceeded) and event.step == "big")
    assert event.output is None
    assert event.output_ref is not None
    assert event.output_ref.size == len('{"text":""}') + 200_000
    assert event.output_ref.preview.startswith('{"text":"é')
    data = await workshop.pool.fetchval("SELECT data FROM payload WHERE run_id = $1", run_id)
    assert msgspec.json.decode(data) == {"text": "é" * 100_000}
    assert events[-1].output == 100_000


async def test_a_large_output_of_a_sub_run_reaches_its_parent(workshop: Workshop) -> None:
    child = await workshop.publish([BIG], output="{{ steps.big.output }}")
    parent = await workshop.publish(
        [{"id": "sub", "type": "workflow", "with": {"workflow_id": str(child), "input": "{{ input }}"}}],
        output="{{ size(steps.sub.output.text) }}",
    )
    await workshop.engine()
    (run_id,) = await workshop.start(parent, run_input={"text": "x" * 90_000})
    await workshop.wait(run_id, "succeeded", "failed")
    assert (await workshop.journal(run_id))[-1].output == 90_000


async def test_a_run_whose_outputs_are_too_large_together_fails_with_that_reason(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "MAX_RUN_BYTES", 150_000)
    second = {"id": "more", "type": "transform", "after": ["big"], "with": {"values": TEXT}}
    workflow = await workshop.publish(
        [BIG, {"id": "p", "type": "delay", "with": {"seconds": 0.1}, "after": ["big"]}, second | {"after": ["p"]}]
    )
    await workshop.engine()
    (run_id,) = await workshop.start(workflow, run_input={"text": "x" * 90_000})
    row = await workshop.wait(run_id, "failed")
    assert row["error_code"] == "run_too_large"


async def test_an_attempt_whose_output_is_too_large_fails_its_step(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras_module, "INLINE_BYTES", 100)
    monkeypatch.setattr("engine.worker.entries.INLINE_BYTES", 100)
    monkeypatch.setattr(extras_module, "MAX_OUTPUT_BYTES", 150)
    workflow = await workshop.publish([call("a", target)])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    row = await workshop.wait(run_id, "failed")
    assert row["error_code"] == "output_too_large"
    assert len(target.requests) == 1
