"""Probation: of the runs that were lost twice as they began, one begins at a time, so that others do not pay.

A claim takes many runs at once. Where one of them kills the worker before anything of it is committed, all are lost
together, and nobody can tell which one it was. Lost with the next worker as well, each may be that one: from then on at
most one of them is claimed until something of it is durable, and whoever dies meanwhile died of that one.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from engine.store.runs import ClaimedRun

# One that takes longer to begin, or has nothing to say, holds up the others no more.
LONGEST_SECONDS = 5.0
PASSED_OVER_LIMIT = 1000


class Probation:
    """The run that is on probation in this worker, and runs that may wait for it to come through."""

    def __init__(self) -> None:
        self._run_id: UUID | None = None
        self._until = 0.0
        self._passed_over: dict[UUID, None] = {}

    @property
    def is_open(self) -> bool:
        """Whether another run may be claimed that is to be on probation."""
        return self._run_id is None or time.monotonic() >= self._until

    def note_claim(self, asked: Sequence[UUID], claimed: Sequence[ClaimedRun]) -> None:
        """So many were claimed of those that were asked for."""
        for run in claimed:
            if run.is_on_probation:
                self._run_id, self._until = run.id, time.monotonic() + LONGEST_SECONDS
        if self._run_id is not None:
            taken = {run.id for run in claimed}
            left = (run_id for run_id in asked if run_id not in taken)
            self._passed_over.update(dict.fromkeys(islice(left, PASSED_OVER_LIMIT - len(self._passed_over))))

    def end(self, run_ids: Iterable[UUID]) -> list[UUID]:
        """Something of these runs is durable: where the one on probation is among them, the runs that waited for it."""
        if self._run_id is None or self._run_id not in run_ids:
            return []
        waiting = list(self._passed_over)
        self._run_id, self._passed_over = None, {}
        return waiting
