"""Recovery: find workers that died or hang, fence them, and free their runs for everybody."""

import math
import time
from datetime import datetime

import asyncpg
import structlog

from engine.infra import metrics
from engine.store.leases import declare_dead, find_suspects, free_stranded, is_session_gone, seconds_up

INTERVAL_SECONDS = 1.0
# Three missed beats: enough when the session lock is gone as well.
SILENCE_SECONDS = 1.5
# Who has a new connection so soon was not cut off for long enough to make others look dead.
QUICK_SECONDS = 1.0
# Who has been dead for so many leases was not declared dead just now: whatever it still owns was left behind.
STRANDED_LEASES = 3

_log = structlog.get_logger()


class Recovery:
    """Looks after other workers.

    After the database was away, or the machine slept, those get one TTL that have not beaten again since.
    """

    def __init__(self, *, worker_id: int, ttl_seconds: float) -> None:
        self._worker_id = worker_id
        self._ttl_seconds = ttl_seconds
        self._reconnected_at = -math.inf
        # The last look by the database's clock, and by the one of this process.
        self._looked_at: tuple[datetime, float] | None = None

    def note_reconnect(self, away_seconds: float) -> None:
        """The database was away: a silence from before now proves nothing for one TTL.

        Where the connection alone is lost, and again and again, there is time to look between one wait and the next.
        """
        now = time.monotonic()
        if away_seconds > QUICK_SECONDS or now - self._reconnected_at > 2 * self._ttl_seconds:
            self._reconnected_at = now

    async def look(self, connection: asyncpg.Connection) -> int:
        """Declare dead whoever is; the number of runs that were freed."""
        now, suspects = await find_suspects(connection, self._worker_id, SILENCE_SECONDS)
        self._note_look(now)
        if not suspects:
            return 0
        # For so long everybody has been able to beat again, as far as is known here.
        seconds_back = min(time.monotonic() - self._reconnected_at, await seconds_up(connection))
        freed = 0
        for suspect in suspects:
            if seconds_back < self._ttl_seconds and suspect.silence > seconds_back:
                continue
            is_overdue = suspect.silence > self._ttl_seconds
            if not is_overdue and not await is_session_gone(connection, suspect.worker_id):
                continue
            silence = self._ttl_seconds if is_overdue else SILENCE_SECONDS
            runs = await declare_dead(connection, suspect.worker_id, silence)
            if runs is not None:
                _log.warning("worker_recovered", worker_id=suspect.worker_id, silence=suspect.silence, runs=runs)
                metrics.RUNS_RECOVERED.inc(runs)
                freed += runs
        return freed

    def _note_look(self, now: datetime) -> None:
        """Where the database's clock is ahead of ours since the last look, this machine slept, or that clock was set.

        Then nobody was silent for as long as it seems.
        """
        moment = time.monotonic()
        if self._looked_at is not None:
            then, moment_then = self._looked_at
            ahead = (now - then).total_seconds() - (moment - moment_then)
            if ahead > SILENCE_SECONDS:
                # A little may be an answer that was slow, again and again.
                self.note_reconnect(ahead if ahead > self._ttl_seconds else 0.0)
        self._looked_at = now, moment

    async def free_stranded(self, connection: asyncpg.Connection) -> int:
        """Free runs that a worker owns which is gone, or has been dead for long; their number, always 0 but for faults.

        Any number of workers may do so at once: what one has freed the others pass over.
        """
        freed = await free_stranded(connection, STRANDED_LEASES * self._ttl_seconds)
        for worker_id, runs in freed.items():
            if runs:
                _log.error("stranded_runs_freed", worker_id=worker_id, runs=runs)
                metrics.RUNS_STRANDED.inc(runs)
        return sum(freed.values())
