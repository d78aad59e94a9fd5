"""What a worker of the simulation has at a moment: what the rules of its state machine may happen to."""

from collections.abc import Callable
from typing import Any

from tests.simulation.worker import Worker


def some(has_it: Callable[[Worker], object]) -> Callable[[Any], bool]:
    """A rule is worth its turn where some worker has what it is about."""
    return lambda self: any(has_it(worker) for worker in self.world.workers)


def writes(worker: Worker) -> object:
    """Whether it has something to commit."""
    return worker.queue or worker.in_doubt


def lets_time_out(worker: Worker) -> list[tuple[str, str]]:
    """The approvals whose timeouts are yet to be committed."""
    rows = [row for entry in worker.queue for row in entry.rows]
    return [(run_id, getattr(event, "step", "")) for run_id, _, event in rows if event.reason == "wait_timeout"]


def asks_somebody(worker: Worker) -> list[tuple[str, str]]:
    """The approvals that runs in memory wait for."""
    return [
        asked for asked, status in worker.store.approvals.items() if status == "pending" and asked[0] in worker.drivers
    ]


def asks(worker: Worker) -> object:
    """Its attempts that have not had their effect."""
    return worker.attempts(answered=False)


def asks_beside(worker: Worker) -> object:
    """Whether runs in memory wait for approvals while there are such."""
    return asks(worker) and asks_somebody(worker)


def asks_more(worker: Worker) -> object:
    """Whether it has several of those."""
    return len(worker.attempts(answered=False)) > 1


def knows(worker: Worker) -> object:
    """Its attempts whose target has answered."""
    return worker.attempts(answered=True)


def starts(worker: Worker) -> object:
    """Whether it starts runs for steps."""
    return any(driver.child_starts for driver in worker.drivers.values())


def drives(worker: Worker) -> object:
    """The runs that it has in memory."""
    return worker.drivers


def is_announced(worker: Worker) -> object:
    """The runs that it was told of."""
    return worker.announced
