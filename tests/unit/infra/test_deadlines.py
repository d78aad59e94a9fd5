"""Time limits that share timers behave like those that have one each."""

import asyncio

import pytest

from engine.infra.deadlines import Deadlines
from tests.product import TRIES


async def test_block_within_its_limit_goes_on() -> None:
    with Deadlines().within(5):
        result = await asyncio.sleep(0, "done")
    assert result == "done"


async def test_block_over_its_limit_raises_timeout() -> None:
    taken: list[float] = []
    while not taken or taken[-1] >= 1:
        assert len(taken) < TRIES, taken
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError), Deadlines().within(0.1):
            await asyncio.Event().wait()
        taken.append(asyncio.get_running_loop().time() - started)
        assert taken[-1] >= 0.1


async def test_task_is_not_left_cancelled_after_a_timeout() -> None:
    with pytest.raises(TimeoutError), Deadlines().within(0):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    entered = asyncio.Event()

    async def wait() -> None:
        with Deadlines().within(5):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_error_in_the_block_passes_through() -> None:
    with pytest.raises(KeyError), Deadlines().within(5):
        raise KeyError


async def test_shorter_limit_ends_first() -> None:
    deadlines = Deadlines()

    async def wait(seconds: float) -> str:
        try:
            with deadlines.within(seconds):
                await asyncio.sleep(2)
        except TimeoutError:
            return "over"
        return "done"

    results = await asyncio.gather(*(wait(seconds) for seconds in (0.05, 5, 0.05, 0.1, 5)))
    assert results == ["over", "done", "over", "over", "done"]


async def test_no_timer_stays_behind() -> None:
    deadlines = Deadlines()
    for _ in range(3):
        with deadlines.within(1000), deadlines.within(2000):
            await asyncio.sleep(0)
    with pytest.raises(TimeoutError), deadlines.within(0):
        await asyncio.Event().wait()
    assert deadlines._ticks == {}


async def test_limits_in_a_row_are_each_noticed() -> None:
    deadlines = Deadlines()
    for _ in range(3):
        with pytest.raises(TimeoutError), deadlines.within(0.01):
            await asyncio.Event().wait()
