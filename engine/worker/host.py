"""What a driver and the worker that it lives in know of each other."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from engine.core.decisions import StartAttempt, StartChild
from engine.core.events import ErrorInfo
from engine.core.observations import ChildRefused, ChildStarted, Observation
from engine.infra.clock import Clock
from engine.worker.flusher import Entry

if TYPE_CHECKING:
    from engine.worker.driver import Driver

Work = Callable[[], Coroutine[Any, Any, None]]  # called within its task, which may be cancelled before it begins


class RefusedResult(Exception):
    """What a step gave cannot be journalled: it has no JSON, or is too large."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.error = error


class Message(Struct, frozen=True, kw_only=True):
    """What somebody left in the run's inbox, as the core takes it in."""

    inbox_id: int
    observation: Observation


class Host(Protocol):
    """What a driver needs of the worker that it lives in."""

    clock: Clock
    suspend_after: timedelta

    @property
    def is_draining(self) -> bool:
        """Whether no new attempts may start."""

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue an entry for the next commit."""

    async def perform(self, driver: "Driver", start: StartAttempt) -> Observation:
        """Make one attempt; what came of it."""

    def spawn(self, driver: "Driver", work: Work) -> "asyncio.Task[None]":
        """Have the driver do some work in a task; what it raises ends the run's life in this worker."""

    async def expire_approvals(self, driver: "Driver", steps: Sequence[str]) -> frozenset[str]:
        """Keep everybody from deciding these approvals of the run, which are due; those that nobody has decided."""

    def forget(self, driver: "Driver") -> None:
        """The run has ended, or is given up: nothing of it is left in memory."""

    def reload(self, driver: "Driver", refused: dict[tuple[str, int], ErrorInfo]) -> None:
        """Load the run anew from its journal, failing those attempts (step, number) whose results were refused."""

    def announce_start(self, driver: "Driver", start: StartAttempt) -> None:
        """Tell whoever watches the run that an attempt starts."""

    async def start_child(self, driver: "Driver", start: StartChild) -> ChildStarted | ChildRefused:
        """Start the run that a step asks for, or find the one that was started for it before."""

    async def cancel_child(self, driver: "Driver", run_id: str) -> None:
        """Cancel a run that was started for a step which has ended meanwhile."""

    async def drop_messages(self, inbox_ids: Sequence[int]) -> None:
        """Throw away messages that have no effect."""

    async def put_to_rest(self, driver: "Driver", wake_at: datetime) -> None:
        """Give up a run that only waits, without anything to journal."""
