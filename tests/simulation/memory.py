"""What a worker of the simulation has in memory, and loses when it dies."""

from dataclasses import dataclass, field
from typing import Any

from engine.core.decisions import Decision, StartAttempt, StartChild
from engine.core.events import RunEvent
from engine.core.observations import BegunAttempt
from engine.core.state import State
from tests.simulation.store import Batch, Change


@dataclass
class Attempt:
    """An attempt under way; `is_ok` once the target has answered."""

    start: StartAttempt
    is_ok: bool | None = None


@dataclass
class Driver:
    """One run in memory. `seq` is the last event of its journal, counted by its one writer."""

    run_id: str
    round: int
    state: State
    seq: int
    attempts: dict[str, Attempt] = field(default_factory=dict)
    begun: dict[str, BegunAttempt] = field(default_factory=dict)
    # The attempts that have had their effect and have not ended, whatever the worker knows of them.
    effects: dict[str, int] = field(default_factory=dict)
    broken_off: set[str] = field(default_factory=set)
    child_starts: dict[str, StartChild] = field(default_factory=dict)
    inbox_seen: set[int] = field(default_factory=set)
    is_closed: bool = False


@dataclass
class Entry:
    """The events of one turn, to be committed with others; what was decided is done after that."""

    driver: Driver
    rows: list[tuple[str, int, RunEvent]]
    decisions: list[Decision]
    inbox_ids: list[int]
    change: Change | None = None
    messages: list[tuple[str, str, Any]] = field(default_factory=list)
    mail: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    # Messages that came to nothing because of it: they go once it is durable.
    late_ids: list[int] = field(default_factory=list)


def merge(entries: list[Entry]) -> Batch:
    """One batch of all entries; of several changes to one run the last wins."""
    batch = Batch()
    for entry in entries:
        batch.rows += entry.rows
        batch.messages += entry.messages
        batch.mail += entry.mail
        batch.inbox_ids += entry.inbox_ids
        if entry.change is not None:
            batch.changes[entry.driver.run_id] = entry.change
    return batch
