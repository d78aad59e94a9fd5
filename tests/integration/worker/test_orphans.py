"""Runs that were started for steps which ended meanwhile: cancelled, though the worker died before it knew of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.store.control import retry_runs
from engine.store.inbox import put_message
from engine.store.starts import Accepted, Start, accept_starts
from engine.worker import children
from engine.worker.children import ChildStarter
from tests.integration.worker.conftest import Target, Workshop
from tests.product import PATIENCE_SECONDS

ASK = {"id": "ask", "type": "approval", "with": {"message": "?"}}
PAUSE = {"id": "pause", "type": "delay", "with": {"seconds": 3600}}
_CHILDREN = "SELECT * FROM run WHERE parent_run_id = $1 ORDER BY id"


def sub(step_id: str, workflow_id: UUID, after: list[str] | None = None) -> dict[str, Any]:
    """A step that runs a workflow."""
    return {"id": step_id, "type": "workflow", "with": {"workflow_id": str(workflow_id)}, "after": after or []}


def loop(step_id: str, items: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """A `foreach`."""
    return {"id": step_id, "type": "foreach", "with": {"items": items, "concurrency": 10}, "steps": list(steps)}


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """The first value that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"there is nothing yet of {what}"
        await asyncio.sleep(0.01)
    return value


def stall_after_starting(monkeypatch: pytest.MonkeyPatch, steps: set[str]) -> None:
    """Let the worker come no further than where the runs of these steps are started, until it dies."""
    start = ChildStarter.start

    async def start_and_stall(starter: ChildStarter, parent: Any, decision: Any, traceparent: str | None) -> Any:
        started = await start(starter, parent, decision, traceparent)
        if decision.step in steps:
            await asyncio.Event().wait()
        return started

    monkeypatch.setattr(ChildStarter, "start", start_and_stall)


async def die(life: asyncio.Task[None]) -> None:
    """End an engine as a crash does: its lease is left to run out."""
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def test_a_run_is_cancelled_whose_item_was_broken_off_before_the_worker_that_started_it_died(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = await workshop.publish([PAUSE])
    first, second = {"condition": "index == 0"}, {"condition": "index == 1"}
    broken = loop(
        "broken",
        "[1, 2]",
        {"id": "first", "type": "if", "with": first},
        sub("sub", pause, ["first.true"]),
        {"id": "go", "type": "http", "with": {"method": "GET", "url": target.url}, "after": ["first.false"]},
        {"id": "stop", "type": "fail", "with": {"message": "enough"}, "after": ["go"]},
    )
    whole = loop("whole", "[1, 2]", {"id": "one", "type": "if", "with": second}, sub("sub", pause, ["one.true"]))
    workflow = await workshop.publish([broken, whole, {**ASK, "after": ["broken.error"]}])
    (run_id,) = await workshop.start(workflow)
    target.gate.clear()
    with monkeypatch.context() as patched:
        stall_after_starting(patched, {"broken[0].sub"})
        _, life = await workshop.engine()

        async def have_both_begun() -> bool:
            return {row["parent_step"] for row in await workshop.pool.fetch(_CHILDREN, run_id)} == {
                "broken[0].sub",
                "whole[1].sub",
            }

        await until(have_both_begun, "the runs of both loops")
        target.gate.set()
        await workshop.wait(run_id, "waiting")
        await until(lambda: workshop.pool.fetchval("SELECT count(*) FROM approval"), "the approval")
        await die(life)
    await workshop.engine()
    runs = {row["parent_step"]: row["id"] for row in await workshop.pool.fetch(_CHILDREN, run_id)}
    await workshop.wait(runs["broken[0].sub"], "cancelled")
    assert (await workshop.journal(runs["broken[0].sub"]))[-1].reason == "parent_ended"
    # That of the other loop is waited for.
    assert (await workshop.row(runs["whole[1].sub"]))["status"] == "waiting"
    assert (await workshop.row(run_id))["status"] == "waiting"


async def test_a_run_of_a_round_that_is_over_is_cancelled_though_its_parent_was_retried_before_anybody_looked(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = await workshop.publish([PAUSE])
    (run_id,) = await workshop.start(await workshop.publish([sub("sub", pause)]))
    with monkeypatch.context() as patched:
        stall_after_starting(patched, {"sub"})
        _, life = await workshop.engine()
        (lost,) = await until(lambda: workshop.pool.fetch(_CHILDREN, run_id), "the run of the first round")
        await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
        await workshop.wait(run_id, "cancelled")
        await die(life)
    async with workshop.pool.acquire() as connection, connection.transaction():
        await retry_runs(connection, [run_id], workshop.workspace_id, by="a", traceparent=None)
    await workshop.engine()
    await workshop.wait(lost["id"], "cancelled")
    assert (await workshop.journal(lost["id"]))[-1].reason == "parent_ended"
    _, second = await until(lambda: _two_of(workshop, run_id), "the run of the second round")
    await workshop.wait(second["id"], "waiting", "running")
    await workshop.wait(run_id, "waiting")


async def _two_of(workshop: Workshop, run_id: UUID) -> list[asyncpg.Record]:
    rows = await workshop.pool.fetch(_CHILDREN, run_id)
    return list(rows) if len(rows) == 2 else []


async def test_a_run_whose_acceptance_was_not_answered_is_its_steps_though_its_workflow_was_deleted_since(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = await workshop.publish([ASK], output="done")
    (run_id,) = await workshop.start(await workshop.publish([sub("sub", child)], output="{{ steps.sub.output }}"))
    tries = 0

    async def accept_unheard(connection: asyncpg.Connection, starts: list[Start]) -> list[Accepted]:
        nonlocal tries
        tries += 1
        await accept_starts(connection, starts)
        await workshop.pool.execute("UPDATE workflow SET deleted_at = now() WHERE id = $1", child)
        raise asyncpg.ConnectionDoesNotExistError("the answer is lost")

    monkeypatch.setattr(children, "accept_starts", accept_unheard)
    await workshop.engine()
    await workshop.wait(run_id, "waiting")
    (started,) = await workshop.pool.fetch(_CHILDREN, run_id)
    await workshop.wait(started["id"], "waiting")
    decision = {"step": "ask", "decision": "approved"}
    await put_message(workshop.pool, started["id"], workshop.workspace_id, "approval", decision)
    await workshop.wait(run_id, "succeeded")
    assert tries == 1
    assert (await workshop.journal(run_id))[-1].output == "done"
