"""One worker drives runs over a real database: order, waiting, suspending, cancelling."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from engine.core.events import StepFailed, StepRetrying, StepSucceeded, StepWaiting
from engine.steps.http import HttpStep
from engine.store.inbox import put_message
from engine.store.journal import Batch, Committed, commit_batch
from engine.worker import flusher as flusher_module
from engine.worker.engine import Engine
from tests.integration.worker.conftest import Target, Workshop
from tests.product import PATIENCE_SECONDS, TRIES


def call(step_id: str, target: Target, *after: str, **rest: Any) -> dict[str, Any]:
    config = {"method": "POST", "url": f"{target.url}/{step_id}"}
    return {"id": step_id, "type": "http", "with": config, "after": list(after), **rest}


async def leave_memory(engine: Engine) -> None:
    """Until the engine knows of no run any more: the database does before it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while engine._drivers:
            await asyncio.sleep(0.01)


async def test_steps_run_in_order_and_each_effect_follows_its_parents_commit(
    workshop: Workshop, target: Target
) -> None:
    workflow = await workshop.publish(
        [
            call("a", target),
            {"id": "b", "type": "if", "with": {"condition": "steps.a.output.status == 200"}, "after": ["a"]},
            call("c", target, "b.true"),
            call("d", target, "b.false"),
        ],
        output={"path": "{{ steps.c.output.body.path }}", "skipped": "{{ steps.d.output.body }}"},
    )
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    row = await workshop.wait(run_id, "succeeded", "failed")
    assert row["status"] == "succeeded"
    assert row["owner"] is None
    assert await workshop.types(run_id) == [
        "run.queued",
        "run.started",
        "step.succeeded",
        "step.succeeded",
        "step.skipped",
        "step.succeeded",
        "run.succeeded",
    ]
    last = (await workshop.journal(run_id))[-1]
    assert last.output == {"path": "/c", "skipped": None}
    assert [path for path, _ in target.requests] == ["/a", "/c"]


async def test_thousand_runs_end_once_each(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([{"id": "a", "type": "if", "with": {"condition": "true"}}])
    await workshop.engine()
    runs = await workshop.start(workflow, 1000)
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
    counts = await workshop.pool.fetch("SELECT count(*) AS n FROM journal GROUP BY run_id")
    assert {row["n"] for row in counts} == {4}


async def test_a_long_delay_leaves_memory_and_ends_on_time(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 4}}])
    engine, _ = await workshop.engine(suspend_after_seconds=0.2)
    (run_id,) = await workshop.start(workflow)
    row = await workshop.wait(run_id, "waiting")
    assert row["owner"] is None
    assert row["wake_at"] is not None
    await leave_memory(engine)
    await workshop.wait(run_id, "succeeded")
    events = await workshop.journal(run_id)
    due = next(event.due_at for event in events if isinstance(event, StepWaiting))
    assert due is not None
    done = next(event.at for event in events if isinstance(event, StepSucceeded))
    assert done >= due
    wakes = await workshop.pool.fetchval("SELECT count(*) FROM outbox WHERE kind = 'wake'")
    assert wakes == 1


async def test_a_delay_that_left_memory_is_not_late(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 0.5}}])
    await workshop.engine(suspend_after_seconds=0.2)
    lateness: list[timedelta] = []
    while not lateness or lateness[-1] >= timedelta(seconds=0.5):
        assert len(lateness) < TRIES, lateness
        (run_id,) = await workshop.start(workflow)
        await workshop.wait(run_id, "succeeded")
        events = await workshop.journal(run_id)
        due = next(event.due_at for event in events if isinstance(event, StepWaiting))
        done = next(event.at for event in events if isinstance(event, StepSucceeded))
        assert due is not None
        lateness.append(done - due)


async def test_a_short_delay_waits_in_memory_and_shows_as_waiting(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 3}}])
    engine, _ = await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    row = await workshop.wait(run_id, "waiting")
    assert row["owner"] is not None
    assert run_id in engine._drivers
    await workshop.wait(run_id, "succeeded")


async def test_a_cancel_breaks_a_blocked_call_off(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    workflow = await workshop.publish([call("a", target), call("b", target, "a")])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await asyncio.wait_for(target.arrived.wait(), PATIENCE_SECONDS)
    assert await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": "me"}) == "running"
    await workshop.wait(run_id, "cancelled")
    target.gate.set()
    await asyncio.sleep(0.2)
    assert (await workshop.types(run_id))[-3:] == ["step.cancelled", "step.cancelled", "run.cancelled"]
    assert await workshop.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_cancel_reaches_a_suspended_run(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 3600}}])
    await workshop.engine(suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(workflow)
    await workshop.wait(run_id, "waiting")
    await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
    await workshop.wait(run_id, "cancelled")


async def test_a_message_that_comes_before_the_suspension_is_not_lost(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 3600}}])
    (run_id,) = await workshop.start(workflow)
    await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
    await workshop.engine(suspend_after_seconds=0.1)
    await workshop.wait(run_id, "cancelled")


async def test_a_result_that_cannot_be_written_fails_its_step_alone(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HttpStep.run

    async def run(self: HttpStep, config: Any, context: Any) -> Any:
        if context.step_id == "bad":
            return {"handle": object()}
        return await real(self, config, context)

    monkeypatch.setattr(HttpStep, "run", run)
    workflow = await workshop.publish([call("bad", target), call("good", target), call("after", target, "bad.error")])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await workshop.wait(run_id, "succeeded")
    failed = [event for event in await workshop.journal(run_id) if isinstance(event, StepFailed)]
    assert [(event.step, event.error.code) for event in failed] == [("bad", "unstorable_result")]


async def test_a_refused_result_waits_for_what_its_run_has_under_way(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, gate = HttpStep.run, asyncio.Event()

    async def run(self: HttpStep, config: Any, context: Any) -> Any:
        if context.step_id == "bad":
            while not gate.is_set() and not held_back:
                await asyncio.sleep(0.01)
            return {"handle": object()}
        return await real(self, config, context)

    held_back: list[Batch] = []

    async def held(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        if any(row.kind == "step.succeeded" for row in batch.rows) and not gate.is_set():
            held_back.append(batch)
            await gate.wait()
        return await commit_batch(connection, worker_id, batch, **how)

    monkeypatch.setattr(HttpStep, "run", run)
    monkeypatch.setattr(flusher_module, "commit_batch", held)
    workflow = await workshop.publish([call("bad", target), call("good", target), call("after", target, "bad.error")])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    while not held_back:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    gate.set()
    await workshop.wait(run_id, "succeeded")
    assert (await workshop.types(run_id)).count("step.succeeded") == 2
    assert sorted(path for path, _ in target.requests) == ["/after", "/good"]


async def test_what_the_database_refuses_sinks_no_other_run(workshop: Workshop, target: Target) -> None:
    await workshop.pool.execute(
        "ALTER TABLE journal ADD CONSTRAINT no_poison CHECK (strpos(encode(payload, 'escape'), 'PO1SON') = 0)"
    )
    try:
        good = await workshop.publish([call("a", target)])
        longer = await workshop.publish([call("a", target), call("b", target, "a")])
        poisoned = await workshop.publish(
            [{"id": "a", "type": "http", "with": {"method": "GET", "url": f"{target.url}/PO1SON"}}]
        )
        await workshop.engine()
        runs = [*await workshop.start(good, 20), *await workshop.start(longer, 5)]
        (victim,) = await workshop.start(poisoned)
        for run_id in runs:
            await workshop.wait(run_id, "succeeded")
        row = await workshop.wait(victim, "failed")
        assert row["error_code"] == "unstorable_result"
    finally:
        await workshop.pool.execute("ALTER TABLE journal DROP CONSTRAINT no_poison")


async def test_a_long_wait_for_a_retry_leaves_memory_too(workshop: Workshop, target: Target) -> None:
    target.status = 503
    retry = {"max_attempts": 2, "initial": 4, "jitter": False}
    workflow = await workshop.publish([call("a", target, retry=retry)])
    engine, _ = await workshop.engine(suspend_after_seconds=0.2)
    (run_id,) = await workshop.start(workflow)
    while not (row := await workshop.row(run_id))["wake_at"]:
        await asyncio.sleep(0.01)
    assert (row["status"], row["owner"]) == ("running", None)
    await leave_memory(engine)
    target.status = 200
    await workshop.wait(run_id, "succeeded")
    events = await workshop.journal(run_id)
    due = next(event.retry_at for event in events if isinstance(event, StepRetrying))
    done = next(event.started_at for event in events if isinstance(event, StepSucceeded))
    assert done is not None
    assert done >= due
    assert [headers["X-FlowForge-Attempt"] for _, headers in target.requests] == ["1", "2"]


async def test_a_cancel_reaches_a_run_that_waits_for_a_retry(workshop: Workshop, target: Target) -> None:
    target.status = 503
    retry = {"max_attempts": 2, "initial": 3600, "max": 3600, "jitter": False}
    workflow = await workshop.publish([call("a", target, retry=retry)])
    await workshop.engine(suspend_after_seconds=0.1)
    (run_id,) = await workshop.start(workflow)
    while not (await workshop.row(run_id))["wake_at"]:
        await asyncio.sleep(0.01)
    await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
    await workshop.wait(run_id, "cancelled")


async def test_what_breaks_after_a_runs_last_commit_does_not_touch_its_journal(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("counting is broken")

    monkeypatch.setattr("engine.worker.driver.count_events", broken)
    workflow = await workshop.publish([{"id": "a", "type": "transform", "with": {"values": {}}}])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await workshop.wait(run_id, "succeeded")
    await asyncio.sleep(0.3)
    assert (await workshop.types(run_id))[-1] == "run.succeeded"
    assert (await workshop.row(run_id))["status"] == "succeeded"
