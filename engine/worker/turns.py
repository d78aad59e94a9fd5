"""Turns: how much the worker starts, so that its event loop never falls behind, and whose turn it is."""

import asyncio
from math import exp
from time import perf_counter, thread_time

from msgspec import Struct

from engine.infra.fair_queue import FairQueue

LEAST_BURST = 8
WINDOW_SECONDS = 0.1
# What starts cost is learned while they have to wait or the worker is so busy: else its idle beat would be theirs.
BUSY = 0.4
MEMORY_SECONDS = 3.0
TICK_SECONDS = 0.001
LEAST_SHARE, SHARE_STEP, SHARE_CUT = 0.3, 0.02, 0.95
MANY_SECONDS = 5.0


class Pace(Struct, frozen=True):
    """`share`: what starts may make of the processor. `burst`: how much of that at once, where less was started before.

    With more than `behind` to do between two ticks, the event loop has fallen behind. Times in seconds.
    """

    share: float
    burst: float
    behind: float


# Larger turns cost less for each start, and hold up nobody but their own workspace and whoever comes next.
ALONE = Pace(1.5, 0.02, 0.01)
AMONG_OTHERS = Pace(0.8, 0.003, 0.0015)


class Turns:
    """Lets runs and attempts start no faster than the event loop can carry all that follows from them.

    What a start costs in the end is the processor time of this thread by the number of starts, measured all the time.
    Without this a flood would start whatever it can, and everybody's next turn would come behind all that follows.
    Workspaces that wait are served in turn; they go by their ids as numbers.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()
        # The last seconds, older ones fading; a fifth of a millisecond a start until it is known better.
        self._spent, self._works = 0.04, 200.0
        self._pace = ALONE
        self._share = 1.0
        self._rate = self._share * self._works / self._spent
        self._left = float(LEAST_BURST)
        # Beginnings and ends since the window began: half of a work each.
        self._halves = 0
        self._refilled_at = self._window_at = perf_counter()
        self._window_cpu = self._armed_cpu = thread_time()
        self._ticks, self._ticks_cpu = 0, 0.0
        self._is_ticking = self._is_short = False
        self._workspace: int | None = None
        self._many_until = 0.0

    def take_now(self, workspace: int) -> bool:
        """Start at once, where that keeps nobody waiting."""
        if self._waiting:
            return False
        if self._left < 1:
            self._refill(perf_counter())
            if self._left < 1:
                self._is_short = True
                return False
        self._start(workspace)
        return True

    def note_end(self) -> None:
        """What was started has come to its end."""
        self._halves += 1

    async def take(self, workspace: int) -> None:
        """Start when it is this workspace's turn."""
        if self.take_now(workspace):
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.push(workspace, turn)
        if not self._is_ticking:
            self._is_ticking = True
            self._arm()
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting.discard(workspace, turn)
            raise

    def _start(self, workspace: int) -> None:
        self._left -= 1
        self._halves += 1
        if workspace != self._workspace:
            if self._workspace is not None:
                self._many_until = self._refilled_at + MANY_SECONDS
                if self._pace is ALONE:
                    self._keep_pace(AMONG_OTHERS)
            self._workspace = workspace

    def _arm(self) -> None:
        self._armed_cpu = thread_time()
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        # Not the time that went by: the thread may have had to wait for a processor.
        self._ticks_cpu += thread_time() - self._armed_cpu
        self._ticks += 1
        self._refill(perf_counter())
        while self._left >= 1 and self._waiting:
            workspace, turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                self._start(workspace)
        if self._waiting:
            self._arm()
        else:
            self._is_ticking = False

    def _refill(self, now: float) -> None:
        if now - self._window_at >= WINDOW_SECONDS:
            self._learn(now)
        most = max(self._rate * self._pace.burst, LEAST_BURST)
        self._left = min(self._left + (now - self._refilled_at) * self._rate, most)
        self._refilled_at = now

    def _learn(self, now: float) -> None:
        """See from the last window what a work costs, and whether the event loop falls behind."""
        elapsed, cpu = now - self._window_at, thread_time()
        spent = cpu - self._window_cpu
        if spent > BUSY * elapsed or (self._is_short and elapsed < 3 * WINDOW_SECONDS):
            fading = exp(-elapsed / MEMORY_SECONDS)
            self._spent = self._spent * fading + spent
            self._works = self._works * fading + self._halves / 2
        if self._ticks_cpu > self._pace.behind * self._ticks:
            self._share = max(min(self._share, spent / elapsed) * SHARE_CUT, LEAST_SHARE)
        else:
            self._share += SHARE_STEP
        self._keep_pace(AMONG_OTHERS if now < self._many_until else ALONE)
        self._window_at, self._window_cpu = now, cpu
        self._halves, self._ticks, self._ticks_cpu = 0, 0, 0.0
        self._is_short = bool(self._waiting)

    def _keep_pace(self, pace: Pace) -> None:
        self._pace = pace
        self._share = min(self._share, pace.share)
        self._rate = self._share * max(self._works, 1.0) / self._spent
