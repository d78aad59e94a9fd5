"""Runs that cannot go on: they end like every other run, with their steps, sub-runs, approvals and slots."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.core.accounting import account_run, account_step, take_timing
from engine.core.advance import advance
from engine.core.events import StepCancelled, event_type, is_step_event
from engine.core.observations import RunBroken, SignalReceived
from engine.store.control import retry_runs
from engine.store.inbox import put_message
from engine.store.journal import Batch, Committed, commit_batch
from engine.worker import driver as driver_module
from engine.worker import flusher as flusher_module
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

ENDS = {"step.succeeded", "step.failed", "step.skipped", "step.cancelled"}
ASK = {"id": "ask", "type": "approval", "with": {"message": "?"}}
GO = {"id": "go", "type": "wait", "with": {"signal": "go"}}
BIG = {"id": "big", "type": "transform", "with": {"values": {"text": "{{ input.text }}"}}}
MORE = {"id": "more", "type": "transform", "with": {"values": {"text": "{{ steps.big.output.text }}"}}}
TEXT = {"text": "x" * 90_000}
PARTS = ("queued_ms", "limited_ms", "running_ms", "backing_off_ms", "waiting_ms", "ended_ms")


class Scene:
    """A run that waits for an approval, a sub-run and a call, while another one waits for its concurrency slot."""

    def __init__(self, workshop: Workshop, target: Target) -> None:
        self.workshop = workshop
        self.target = target
        self.run_id = self.waiting_id = self.child_id = UUID(int=0)

    async def set_up(self, *steps: dict[str, Any]) -> None:
        workshop = self.workshop
        self.target.gate.clear()
        child = await workshop.publish([{"id": "pause", "type": "delay", "with": {"seconds": 3600}}])
        sub = {"id": "sub", "type": "workflow", "with": {"workflow_id": str(child)}}
        settings = {"concurrency": {"key": "one", "limit": 1}}
        workflow = await workshop.publish([ASK, sub, call("held", self.target), *steps], settings=settings)
        self.run_id, self.waiting_id = await workshop.start(workflow, 2, run_input=TEXT)

    async def until_set(self) -> None:
        """Everything waits: the call is under way, and what it began with stands in no journal yet."""
        find_child = "SELECT id FROM run WHERE parent_run_id = $1 AND status = 'waiting'"
        ask = "SELECT count(*) FROM approval WHERE status = 'pending'"
        held = "SELECT count(*) FROM journal WHERE run_id = $1 AND kind = 'run.held'"
        known = "SELECT count(*) FROM journal WHERE run_id = $1 AND kind = 'step.waiting'"
        pool = self.workshop.pool
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (
                self.target.requests
                and await pool.fetchval(ask)
                and await pool.fetchval(held, self.waiting_id)
                and await pool.fetchval(known, self.run_id) >= 2
                and (child_id := await pool.fetchval(find_child, self.run_id))
            ):
                await asyncio.sleep(0.01)
        self.child_id = child_id

    async def go(self) -> None:
        """The signal that brings the run to where it breaks."""
        await put_message(self.workshop.pool, self.run_id, self.workshop.workspace_id, "signal", {"name": "go"})

    async def check_end(self, code: str, *, is_told: bool = True) -> list[Any]:
        """The run has failed, with everything that belongs to it; its journal."""
        workshop = self.workshop
        row = await workshop.wait(self.run_id, "failed")
        assert (row["error_code"], row["owner"]) == (code, None)
        journal = await workshop.journal(self.run_id)
        assert (event_type(journal[-1]), journal[-1].reason) == ("run.failed", code)
        if is_told:
            await self._check_what_is_told(journal)
        await workshop.wait(self.child_id, "cancelled")
        assert (await workshop.journal(self.child_id))[-1].reason == "parent_ended"
        await self._wait_for("SELECT count(*) FROM approval WHERE status = 'cancelled' AND run_id = $1", self.run_id, 1)
        started = "SELECT count(*) FROM journal WHERE run_id = $1 AND kind = 'run.started'"
        await self._wait_for(started, self.waiting_id, 1)
        return journal

    async def _check_what_is_told(self, journal: Sequence[Any]) -> None:
        """In the commit of the end: how every step ended, who hears of it, and where the time went."""
        last = {event.step: event_type(event) for event in journal if is_step_event(event)}
        assert {"ask", "sub", "held", "more"} <= last.keys()
        assert set(last.values()) <= ENDS
        pool = self.workshop.pool
        # In no journal but the end's own: nobody else has closed it.
        statuses = await pool.fetch("SELECT status FROM approval WHERE run_id = $1", self.run_id)
        assert [row["status"] for row in statuses] == ["cancelled"]
        own = [event for event in journal if not is_step_event(event)]
        timings = [take_timing(event) for event in journal if is_step_event(event)]
        until = journal[-1].at
        spent = account_run(own, timings, until=until)
        assert sum(getattr(spent, part) for part in PARTS) == spent.total_ms
        for step in last:
            spent_there = account_step([timing for timing in timings if timing.step == step], until=until)
            assert spent_there is not None
            assert sum(getattr(spent_there, part) for part in PARTS) == spent_there.total_ms

    async def _wait_for(self, statement: str, run_id: UUID, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.workshop.pool.fetchval(statement, run_id) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def scene(workshop: Workshop, target: Target) -> Scene:
    return Scene(workshop, target)


def cancelled(journal: Sequence[Any]) -> dict[str, int]:
    """The steps that were cancelled, with the numbers of their attempts that had begun."""
    return {event.step: event.attempt for event in journal if isinstance(event, StepCancelled)}


def break_at(monkeypatch: pytest.MonkeyPatch, *kinds: type) -> None:
    """The core is broken: it raises at these observations, when it has changed the state already."""

    def broken(graph: Any, state: Any, observation: Any, find_begun: Any) -> Any:
        if isinstance(observation, kinds):
            state.root.steps.clear()
            raise RuntimeError("the core is broken")  # noqa: TRY004 - the observation is as it should be
        return advance(graph, state, observation, find_begun)

    monkeypatch.setattr(driver_module, "advance", broken)


async def test_a_run_whose_outputs_become_too_large_together_ends_with_all_that_belongs_to_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "MAX_RUN_BYTES", 150_000)
    await scene.set_up(BIG, GO, MORE | {"after": ["big", "go"]})
    await scene.workshop.engine()
    await scene.until_set()
    await scene.go()
    journal = await scene.check_end("run_too_large")
    assert cancelled(journal) == {"ask": 0, "sub": 0, "held": 1, "go": 0, "more": 0}


async def test_the_attempt_with_which_the_outputs_became_too_large_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "MAX_RUN_BYTES", 150_000)
    await scene.set_up(BIG, MORE | {"after": ["big", "held"]})
    await scene.workshop.engine()
    await scene.until_set()
    scene.target.gate.set()
    journal = await scene.check_end("run_too_large")
    assert cancelled(journal) == {"ask": 0, "sub": 0, "held": 1, "more": 0}
    (held,) = [event for event in journal if isinstance(event, StepCancelled) and event.step == "held"]
    assert held.started_at is not None


async def test_a_run_with_which_something_of_flowforge_breaks_ends_with_all_that_belongs_to_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, SignalReceived)
    await scene.set_up(GO, MORE | {"after": ["go"]})
    await scene.workshop.engine()
    await scene.until_set()
    await scene.go()
    journal = await scene.check_end("internal_error")
    assert cancelled(journal) == {"ask": 0, "sub": 0, "held": 1, "go": 0, "more": 0}
    # It is retried like any other run.
    monkeypatch.setattr(driver_module, "advance", advance)
    scene.target.gate.set()
    async with scene.workshop.pool.acquire() as connection, connection.transaction():
        (retried,) = await retry_runs(
            connection, [scene.run_id], scene.workshop.workspace_id, by="somebody", traceparent=None
        )
    assert retried.is_done
    assert scene.target.keys()[0] == f"{scene.run_id}:held"


async def test_what_cannot_be_ended_as_usual_is_ended_all_the_same_and_others_see_to_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, SignalReceived, RunBroken)
    await scene.set_up(GO, MORE | {"after": ["go"]})
    await scene.workshop.engine()
    await scene.until_set()
    await scene.go()
    journal = await scene.check_end("internal_error", is_told=False)
    assert cancelled(journal) == {}


async def test_a_run_whose_journal_cannot_be_read_ends_and_others_see_to_the_rest(scene: Scene) -> None:
    await scene.set_up(GO, MORE | {"after": ["go"]})
    _, life = await scene.workshop.engine()
    await scene.until_set()
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    broken = "UPDATE journal SET payload = '{}' WHERE run_id = $1 AND kind = 'run.started'"
    await scene.workshop.pool.execute(broken, scene.run_id)
    await scene.workshop.engine()
    row = await scene.workshop.wait(scene.run_id, "failed")
    assert row["error_code"] == "internal_error"
    await scene.workshop.wait(scene.child_id, "cancelled")
    closed = "SELECT count(*) FROM approval WHERE status = 'cancelled' AND run_id = $1"
    await scene._wait_for(closed, scene.run_id, 1)


async def lose_worker(scene: Scene, crashes: int) -> None:
    """A worker dies while it has the run, the last of so many."""
    _, life = await scene.workshop.engine()
    await scene.until_set()
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    await scene.workshop.pool.execute("UPDATE run SET crashes = $2 WHERE id = $1", scene.run_id, crashes - 1)
    # Another one had brought it to where it is.
    await scene.workshop.pool.execute("UPDATE journal SET worker_id = NULL WHERE run_id = $1", scene.run_id)


async def test_a_run_that_killed_three_workers_ends_with_all_that_belongs_to_it_and_none_of_its_large_outputs_is_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: object) -> Any:
        raise MemoryError("this is what kills workers")

    await scene.set_up(BIG, GO, MORE | {"after": ["big", "go"]})
    await lose_worker(scene, 3)
    monkeypatch.setattr("engine.worker.loading.read_payloads", read)
    await scene.workshop.engine()
    journal = await scene.check_end("worker_crashed")
    assert cancelled(journal).keys() == {"ask", "sub", "held", "go", "more"}


async def test_a_run_whose_end_killed_a_worker_as_well_is_ended_without_being_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> Any:
        raise MemoryError("this is what kills workers")

    await scene.set_up(GO, MORE | {"after": ["go"]})
    await lose_worker(scene, 4)
    replayed = driver_module.Driver.__init__

    def count(driver: Any, host: Any, run: Any, *rest: Any) -> None:
        if run.id == scene.run_id:
            read()
        replayed(driver, host, run, *rest)

    monkeypatch.setattr(driver_module.Driver, "__init__", count)
    await scene.workshop.engine()
    journal = await scene.check_end("worker_crashed", is_told=False)
    assert cancelled(journal) == {}


async def test_an_end_whose_answer_is_lost_is_written_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = 0

    async def lossy(connection: asyncpg.Connection, worker_id: int, batch: Batch, **how: Any) -> Committed:
        nonlocal lost
        committed = await commit_batch(connection, worker_id, batch, **how)
        if not lost and any(row.kind == "run.failed" for row in batch.rows):
            lost += 1
            raise ConnectionResetError("the answer is lost")
        return committed

    monkeypatch.setattr(flusher_module, "commit_batch", lossy)
    break_at(monkeypatch, SignalReceived)
    await scene.set_up(GO, MORE | {"after": ["go"]})
    await scene.workshop.engine()
    await scene.until_set()
    await scene.go()
    journal = await scene.check_end("internal_error")
    assert (lost, [event_type(event) for event in journal].count("run.failed")) == (1, 1)
