"""Slots are bounded, shared by workspaces, and never lost to a cancellation."""

import asyncio
from datetime import UTC, datetime

import pytest

from engine.core.decisions import StartAttempt
from engine.worker.fair_slots import FairSlots
from engine.worker.targets import TargetSlots

CALL = StartAttempt(
    step="call",
    type="http",
    attempt=1,
    config={"method": "GET", "url": "https://target.example/"},
    timeout=30,
    decided_at=datetime(2026, 1, 1, tzinfo=UTC),
)


async def test_nobody_gets_more_than_there_are() -> None:
    slots = FairSlots(2)
    assert slots.take_now(1)
    assert slots.take_now(2)
    assert not slots.take_now(3)
    slots.give_back(1)
    assert slots.take_now(3)


async def test_a_flood_leaves_something_to_the_others() -> None:
    slots = FairSlots(5)
    assert [slots.take_now(1) for _ in range(6)] == [True] * 4 + [False] * 2
    assert slots.take_now(2)


async def test_workspaces_that_wait_are_served_in_turn() -> None:
    slots = FairSlots(1)
    order: list[int] = []

    async def use(workspace: int) -> None:
        await slots.take(workspace)
        order.append(workspace)
        await asyncio.sleep(0)
        slots.give_back(workspace)

    await slots.take(9)
    waiting = [asyncio.create_task(use(workspace)) for workspace in (1, 1, 1, 2, 3)]
    await asyncio.sleep(0)
    slots.give_back(9)
    await asyncio.gather(*waiting)
    assert order == [1, 2, 3, 1, 1]
    assert slots.take_now(1), "all are free again"


@pytest.mark.parametrize("moment", ["served", "waiting", "about to be served"])
async def test_who_gives_up_waiting_leaves_its_turn_to_the_next(moment: str) -> None:
    slots = FairSlots(1)
    await slots.take(1)
    first, second = (asyncio.create_task(slots.take(workspace)) for workspace in (2, 3))
    await asyncio.sleep(0)
    if moment == "served":
        slots.give_back(1)
        first.cancel()
    else:
        first.cancel()
        if moment == "waiting":
            await asyncio.sleep(0)
        slots.give_back(1)
    await asyncio.wait_for(second, 60)
    assert first.cancelled() or first.done()
    slots.give_back(3)
    assert slots.take_now(4)


async def test_a_share_is_waited_for_even_where_slots_are_free() -> None:
    slots = FairSlots(5)
    assert all(slots.take_now(1) for _ in range(4))
    waiting = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give_back(1)
    await asyncio.wait_for(waiting, 60)


async def test_what_another_workspace_gives_back_widens_the_share_of_those_who_wait() -> None:
    slots = FairSlots(9)
    for workspace in (1, 2):
        assert [slots.take_now(workspace) for _ in range(4)] == [True] * 4
    waiting = [asyncio.create_task(slots.take(1)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    for _ in range(3):
        slots.give_back(2)
    await asyncio.wait_for(asyncio.gather(*waiting), 60)


@pytest.mark.parametrize("is_served", [True, False], ids=["served", "waiting"])
async def test_who_gives_up_waiting_for_a_target_leaves_its_turn_to_the_next_and_nothing_behind(
    is_served: bool,
) -> None:
    targets = TargetSlots(1)
    target = await targets.take(CALL, 1)
    assert target == "target.example:443"
    first, second = (asyncio.create_task(targets.take(CALL, workspace)) for workspace in (2, 3))
    await asyncio.sleep(0)
    if is_served:
        targets.give_back(target, 1)
        first.cancel()
    else:
        first.cancel()
        targets.give_back(target, 1)
    assert await asyncio.wait_for(second, 60) == target
    assert first.cancelled()
    targets.give_back(target, 3)
    assert len(targets) == 0
