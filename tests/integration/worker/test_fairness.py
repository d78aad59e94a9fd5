"""A flood of one workspace takes most of a worker, never all of it, and nobody waits behind it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engine.infra.ids import new_id
from engine.store.runs import NO_WORKSPACE, find_due_by_workspace, find_queued, reading_in_order
from engine.worker.claimer import ANNOUNCED_LIMIT
from engine.worker.engine import Engine
from tests.integration.worker.conftest import Target, Workshop, serve_target
from tests.integration.worker.test_driving import call
from tests.product import PATIENCE_SECONDS

QUICK = {"id": "quick", "type": "transform", "with": {"values": {"n": 1}}}
# Shorter than what leaves memory.
LONG = {"id": "long", "type": "delay", "with": {"seconds": 25}}
# Long before anything of a flood of these ends.
SOON_SECONDS = 20.0


class Watched:
    """How many runs an engine has had in memory at once, at most."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = self.most_lined_up = 0
        begin = engine._begin

        def watch(*arguments: Any, **more: Any) -> None:
            begin(*arguments, **more)
            self.most = max(self.most, len(engine._drivers) + engine._admission._lined_up.total())
            self.most_lined_up = max(self.most_lined_up, len(engine._claimer._lined_up))

        monkeypatch.setattr(engine, "_begin", watch)


async def start_in_other_workspace(workshop: Workshop, *steps: dict[str, Any]) -> UUID:
    """One run of a workspace that has nothing else."""
    flooding = workshop.workspace_id
    workshop.workspace_id = new_id()
    try:
        (run_id,) = await workshop.start(await workshop.publish(list(steps)))
    finally:
        workshop.workspace_id = flooding
    return run_id


async def count(workshop: Workshop, workflow_id: UUID, condition: str) -> int:
    statement = f"SELECT count(*) FROM run WHERE workflow_id = $1 AND {condition}"  # noqa: S608 - fixed texts
    return int(await workshop.pool.fetchval(statement, workflow_id))


async def wait_until(workshop: Workshop, workflow_id: UUID, condition: str, least: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await count(workshop, workflow_id, condition) < least:
            await asyncio.sleep(0.02)


async def test_a_run_does_not_wait_behind_those_of_a_workspace_that_has_all_places_it_may_have(
    workshop: Workshop,
) -> None:
    flood = await workshop.publish([LONG])
    await workshop.start(flood, 300)
    await workshop.engine(max_active_runs=20)
    await wait_until(workshop, flood, "owner IS NOT NULL", 16)
    run_id = await start_in_other_workspace(workshop, QUICK)
    await workshop.wait(run_id, "succeeded", seconds=SOON_SECONDS)
    assert await count(workshop, flood, "owner IS NOT NULL") == 16


async def test_announced_runs_of_others_are_claimed_though_a_flood_is_announced_before_them(workshop: Workshop) -> None:
    flood = await workshop.publish([LONG])
    # No sweep: what the announcement does not bring, does not come.
    engine, _ = await workshop.engine(max_active_runs=40, sweep_seconds=60.0)
    announced = await workshop.start(flood, 3000)
    await engine.activate(announced)
    await wait_until(workshop, flood, "owner IS NOT NULL", 32)
    run_id = await start_in_other_workspace(workshop, QUICK)
    await engine.activate([*announced, run_id])
    await workshop.wait(run_id, "succeeded", seconds=SOON_SECONDS)
    assert await count(workshop, flood, "owner IS NOT NULL") == 32


async def test_twenty_thousand_queued_runs_cost_a_worker_no_more_memory_than_it_may_have(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = await workshop.publish([QUICK])
    run_ids = [run_id for _ in range(40) for run_id in await workshop.start(flood, 500)]
    engine, _ = await workshop.engine(max_active_runs=50)
    watched = Watched(engine, monkeypatch)
    for first in range(0, len(run_ids), 500):
        await engine.activate(run_ids[first : first + 500])
    await wait_until(workshop, flood, "status = 'succeeded'", 500)
    run_id = await start_in_other_workspace(workshop, QUICK)
    await workshop.wait(run_id, "succeeded", seconds=SOON_SECONDS)
    left = await count(workshop, flood, "status = 'queued'")
    assert left > 5000, "it was overtaken"
    assert 0 < watched.most <= 50
    assert watched.most_lined_up <= ANNOUNCED_LIMIT + 500


async def test_runs_that_were_left_behind_are_found_as_soon_as_there_is_room(workshop: Workshop) -> None:
    flood = await workshop.publish([QUICK])
    engine, _ = await workshop.engine(max_active_runs=10, sweep_seconds=30.0)
    await workshop.start(flood, 600)
    await engine.sweep()
    await wait_until(workshop, flood, "status = 'succeeded'", 600)


async def test_a_fan_out_takes_no_more_slots_than_a_workspace_may_have(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    each = {
        "id": "each",
        "type": "foreach",
        "with": {"items": "input.items", "concurrency": 100},
        "steps": [call("one", target)],
    }
    workflow = await workshop.publish([each])
    await workshop.engine(http_max_in_flight=10)
    (run_id,) = await workshop.start(workflow, run_input={"items": list(range(60))})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(target.requests) < 8:
            await asyncio.sleep(0.01)
    other = await start_in_other_workspace(workshop, call("other", target))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(path == "/other" for path, _ in target.requests):
            await asyncio.sleep(0.01)
    assert len(target.requests) == 9
    target.gate.set()
    await workshop.wait(run_id, "succeeded")
    await workshop.wait(other, "succeeded")
    assert len(target.requests) == 61


async def test_a_slow_host_holds_nobody_up_who_calls_another_one(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    async with serve_target() as other:
        slow = await workshop.publish([call("slow", target)])
        quick = await workshop.publish([call("quick", other)])
        allowed = f"{target.address},{other.address}"
        await workshop.engine(http_limit_per_host=2, http_max_in_flight=4, http_allow_private=allowed)
        waiting = await workshop.start(slow, 20)
        await wait_until(workshop, slow, "owner IS NOT NULL", 20)
        for run_id in await workshop.start(quick, 5):
            await workshop.wait(run_id, "succeeded", seconds=SOON_SECONDS)
        assert len(target.requests) == 2
        target.gate.set()
        for run_id in waiting:
            await workshop.wait(run_id, "succeeded")
    assert target.most_in_flight == 2
    assert len(target.requests) == 20


async def test_the_timeout_of_an_attempt_begins_when_its_host_has_room(workshop: Workshop, target: Target) -> None:
    target.gate.clear()
    step = call("slow", target, timeout=0.4, retry={"max_attempts": 1})
    engine, _ = await workshop.engine(http_limit_per_host=1)
    run_ids = await workshop.start(await workshop.publish([step]), 4)
    for run_id in run_ids:
        row = await workshop.wait(run_id, "failed")
        assert "timeout" in row["error_code"] or "timeout" in row["error_message"]
    assert len(target.requests) == 4, "each was sent before it ran out of time"
    assert target.most_in_flight == 1
    assert len(engine._attempts._targets or ()) == 0


async def test_the_sweep_goes_round_all_workspaces_and_passes_over_full_ones(workshop: Workshop) -> None:
    places = sorted(new_id() for _ in range(7))
    statement = """
    INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, wake_at)
    SELECT gen_random_uuid(), $1, $1, $1, 1, 'api', 'queued', $3 FROM generate_series(1, $2::int)
    """
    late = datetime.now(UTC) - timedelta(minutes=1)
    for find, wake_at in ((find_queued, None), (find_due_by_workspace, late)):
        await workshop.pool.execute("TRUNCATE run")
        for place in places:
            await workshop.pool.execute(statement, place, 50 if place == places[0] else 1, wake_at)
        after, rounds = NO_WORKSPACE, []
        async with workshop.pool.acquire() as connection:
            while True:
                async with reading_in_order(connection):
                    found, after = await find(connection, after, workspaces=3, limit=9, full=[places[4]])
                rounds.append([run.workspace_id for run in found])
                if after == NO_WORKSPACE:
                    break
        assert rounds == [[places[0]] * 3 + [places[1], places[2]], [places[3], places[5]], [places[6]]]
