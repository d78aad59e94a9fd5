"""`settings.concurrency` over a real database: slots are taken, waited for, passed on, and never given twice."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from engine.core.events import RunHeld
from engine.infra.bell import OutboxBell
from engine.store.inbox import put_message
from engine.store.slots import grant_slots
from engine.worker import engine as engine_module
from engine.worker import flusher as flusher_module
from engine.worker import slots as slots_module
from engine.worker.slots import SlotKeeper
from tests.integration.worker.conftest import Target, Workshop
from tests.integration.worker.test_driving import call

KEY = "{{ input.customer }}"


def rule(**changes: Any) -> dict[str, Any]:
    return {"concurrency": {"key": KEY, "limit": 1, "when_full": "queue"} | changes}


async def start(workshop: Workshop, workflow: UUID, customer: Any = "ada", count: int = 1) -> list[UUID]:
    return await workshop.start(workflow, count, run_input={"customer": customer})


async def settle(workshop: Workshop, runs: list[UUID], started: int) -> None:
    """Wait until as many of the runs have started as may, and the others are held."""
    query = "SELECT count(*) FROM run WHERE id = ANY ($1) AND owner IS NULL AND status = 'queued' AND slot_at IS NULL"
    for _ in range(6000):
        held = await workshop.pool.fetchval(query + " AND concurrency_key IS NOT NULL", runs)
        if held == len(runs) - started:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{held} of {len(runs)} runs are held")


async def test_runs_of_one_key_go_one_after_the_other_in_their_order(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target)], settings=rule())
    await workshop.engine()
    target.gate.clear()
    runs = await start(workshop, workflow, count=4)
    (other,) = await start(workshop, workflow, "bob")
    await settle(workshop, runs, 1)
    await workshop.wait(other, "running")
    for _ in range(100):
        if len(target.requests) == 2:
            break
        await asyncio.sleep(0.01)
    assert len(target.requests) == 2, "one of each key"
    target.gate.set()
    for run_id in (*runs, other):
        await workshop.wait(run_id, "succeeded")
    started = await workshop.pool.fetch("SELECT id FROM run WHERE id = ANY ($1) ORDER BY started_at", runs)
    assert [row["id"] for row in started] == runs
    held = next(event for event in await workshop.journal(runs[1]) if isinstance(event, RunHeld))
    assert (held.key, held.limit, held.holders) == ("ada", 1, [str(runs[0])])


async def test_two_workers_never_exceed_the_limit(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([{"id": "p", "type": "delay", "with": {"seconds": 0.02}}], settings=rule(limit=3))
    await workshop.engine()
    await workshop.engine()
    runs = await start(workshop, workflow, count=60)
    most = 0
    while await workshop.pool.fetchval("SELECT count(*) FROM run WHERE finished_at IS NULL"):
        query = "SELECT count(*) FROM run WHERE started_at IS NOT NULL AND finished_at IS NULL"
        most = max(most, await workshop.pool.fetchval(query))
    assert 1 <= most <= 3
    for run_id in runs:
        await workshop.wait(run_id, "succeeded")
    # No two of them overlapped four deep, read from their own times.
    overlap = await workshop.pool.fetchval(
        """
        SELECT max(n) FROM (SELECT (SELECT count(*) FROM run AS o
            WHERE o.started_at <= r.started_at AND o.finished_at > r.started_at) AS n FROM run AS r) AS counted
        """
    )
    assert overlap <= 3


async def test_drop_ends_the_run_that_finds_no_slot(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target)], settings=rule(when_full="drop"))
    await workshop.engine()
    target.gate.clear()
    (first,) = await start(workshop, workflow)
    await workshop.wait(first, "running")
    (second,) = await start(workshop, workflow)
    await workshop.wait(second, "cancelled")
    assert (await workshop.journal(second))[-1].reason == "concurrency_dropped"
    target.gate.set()
    await workshop.wait(first, "succeeded")
    (third,) = await start(workshop, workflow)
    await workshop.wait(third, "succeeded")


async def test_cancel_running_lets_the_newest_run_and_ends_the_others(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish([call("a", target)], settings=rule(when_full="cancel_running"))
    await workshop.engine()
    target.gate.clear()
    (first,) = await start(workshop, workflow)
    await workshop.wait(first, "running")
    second, third = await start(workshop, workflow, count=2)
    for run_id in (first, second):
        await workshop.wait(run_id, "cancelled")
        assert (await workshop.journal(run_id))[-1].reason == "concurrency_replaced"
    await workshop.wait(third, "running")
    target.gate.set()
    await workshop.wait(third, "succeeded")


async def test_a_suspended_run_keeps_its_slot_and_a_cancelled_one_leaves_it(workshop: Workshop) -> None:
    workflow = await workshop.publish([{"id": "p", "type": "delay", "with": {"seconds": 3600}}], settings=rule())
    await workshop.engine(suspend_after_seconds=0.1)
    first, second, third = await start(workshop, workflow, count=3)
    await workshop.wait(first, "waiting")
    await settle(workshop, [first, second, third], 1)
    # One that is held can be cancelled, and leaves the queue.
    await put_message(workshop.pool, second, workshop.workspace_id, "cancel", {"by": None})
    await workshop.wait(second, "cancelled")
    assert (await workshop.row(second))["started_at"] is None
    await put_message(workshop.pool, first, workshop.workspace_id, "cancel", {"by": None})
    await workshop.wait(third, "waiting")


async def test_a_signal_does_not_start_a_held_run_and_is_kept_for_it(workshop: Workshop, target: Target) -> None:
    workflow = await workshop.publish(
        [call("a", target), {"id": "w", "type": "wait", "with": {"signal": "go"}, "after": ["a"]}],
        settings=rule(),
        output="{{ steps.w.output }}",
    )
    await workshop.engine()
    target.gate.clear()
    (first,) = await start(workshop, workflow)
    await workshop.wait(first, "running")
    (second,) = await start(workshop, workflow)
    await settle(workshop, [first, second], 1)
    await put_message(workshop.pool, second, workshop.workspace_id, "signal", {"name": "go", "payload": 2})
    for _ in range(200):
        if "run.signalled" in await workshop.types(second):
            break
        await asyncio.sleep(0.01)
    assert (await workshop.row(second))["status"] == "queued"
    target.gate.set()
    await put_message(workshop.pool, first, workshop.workspace_id, "signal", {"name": "go", "payload": 1})
    await workshop.wait(first, "succeeded")
    await workshop.wait(second, "succeeded")
    assert (await workshop.journal(second))[-1].output == 2


async def test_a_grant_that_nobody_made_is_made_by_the_reconciliation(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(*_: Any) -> int:
        return 0

    workflow = await workshop.publish([call("a", target)], settings=rule())
    target.gate.clear()
    _, life = await workshop.engine()
    first, second = await start(workshop, workflow, count=2)
    await settle(workshop, [first, second], 1)
    monkeypatch.setattr(slots_module, "grant_slots", forget)
    target.gate.set()
    await workshop.wait(first, "succeeded")
    await asyncio.sleep(0.3)
    assert (await workshop.row(second))["slot_at"] is None
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    monkeypatch.setattr(slots_module, "grant_slots", grant_slots)
    monkeypatch.setattr("engine.worker.claimer.RECONCILE_SECONDS", 0.0)
    await workshop.engine()
    await workshop.wait(second, "succeeded")


@pytest.mark.without_faults("it grants a slot amid one statement")
@pytest.mark.parametrize("gives_up", ["commit_batch", "put_to_rest"])
async def test_a_slot_that_is_granted_as_its_run_is_given_up_is_told_of_again(
    workshop: Workshop, target: Target, monkeypatch: pytest.MonkeyPatch, gives_up: str
) -> None:
    workflow = await workshop.publish([call("a", target)], settings=rule())
    # Nobody looks for runs by themselves.
    engine, _ = await workshop.engine(sweep_seconds=600)
    target.gate.clear()
    (first,) = await start(workshop, workflow)
    await engine.sweep()
    await workshop.wait(first, "running")
    (second,) = await start(workshop, workflow)
    rung: list[bool] = []
    granted: list[bool] = []
    monkeypatch.setattr(OutboxBell, "ring", lambda _: rung.append(True))
    module = flusher_module if gives_up == "commit_batch" else engine_module
    give_up = getattr(module, gives_up)
    counting = "SELECT count(*) FROM outbox WHERE kind = 'dispatch' AND run_id = $1"

    async def grant_first(*arguments: Any, **how: Any) -> Any:
        monkeypatch.setattr(module, gives_up, give_up)
        async with workshop.pool.acquire() as connection:
            await connection.execute("UPDATE run SET concurrency_limit = 2 WHERE id = $1", second)
            assert await grant_slots(connection, [(workflow, "ada")]) == 1
        # Whoever hears of it finds the run owned, and forgets it.
        await workshop.pool.execute("DELETE FROM outbox WHERE run_id = $1", second)
        # A commit that has messages of its own rings itself.
        rung[:] = [True] if how.get("rings") else []
        given_up = await give_up(*arguments, **how)
        granted.append(await workshop.pool.fetchval(counting, second) == 1)
        return given_up

    if gives_up == "put_to_rest":
        await engine.sweep()
        await settle(workshop, [first, second], 1)
        await put_message(workshop.pool, second, workshop.workspace_id, "signal", {"name": "go", "payload": 1})
    monkeypatch.setattr(module, gives_up, grant_first)
    await engine.sweep()
    async with asyncio.timeout(60):
        # The ring of before it came to wait is none for this.
        while not (granted and rung) or (await workshop.row(second))["owner"] is not None:
            await asyncio.sleep(0.01)
    assert granted == [True]
    row = await workshop.row(second)
    assert (row["status"], row["wake_at"], row["slot_at"] is not None) == ("queued", None, True)
    # Nothing is kept of what this worker has given up.
    assert second not in engine._slots._keys


@pytest.mark.parametrize(
    ("customer", "code"), [({"a": 1}, None), (None, "expression_error"), ("x" * 2000, "invalid_settings")]
)
async def test_keys_may_be_any_value_and_a_bad_one_ends_its_run(
    workshop: Workshop, customer: Any, code: str | None
) -> None:
    key = "{{ input.nobody }}" if customer is None else KEY
    workflow = await workshop.publish(
        [{"id": "t", "type": "transform", "with": {"values": {}}}], settings=rule(key=key)
    )
    await workshop.engine()
    (run_id,) = await start(workshop, workflow, customer)
    row = await workshop.wait(run_id, "succeeded" if code is None else "failed")
    assert row["error_code"] == code


async def test_keys_whose_slots_are_taken_for_long_do_not_keep_the_reconciliation_from_those_behind_them(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await workshop.publish([{"id": "t", "type": "transform", "with": {"values": {}}}])
    taken, forgotten = await workshop.start(workflow, 4), await workshop.start(workflow, 3)
    claim = "UPDATE run SET concurrency_key = $2, concurrency_limit = 1, slot_at = $3 WHERE id = $1"
    for number, run_id in enumerate(taken):
        await workshop.pool.execute(claim, run_id, f"a{number // 2}", datetime.now(UTC) if number % 2 else None)
    for number, run_id in enumerate(forgotten):
        await workshop.pool.execute(claim, run_id, f"b{number}", None)
    monkeypatch.setattr(slots_module, "KEYS_AT_ONCE", 2)

    async def connect() -> asyncpg.Pool:
        return workshop.pool

    keeper = SlotKeeper(connect, ring=lambda: None)
    async with workshop.pool.acquire() as connection:
        for _ in range(3):
            await keeper.grant_forgotten(connection)
    held = "SELECT id FROM run WHERE slot_at IS NULL"
    assert {row["id"] for row in await workshop.pool.fetch(held)} == {taken[0], taken[2]}
