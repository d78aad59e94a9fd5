"""What is worked out once for all who ask at about the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from time import monotonic
from typing import Any, Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class FreshCache(Generic[_Key, _Value]):
    """Keeps what `load` gives, of the last `most` keys: a hundred who look at the same thing cost as much as one."""

    def __init__(self, load: Callable[[_Key], Coroutine[Any, Any, _Value]], *, most: int) -> None:
        self._load = load
        self._most = most
        self._kept: OrderedDict[_Key, tuple[float, asyncio.Task[_Value]]] = OrderedDict()

    async def read(self, key: _Key, *, seconds: float) -> _Value:
        """What belongs to the key, asked for so many seconds ago or under way; raises what `load` raises."""
        asked_at, task = self._kept.get(key, (0.0, None))
        is_over = task is not None and task.done() and monotonic() - asked_at > seconds
        # One that takes long is waited for by all: a second one beside it would make both longer.
        if task is None or is_over or _has_failed(task):
            task = asyncio.get_running_loop().create_task(self._load(key))
            # What nobody waits for any more must not be complained of.
            task.add_done_callback(_has_failed)
            self._kept[key] = (monotonic(), task)
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        # One who hangs up leaves it to the others.
        return await asyncio.shield(task)


def _has_failed(task: asyncio.Task[_Value]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
