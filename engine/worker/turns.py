"""Turns: how much the worker starts, so that its event loop never falls behind, and whose turn it is."""

import asyncio
from collections import Counter
from math import exp
from time import perf_counter, thread_time

from engine.infra.fair_queue import FairQueue

LEAST_BURST = 8
WINDOW_SECONDS = 0.1
# Who has started fewer in this window does not wait, and what it starts is owed: so many in all. Half of what may start
# pays for that, and the other half is always there for those who wait.
FEW_STARTS, MOST_OWED = 6, 8
PAID_SHARE = 0.5
# What starts cost is learned while they have to wait or the worker is so busy: else its idle beat would be theirs.
BUSY = 0.4
MEMORY_SECONDS = 3.0
TICK_SECONDS = 0.001
# What starts may make of the processor, and how much of that at once, where less was started before.
MOST_SHARE, BURST_SECONDS = 0.8, 0.003
# With more than this to do between two ticks, the event loop has fallen behind.
BEHIND_SECONDS = 0.0015
LEAST_SHARE, SHARE_STEP, SHARE_CUT = 0.3, 0.02, 0.95
# For so long after another one has started something, a workspace is not alone.
MANY_SECONDS = 5.0


class Turns:
    """Lets runs and attempts start no faster than the event loop can carry all that follows from them.

    What a start costs in the end is the processor time of this thread by the number of starts, measured all the time.
    Without this a flood would start whatever it can, and everybody's next turn would come behind all that follows.
    Workspaces that wait are served in turn; they go by their ids as numbers. One that is alone never waits: small turns
    cost more for each start than large ones, and it has nobody to hold up.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()
        # The last seconds, older ones fading; a fifth of a millisecond a start until it is known better.
        self._spent, self._works = 0.04, 200.0
        self._share = MOST_SHARE
        self._rate = self._share * self._works / self._spent
        self._left = float(LEAST_BURST)
        self._owed = 0.0
        # Beginnings and ends since the window began: half of a work each. And who has begun how much.
        self._halves = 0
        self._begun: Counter[int] = Counter()
        self._refilled_at = self._window_at = perf_counter()
        self._window_cpu = self._armed_cpu = thread_time()
        self._ticks, self._ticks_cpu = 0, 0.0
        self._is_ticking = self._is_short = False
        self._workspace: int | None = None
        self._many_until = 0.0

    def take_now(self, workspace: int) -> bool:
        """Start at once, where that keeps nobody waiting, or only whoever starts much more."""
        now = perf_counter()
        if not self._waiting:
            if self._is_alone(workspace, now):
                # Nobody else is there whom it could hold up.
                return True
            if self._left < 1:
                self._refill(now)
            if self._left >= 1:
                self._left -= 1
                self._start(workspace, now)
                return True
            self._is_short = True
        if not self._may_owe(workspace, now):
            return False
        self._owed += 1
        self._start(workspace, now)
        return True

    def is_alone(self, workspace: int) -> bool:
        """Whether only this workspace has started anything of late, and nothing waits."""
        return not self._waiting and self._is_alone(workspace, perf_counter())

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

    def _may_owe(self, workspace: int, now: float) -> bool:
        """Whether it starts so little that the others are to make up for it."""
        if now - self._window_at >= WINDOW_SECONDS:
            self._refill(now)
        return self._owed <= MOST_OWED - 1 and self._begun[workspace] < FEW_STARTS and not self._waiting.has(workspace)

    def _is_alone(self, workspace: int, now: float) -> bool:
        return workspace == self._workspace and now >= self._many_until

    def _start(self, workspace: int, now: float) -> None:
        self._halves += 1
        self._begun[workspace] += 1
        if workspace != self._workspace:
            if self._workspace is not None:
                self._many_until = now + MANY_SECONDS
            self._workspace = workspace

    def _arm(self) -> None:
        self._armed_cpu = thread_time()
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        # Not the time that went by: the thread may have had to wait for a processor.
        self._ticks_cpu += thread_time() - self._armed_cpu
        self._ticks += 1
        now = perf_counter()
        self._refill(now)
        while self._waiting and (self._left >= 1 or now >= self._many_until):
            workspace, turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
                self._start(workspace, now)
        if self._waiting:
            self._arm()
        else:
            self._is_ticking = False

    def _refill(self, now: float) -> None:
        if now - self._window_at >= WINDOW_SECONDS:
            self._learn(now)
        most = max(self._rate * BURST_SECONDS, LEAST_BURST)
        gained = (now - self._refilled_at) * self._rate
        paid = min(self._owed, gained * PAID_SHARE)
        self._owed -= paid
        self._left = min(self._left + gained - paid, most)
        self._refilled_at = now

    def _learn(self, now: float) -> None:
        """See from the last window what a work costs, and whether the event loop falls behind."""
        elapsed, cpu = now - self._window_at, thread_time()
        spent = cpu - self._window_cpu
        if spent > BUSY * elapsed or (self._is_short and elapsed < 3 * WINDOW_SECONDS):
            fading = exp(-elapsed / MEMORY_SECONDS)
            self._spent = self._spent * fading + spent
            self._works = self._works * fading + self._halves / 2
        if self._ticks_cpu > BEHIND_SECONDS * self._ticks:
            self._share = max(min(self._share, spent / elapsed) * SHARE_CUT, LEAST_SHARE)
        else:
            self._share = min(self._share + SHARE_STEP, MOST_SHARE)
        self._rate = self._share * max(self._works, 1.0) / self._spent
        self._window_at, self._window_cpu = now, cpu
        self._halves, self._ticks, self._ticks_cpu = 0, 0, 0.0
        self._begun.clear()
        self._is_short = bool(self._waiting)
