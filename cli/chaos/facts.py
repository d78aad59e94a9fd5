"""What can be known after a chaos run: of the senders, the database, the API and the target; all of it plain values."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cli.chaos.ledger import Effect
from cli.chaos.load import Delivery


class Event(Struct, frozen=True, kw_only=True):
    """A row of the journal, with the moment at which PostgreSQL committed it. `step` is its path, empty for the run."""

    run_id: str
    seq: int
    kind: str
    step: str
    worker_id: int | None
    committed_at: float


class RunRow(Struct, frozen=True, kw_only=True):
    """A run as it stands in the database. `n` is what it was started with."""

    id: str
    n: int
    status: str
    pause: float
    created_at: float
    started_at: float | None
    finished_at: float | None
    error: str | None


class WorkerRow(Struct, frozen=True, kw_only=True):
    """An incarnation of a worker; where it is not alive, `changed_at` is when that was committed."""

    id: int
    alive: bool
    changed_at: float


class Remainder(Struct, frozen=True, kw_only=True):
    """What is left to do in the database; all of it is zero after the calm."""

    outbox: int
    inbox: int
    owned: int
    unfinished: int


class Ingest(Struct, frozen=True, kw_only=True):
    """The accounts of inbound events by the API: what was accepted, and what became of it by the receipts."""

    accepted: int
    started: int
    duplicate: int
    filtered: int
    pending: int
    drift: int


class Tail(Struct, kw_only=True):
    """The last requests, after everything was healed: what of each role worked."""

    sent: dict[str, int] = {}
    accepted: dict[str, int] = {}
    idle_workers: list[str] = []
    # Of two relays one leads and the other stands by: both ask PostgreSQL again and again.
    silent_relays: list[str] = []


class Facts(Struct, kw_only=True):
    """Everything that the invariants are checked against."""

    deliveries: Sequence[Delivery]
    runs: Sequence[RunRow]
    events: Sequence[Event]
    workers: Sequence[WorkerRow]
    effects: Sequence[Effect]
    # As they were first seen in a terminal state: status and `finished_at`.
    first_ends: Mapping[str, tuple[str, float]]
    # What the API says: the status of every run, and of some runs the status of their steps.
    api_statuses: Mapping[str, str]
    api_steps: Mapping[str, Mapping[str, str]]
    ingest: Ingest
    remainder: Remainder
    tail: Tail
    # The largest of any process, in MiB; connections to PostgreSQL.
    memory_mib: Mapping[str, float]
    connections: int
    # What is wrong without any invariant being asked: deaths that nobody asked for, answers that must not be.
    complaints: Sequence[str]
