"""Time limits for very many short waits at once."""

import asyncio
import math
from types import TracebackType
from typing import Self

# How late a deadline may be noticed.
TICK_SECONDS = 0.05


class Deadlines:
    """Gives out time limits; those that end in the same tick share one timer of the event loop.

    `asyncio.timeout` arms a timer each time, which with hundreds in flight costs a sixth of a whole HTTP request.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ticks: dict[int, _Tick] = {}

    def within(self, seconds: float) -> "Deadline":
        """A `with` block that raises TimeoutError when it takes longer than `seconds` (noticed up to a tick late)."""
        return Deadline(self, seconds)

    def join(self, deadline: "Deadline", seconds: float) -> "_Tick":
        """Have `deadline` ended in `seconds`, unless it leaves the tick before."""
        number = math.ceil((self._loop.time() + seconds) / TICK_SECONDS)
        tick = self._ticks.get(number)
        if tick is None:
            tick = self._ticks[number] = _Tick(self._ticks, number, self._loop)
        tick.add(deadline)
        return tick


class Deadline:
    """One block with a time limit, in the task that enters it."""

    __slots__ = ("_cancelling", "_deadlines", "_is_over", "_seconds", "_task", "_tick")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._is_over = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A deadline needs a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._tick = self._deadlines.join(self, self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_over:
            self._tick.remove(self)
        # A cancellation by somebody else at the same time goes first.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def end(self) -> None:
        """Interrupt the block: its time is over."""
        self._is_over = True
        self._task.cancel()


class _Tick:
    """The deadlines that end at one moment."""

    __slots__ = ("_members", "_number", "_ticks", "_timer")

    def __init__(self, ticks: "dict[int, _Tick]", number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._ticks = ticks
        self._number = number
        self._members: set[Deadline] = set()
        self._timer = loop.call_at(number * TICK_SECONDS, self._end)

    def add(self, deadline: Deadline) -> None:
        self._members.add(deadline)

    def remove(self, deadline: Deadline) -> None:
        self._members.discard(deadline)
        if not self._members and self._ticks.pop(self._number, None) is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self._ticks.pop(self._number, None)
        for deadline in self._members:
            deadline.end()
