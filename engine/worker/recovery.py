"""Recovery: find workers that died or hang, fence them, and free their runs for everybody."""

import time

import asyncpg
import structlog

from engine.infra import metrics
from engine.store.leases import declare_dead, find_suspects, is_session_gone, seconds_up

INTERVAL_SECONDS = 1.0
# Three missed beats: enough when the session lock is gone as well.
SILENCE_SECONDS = 1.5

_log = structlog.get_logger()


class Recovery:
    """Looks after other workers. After the database was away it waits one TTL, so that all can beat again."""

    def __init__(self, *, worker_id: int, ttl_seconds: float) -> None:
        self._worker_id = worker_id
        self._ttl_seconds = ttl_seconds
        self._not_before = 0.0

    def note_reconnect(self) -> None:
        """The database was away: nobody is declared dead for one TTL."""
        self._not_before = time.monotonic() + self._ttl_seconds

    async def look(self, connection: asyncpg.Connection) -> int:
        """Declare dead whoever is; the number of runs that were freed."""
        if time.monotonic() < self._not_before:
            return 0
        suspects = await find_suspects(connection, self._worker_id, SILENCE_SECONDS)
        if not suspects or await seconds_up(connection) < self._ttl_seconds:
            return 0
        freed = 0
        for suspect in suspects:
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
