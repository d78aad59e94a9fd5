"""What many ask for at once is worked out once, and anew after its time, after a failure, and beyond what is kept."""

import asyncio

import pytest

from app.fresh import FreshCache


class Loads:
    """Counts how often each key was loaded; what it gives is that number. It waits while `gate` is closed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    async def load(self, key: str) -> int:
        self.asked.append(key)
        await self.gate.wait()
        if self.fails:
            raise ConnectionError
        return self.asked.count(key)


async def test_those_who_ask_while_it_is_worked_out_get_the_same() -> None:
    loads = Loads()
    cache = FreshCache(loads.load, most=10)
    loads.gate.clear()
    asking = [asyncio.create_task(cache.read(key, seconds=60)) for key in "aab" * 3]
    await asyncio.sleep(0)
    # Whoever hangs up takes it from nobody, though it was the first.
    asking.pop(0).cancel()
    loads.gate.set()
    assert await asyncio.gather(*asking) == [1] * 8
    assert sorted(loads.asked) == ["a", "b"]


async def test_what_is_too_old_is_worked_out_anew() -> None:
    loads = Loads()
    cache = FreshCache(loads.load, most=10)
    assert [await cache.read("a", seconds=seconds) for seconds in (60, 60, -1, 60)] == [1, 1, 2, 2]


async def test_a_failure_is_not_kept() -> None:
    loads = Loads()
    cache = FreshCache(loads.load, most=10)
    loads.fails = True
    with pytest.raises(ConnectionError):
        await cache.read("a", seconds=60)
    loads.fails = False
    assert await cache.read("a", seconds=60) == 2


async def test_only_the_last_keys_are_kept() -> None:
    loads = Loads()
    cache = FreshCache(loads.load, most=2)
    for key in "abcbca":
        await cache.read(key, seconds=60)
    assert loads.asked == ["a", "b", "c", "a"]
