"""Cycles are found by the clock."""

import asyncio
import gc
import weakref

from engine.infra.garbage import collect_garbage


class Knot:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.end = self


async def test_cycles_are_freed_without_the_interpreters_own_searches() -> None:
    freed = asyncio.Event()
    loop = asyncio.get_running_loop()
    gc.disable()
    try:
        knot = Knot()
        reference = weakref.ref(knot, lambda _: loop.call_soon_threadsafe(freed.set))
        del knot
        assert reference() is not None
        searching = asyncio.create_task(collect_garbage(seconds=0.001))
        async with asyncio.timeout(60):
            await freed.wait()
        searching.cancel()
    finally:
        gc.enable()


async def test_older_cycles_are_found_as_well() -> None:
    freed = asyncio.Event()
    loop = asyncio.get_running_loop()
    gc.disable()
    try:
        knot = Knot()
        # Twice survived: it is in the oldest generation now.
        gc.collect(0)
        gc.collect(1)
        reference = weakref.ref(knot, lambda _: loop.call_soon_threadsafe(freed.set))
        del knot
        searching = asyncio.create_task(collect_garbage(seconds=0.001))
        async with asyncio.timeout(60):
            await freed.wait()
        searching.cancel()
        assert reference() is None
    finally:
        gc.enable()
