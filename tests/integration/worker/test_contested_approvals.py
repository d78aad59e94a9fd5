"""Approvals that somebody decides in the very moment in which they time out, or their steps are broken off."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.core.events import StepCancelled, StepSucceeded, StepWaiting
from engine.infra.clock import DatabaseClock
from engine.store.approvals import decide_approval, expire_approvals
from engine.store.inbox import put_message
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

ASK: dict[str, Any] = {"id": "ask", "type": "approval", "with": {"message": "?", "timeout": 3600}}
LATE = {"id": "late", "type": "transform", "with": {"values": {}}, "after": ["ask.timeout"]}
QUICK = {"id": "a", "type": "if", "with": {"condition": "true"}}


IN_MEMORY = {"suspend_after_seconds": 86_400.0}


class Clock:
    """The time of every worker, which the test puts ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        tell = DatabaseClock.now
        monkeypatch.setattr(DatabaseClock, "now", lambda clock: tell(clock) + self.ahead)


class Looks:
    """What workers were told when they looked whether approvals may time out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[frozenset[str]] = []
        self.dies_after = False
        monkeypatch.setattr("engine.worker.errands.expire_approvals", self._look)

    async def _look(self, pool: asyncpg.Pool, run_id: UUID, steps: Sequence[str], worker_id: int) -> frozenset[str]:
        answer = await expire_approvals(pool, run_id, steps, worker_id)
        self.answers.append(answer)
        if self.dies_after:
            await asyncio.Event().wait()
        return answer

    async def first(self) -> frozenset[str]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.answers:
                await asyncio.sleep(0.01)
        return self.answers[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


async def approvals(workshop: Workshop, count: int = 1) -> list[asyncpg.Record]:
    """The approvals, once there are so many, in the order of their steps."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows: list[asyncpg.Record] = await workshop.pool.fetch("SELECT * FROM approval ORDER BY step")
            if len(rows) == count:
                return rows
            await asyncio.sleep(0.01)


async def until_requests(target: Target, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(target.requests) < count:
            await asyncio.sleep(0.01)


async def until_status(workshop: Workshop, approval_id: UUID, status: str) -> None:
    statement = "SELECT status FROM approval WHERE id = $1"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await workshop.pool.fetchval(statement, approval_id) != status:
            await asyncio.sleep(0.01)


async def approve(decider: Any, workshop: Workshop, approval_id: UUID) -> bool:
    user = workshop.workspace_id
    return await decide_approval(decider, approval_id, user, decision="approved", comment="yes", by=user)


async def run_another(workshop: Workshop) -> None:
    """Another run of the same worker, from its beginning to its end."""
    (run_id,) = await workshop.start(await workshop.publish([QUICK]))
    await workshop.wait(run_id, "succeeded")


@pytest.mark.without_faults("it holds a lock against one statement, and counts what a target was asked")
@pytest.mark.parametrize("is_handled", [False, True], ids=["a failure", "a port"])
async def test_who_decides_as_the_approval_times_out_wins_and_no_call_beside_it_is_made_again(
    workshop: Workshop, target: Target, clock: Clock, looks: Looks, is_handled: bool
) -> None:
    target.gate.clear()
    steps = [ASK, call("beside", target), call("after", target, "ask"), *([LATE] if is_handled else [])]
    workflow = await workshop.publish(steps, output="{{ steps.ask.output }}")
    engine, _ = await workshop.engine(**IN_MEMORY)
    (run_id,) = await workshop.start(workflow)
    await until_requests(target, 1)
    (row,) = await approvals(workshop)
    async with workshop.pool.acquire() as decider, decider.transaction():
        assert await approve(decider, workshop, row["id"])
        clock.ahead = timedelta(hours=2)
        engine._drivers[run_id]._ring()
        assert await looks.first() == frozenset(), "somebody is deciding it"
        # Nobody else waits for who decides.
        await run_another(workshop)
    await until_requests(target, 2)
    assert run_id in engine._drivers
    target.gate.set()
    await workshop.wait(run_id, "succeeded")
    assert target.keys() == [f"{run_id}:beside", f"{run_id}:after"]
    (row,) = await approvals(workshop)
    assert (row["status"], row["comment"], row["decided_by"]) == ("approved", "yes", workshop.workspace_id)
    journal = await workshop.journal(run_id)
    assert datetime.fromisoformat(journal[-1].output["at"]) == row["decided_at"]
    assert not any(event.reason == "wait_timeout" for event in journal)


@pytest.mark.without_faults("it holds a lock against one statement")
async def test_a_decision_that_is_taken_back_lets_the_approval_time_out(
    workshop: Workshop, target: Target, clock: Clock, looks: Looks
) -> None:
    target.gate.clear()
    workflow = await workshop.publish([ASK, LATE, call("beside", target)])
    engine, _ = await workshop.engine(**IN_MEMORY)
    (run_id,) = await workshop.start(workflow)
    await until_requests(target, 1)
    (row,) = await approvals(workshop)
    async with workshop.pool.acquire() as decider:
        deciding = decider.transaction()
        await deciding.start()
        assert await approve(decider, workshop, row["id"])
        clock.ahead = timedelta(hours=2)
        engine._drivers[run_id]._ring()
        assert await looks.first() == frozenset()
        await deciding.rollback()
    await until_status(workshop, row["id"], "timed_out")
    assert not await approve(workshop.pool, workshop, row["id"])
    target.gate.set()
    await workshop.wait(run_id, "succeeded")
    assert target.keys() == [f"{run_id}:beside"]
    ended = next(e for e in await workshop.journal(run_id) if isinstance(e, StepSucceeded) and e.step == "ask")
    assert (ended.reason, ended.port) == ("wait_timeout", "timeout")


async def test_what_timed_out_before_its_worker_died_is_decided_by_nobody(
    workshop: Workshop, clock: Clock, looks: Looks
) -> None:
    looks.dies_after = True
    workflow = await workshop.publish([ASK])
    engine, life = await workshop.engine(**IN_MEMORY)
    (run_id,) = await workshop.start(workflow)
    (row,) = await approvals(workshop)
    clock.ahead = timedelta(hours=2)
    engine._drivers[run_id]._ring()
    assert await looks.first() == {"ask"}
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    assert not await approve(workshop.pool, workshop, row["id"])
    looks.dies_after = False
    # By the database's own clock, it is not due yet.
    await workshop.pool.execute("UPDATE run SET wake_at = now() WHERE id = $1", run_id)
    await workshop.engine(**IN_MEMORY)
    assert (await workshop.wait(run_id, "failed"))["error_code"] == "wait_timeout"
    (row,) = await approvals(workshop)
    assert row["status"] == "timed_out"
    assert row["decided_at"] is not None


async def test_a_worker_that_has_lost_the_run_lets_none_of_its_approvals_time_out(workshop: Workshop) -> None:
    workflow = await workshop.publish([ASK])
    await workshop.engine(**IN_MEMORY)
    (run_id,) = await workshop.start(workflow)
    (row,) = await approvals(workshop)
    owner = (await workshop.wait(run_id, "waiting"))["owner"]
    assert await expire_approvals(workshop.pool, run_id, ["ask"], owner + 1) == frozenset()
    assert await approve(workshop.pool, workshop, row["id"])
    await workshop.wait(run_id, "succeeded")


@pytest.mark.without_faults("it holds a lock against one commit")
@pytest.mark.parametrize("is_committed", [True, False], ids=["decided", "taken back"])
async def test_a_run_is_cancelled_while_somebody_decides_its_approval(workshop: Workshop, is_committed: bool) -> None:
    workflow = await workshop.publish([ASK])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    (row,) = await approvals(workshop)
    async with workshop.pool.acquire() as decider:
        deciding = decider.transaction()
        await deciding.start()
        assert await approve(decider, workshop, row["id"])
        await put_message(workshop.pool, run_id, workshop.workspace_id, "cancel", {"by": None})
        await workshop.wait(run_id, "cancelled")
        await run_another(workshop)
        await (deciding.commit() if is_committed else deciding.rollback())
    # Who decided it was told so.
    await until_status(workshop, row["id"], "approved" if is_committed else "cancelled")


@pytest.mark.without_faults("it holds a lock against one commit")
async def test_an_approval_of_an_item_that_is_broken_off_while_somebody_decides_it_does_not_stay_open(
    workshop: Workshop, target: Target
) -> None:
    target.gate.clear()
    target.status = 404
    body = [{**ASK, "with": {"message": "?"}}, call("get", target)]
    loop = {"id": "each", "type": "foreach", "with": {"items": "[0, 1]"}, "steps": body}
    pause = {"id": "pause", "type": "wait", "with": {"signal": "go"}, "after": ["each.error"]}
    workflow = await workshop.publish([loop, pause])
    await workshop.engine()
    (run_id,) = await workshop.start(workflow)
    await until_requests(target, 2)
    first, second = await approvals(workshop, 2)
    async with workshop.pool.acquire() as decider:
        deciding = decider.transaction()
        await deciding.start()
        assert await approve(decider, workshop, first["id"])
        target.gate.set()
        await workshop.wait(run_id, "waiting")
        ended = {e.step for e in await workshop.journal(run_id) if isinstance(e, StepCancelled)}
        assert {"each[0].ask", "each[1].ask"} <= ended
        await until_status(workshop, second["id"], "cancelled")
        await deciding.rollback()
    await until_status(workshop, first["id"], "cancelled")
    assert any(isinstance(e, StepWaiting) and e.step == "pause" for e in await workshop.journal(run_id))
    assert (await workshop.row(run_id))["status"] == "waiting", "the run goes on"
