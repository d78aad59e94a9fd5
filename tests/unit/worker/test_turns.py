"""Starts are spread: no faster than they can be carried, and whoever waits is served in turn."""

import asyncio

import pytest

from engine.worker import turns as module
from engine.worker.turns import (
    FEW_STARTS,
    LEAST_BURST,
    MANY_SECONDS,
    MOST_OWED,
    MOST_SHARE,
    WINDOW_SECONDS,
    Turns,
)


class Machine:
    """The time, and what the thread has spent of it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cpu = 10.0

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.cpu += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(module, "perf_counter", lambda: machine.now)
    monkeypatch.setattr(module, "thread_time", lambda: machine.cpu)
    return machine


def meet(turns: Turns) -> None:
    """Have two workspaces start something, so that none is alone."""
    turns.take_now(1)
    turns.take_now(2)


def start_all(turns: Turns, workspace: int) -> int:
    """Start as much as may start now; how much that was."""
    count = 0
    while turns.take_now(workspace):
        count += 1
    return count


def carry(turns: Turns, machine: Machine, *, seconds: float, cost: float) -> float:
    """Start of two workspaces whatever may start, for so long, at such a cost; how many a second started."""
    until, count = machine.now + seconds, 0
    while machine.now < until:
        before = count
        while turns.take_now(1 + count % 2):
            count += 1
        for _ in range(count - before):
            machine.work(cost)
            turns.note_end()
        machine.now += 0.0005
    return count / seconds


async def test_only_a_few_start_in_one_moment(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    assert start_all(turns, 2) == LEAST_BURST - 2
    machine.now += 1
    assert LEAST_BURST <= start_all(turns, 2) < 20


async def test_who_is_alone_never_waits(machine: Machine) -> None:
    turns = Turns()
    assert all(turns.take_now(1) for _ in range(10_000))
    assert turns.take_now(2)
    assert start_all(turns, 1) < LEAST_BURST, "now it is not alone any more"
    machine.now += MANY_SECONDS / 2
    assert start_all(turns, 1) < 20
    machine.now += MANY_SECONDS / 2
    assert all(turns.take_now(1) for _ in range(10_000))


async def test_what_waits_starts_once_the_others_are_gone(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    start_all(turns, 1)
    waiting = [asyncio.create_task(turns.take(1)) for _ in range(1000)]
    await asyncio.sleep(0)
    machine.now += MANY_SECONDS
    await asyncio.wait_for(asyncio.gather(*waiting), 60)


@pytest.mark.parametrize("cost", [0.0001, 0.0005, 0.005])
async def test_as_much_starts_as_the_thread_can_carry(machine: Machine, cost: float) -> None:
    turns = Turns()
    meet(turns)
    carry(turns, machine, seconds=10, cost=cost)
    rate = carry(turns, machine, seconds=10, cost=cost)
    assert 0.7 / cost < rate <= 1.01 * MOST_SHARE / cost


async def test_an_event_loop_that_falls_behind_gets_less_to_start_and_recovers(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    before = carry(turns, machine, seconds=5, cost=0.0005)
    waiting = [asyncio.create_task(turns.take(1)) for _ in range(20_000)]
    await asyncio.sleep(0)
    for _ in range(100):
        machine.work(0.02)
        turns._tick()
    assert turns._share < 0.5
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert carry(turns, machine, seconds=10, cost=0.0005) > before / 2


async def test_time_that_others_had_the_processor_slows_nothing_down(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    share = turns._share
    waiting = [asyncio.create_task(turns.take(1)) for _ in range(1000)]
    await asyncio.sleep(0)
    for _ in range(50):
        machine.now += 0.02
        turns._tick()
    assert turns._share >= share
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_flood_that_waits_holds_nobody_else_up() -> None:
    turns = Turns()
    meet(turns)
    order: list[int] = []

    async def use(workspace: int) -> None:
        await turns.take(workspace)
        order.append(workspace)

    flood = [asyncio.create_task(use(1)) for _ in range(300)]
    await asyncio.sleep(0)
    before = len(order)
    assert before < 300
    other = asyncio.create_task(use(2))
    await asyncio.wait_for(other, 60)
    assert order.index(2) <= before + 2 * LEAST_BURST
    await asyncio.wait_for(asyncio.gather(*flood), 60)
    assert order.count(1) == 300


async def hold_up(turns: Turns, workspace: int) -> list[asyncio.Task[None]]:
    """Have a workspace start all it may, and wait with more."""
    start_all(turns, workspace)
    waiting = [asyncio.create_task(turns.take(workspace)) for _ in range(1000)]
    await asyncio.sleep(0)
    return waiting


async def give_up(waiting: list[asyncio.Task[None]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_starts_little_waits_for_no_turn_and_the_flood_makes_up_for_it(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    flood = await hold_up(turns, 1)
    assert start_all(turns, 3) == FEW_STARTS
    assert turns._owed == FEW_STARTS
    machine.now += 2 * WINDOW_SECONDS
    assert start_all(turns, 3) == FEW_STARTS, "in the next window again"
    assert turns._begun[1] == 0, "what waits of the flood goes on waiting"
    await give_up(flood)


async def test_many_who_start_little_owe_no_more_together_than_one_burst(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    flood = await hold_up(turns, 1)
    started = sum(start_all(turns, workspace) for workspace in range(10, 100))
    assert started <= MOST_OWED
    await give_up(flood)


async def test_who_waits_gets_on_however_many_start_little_beside_it(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    flood = await hold_up(turns, 1)
    # One that may owe nothing at first waits behind the flood, and gets its turn as well.
    small = asyncio.create_task(turns.take(2))
    light = done = 0
    for millisecond in range(2000):
        machine.now += 0.001
        before = light + done
        light += sum(turns.take_now(10 + (millisecond * 20 + number) % 900) for number in range(20))
        turns._tick()
        await asyncio.sleep(0)
        done = sum(one.done() for one in flood)
        # A millisecond for each that was started.
        machine.cpu += 0.001 * (light + done - before)
    assert small.done()
    assert done < len(flood)
    assert done > light / 2 > 100
    await give_up([*flood, small])


async def test_who_waits_already_overtakes_none_of_its_own(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    flood = await hold_up(turns, 1)
    machine.now += 2 * WINDOW_SECONDS
    assert not turns.take_now(1)
    await give_up(flood)


async def test_who_gives_up_leaves_no_hole(machine: Machine) -> None:
    turns = Turns()
    meet(turns)
    start_all(turns, 1)
    first, second = (asyncio.create_task(turns.take(1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    machine.now += 1
    await asyncio.wait_for(second, 60)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not turns._waiting
