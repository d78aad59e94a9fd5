"""Python's search for reference cycles, set for processes that hold many objects for seconds."""

import asyncio
import gc
from itertools import count

# A backstop: as long as the clock's searches come first, none is made in the middle of a burst.
_THRESHOLDS = (1_000_000, 20, 50)

SECONDS = 10.0
_MIDDLE_EVERY = 6
_ALL_EVERY = 60


def relax_garbage_collection() -> None:
    """Look for cycles nearly never by themselves, and never among what is loaded by now.

    A search walks all runs and requests that are new in memory, and finds next to nothing: with Python's own thresholds
    that was a third of a busy worker's time, with 50,000 objects still 7 µs of every step in pauses of up to 130 ms.
    Call it once in a process, when its modules are loaded, and let `collect_garbage` do the searching.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def collect_garbage(seconds: float = SECONDS) -> None:
    """Look for cycles by the clock until cancelled: among new objects every time, among older ones more rarely."""
    for turn in count(1):
        await asyncio.sleep(seconds)
        gc.collect(2 if turn % _ALL_EVERY == 0 else 1 if turn % _MIDDLE_EVERY == 0 else 0)
