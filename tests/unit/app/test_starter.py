"""What waits to be accepted is bounded in number and in time, for each workspace."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.errors import Busy
from app.runs import lanes as module
from app.runs.starter import RunStarter
from engine.infra.bell import OutboxBell
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store.starts import Start


def make_start(workspace_id: UUID) -> Start:
    run_id = new_id()
    return Start(
        run_id=run_id,
        workspace_id=workspace_id,
        workflow_id=run_id,
        version_id=run_id,
        version=1,
        trigger_id=None,
        trigger_type="api",
        at=datetime.now(UTC),
        queued=b"{}",
        message=b"{}",
    )


@pytest.fixture
def starter() -> RunStarter:
    """One that nobody runs: what it takes, waits."""
    settings = Settings()
    return RunStarter(settings, OutboxBell(settings))


async def test_a_workspace_whose_first_start_waits_for_long_is_sent_away_and_others_are_not(
    starter: RunStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other = new_id(), new_id()
    tasks = [asyncio.create_task(starter.accept(make_start(slow)))]
    await asyncio.sleep(0)
    monkeypatch.setattr(module, "MAX_WAIT_SECONDS", -1.0)
    with pytest.raises(Busy):
        await starter.accept(make_start(slow))
    tasks.append(asyncio.create_task(starter.accept(make_start(other))))
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    assert [waiting.start.workspace_id for waiting in starter.starts.gather()] == [slow, other]
    for task in tasks:
        task.cancel()


async def test_a_flood_fills_most_of_the_queue_and_is_taken_in_turn_with_the_others(starter: RunStarter) -> None:
    flood, other = new_id(), new_id()
    tasks = [asyncio.create_task(starter.accept(make_start(flood))) for _ in range(module.MAX_WAITING)]
    await asyncio.sleep(0)
    refused = [task for task in tasks if task.done()]
    assert len(refused) == module.MAX_WAITING // 5
    assert all(isinstance(task.exception(), Busy) for task in refused)
    tasks.append(asyncio.create_task(starter.accept(make_start(other))))
    await asyncio.sleep(0)
    batch = [waiting.start.workspace_id for waiting in starter.starts.gather()]
    assert batch[:3] == [flood, other, flood]
    for task in tasks:
        task.cancel()
