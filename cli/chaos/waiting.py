"""Waiting for what only asking tells."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.05


async def wait_until(look: Callable[[], Awaitable[bool]], *, seconds: float = math.inf) -> bool:
    """Ask until the answer is yes, and for at most so long; the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := await look()):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return answer
