"""The database of the simulation: every method is one statement of engine/store, with the same conditions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core.events import RunEvent, RunQueued, RunRetried, decode_event, encode_event, event_type
from tests.simulation.audit import Audit
from tests.simulation.protocol import Mutant

START = datetime(2027, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
OVER = ("succeeded", "failed", "cancelled", "timed_out")


class DuplicateEvent(Exception):
    """The journal has an event of this run and number already."""


@dataclass
class WorkerRow:
    """An incarnation: lease and fence of its runs."""

    heartbeat_at: datetime
    alive: bool = True


@dataclass
class RunRow:
    """A run. It holds a concurrency slot where `slot_at` is set and it has not ended."""

    id: str
    flow: str
    status: str = "queued"
    owner: int | None = None
    wake_at: datetime | None = None
    attempt: int = 1
    parent: str | None = None
    parent_step: str | None = None
    key: str | None = None
    slot_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER


@dataclass
class Change:
    """What a commit changes in a run's row."""

    status: str
    wake_at: datetime | None = None
    is_released: bool = False


@dataclass
class Batch:
    """What one commit writes: events by (run, seq), run rows, outbox, mail to other runs, inbox rows taken."""

    rows: list[tuple[str, int, RunEvent]] = field(default_factory=list)
    changes: dict[str, Change] = field(default_factory=dict)
    messages: list[tuple[str, str, datetime | None]] = field(default_factory=list)
    mail: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    inbox_ids: list[int] = field(default_factory=list)


class Store:
    """Tables and statements. `now` is the clock of everybody."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.now = START
        self.workers: dict[int, WorkerRow] = {}
        self.runs: dict[str, RunRow] = {}
        self.journal: dict[str, list[tuple[int, bytes]]] = {}
        self.written_by: dict[tuple[str, int], int | None] = {}
        self.outbox: dict[int, tuple[str, str, datetime | None]] = {}
        self.inbox: dict[int, tuple[str, str, dict[str, Any]]] = {}
        self.dedup: dict[tuple[str, str], str] = {}
        self.approvals: dict[tuple[str, str], str] = {}
        # Approvals whose rows somebody's transaction has, with what it decides; those that were to be cancelled then.
        self.deciding: dict[tuple[str, str], str] = {}
        self.contested: set[tuple[str, str]] = set()
        self._serial = 0
        self.audit = Audit(self)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def tell(self, kind: str, run_id: str, at: datetime | None = None) -> None:
        """A row of the outbox."""
        self.outbox[self._next()] = kind, run_id, at

    def events(self, run_id: str) -> list[RunEvent]:
        """The run's journal."""
        return [decode_event(payload) for _, payload in sorted(self.journal[run_id], key=lambda row: row[0])]

    # Starts and retries.

    def accept(self, flow: str, scope: str, key: str, parent: tuple[str, str] | None = None) -> str:
        """Accept a start; under a key that was used already, the run that was started with it."""
        if (scope, key) in self.dedup:
            return self.dedup[scope, key]
        run_id = f"run{self._next()}"
        if parent is None or self.mutant is not Mutant.CHILD_WITHOUT_DEDUP:
            self.dedup[scope, key] = run_id
        run = self.runs[run_id] = RunRow(run_id, flow)
        if parent is not None:
            run.parent, run.parent_step = parent
        queued = RunQueued(at=self.now, trigger={}, input={}, workflow={}, reason="accepted")
        self.journal[run_id] = [(1, encode_event(queued))]
        self.written_by[run_id, 1] = None
        self.tell("dispatch", run_id)
        self.audit.note_child(run, key)
        return run_id

    def retry(self, run_id: str) -> bool:
        """Let an ended run go on; messages that came too late for its last round go."""
        run = self.runs[run_id]
        is_waited_for = any(asked[0] == run_id for asked in self.deciding)
        if not run.is_over or run.status == "succeeded" or is_waited_for:
            return False
        run.status, run.attempt, run.owner, run.wake_at = "queued", run.attempt + 1, None, None
        run.key = run.slot_at = None
        seq = max(number for number, _ in self.journal[run_id]) + 1
        self.journal[run_id].append((seq, encode_event(RunRetried(at=self.now, attempt=run.attempt))))
        self.written_by[run_id, seq] = None
        self.drop([row_id for row_id, row in self.inbox.items() if row[0] == run_id and not self._is_kept(row)])
        self.tell("dispatch", run_id)
        return True

    def _is_kept(self, row: tuple[str, str, dict[str, Any]]) -> bool:
        """Whether a message for a run that has ended is for its next round."""
        run_id, kind, _ = row
        can_go_on = self.runs[run_id].status != "succeeded" and self.mutant is not Mutant.LATE_SIGNAL_LOST
        return kind == "signal" and can_go_on

    # Workers.

    def register(self) -> int:
        """A new incarnation."""
        worker_id = self._next()
        self.workers[worker_id] = WorkerRow(self.now)
        return worker_id

    def beat(self, worker_id: int) -> bool:
        """Renew a lease; False for a worker that was declared dead."""
        row = self.workers[worker_id]
        if row.alive:
            row.heartbeat_at = self.now
        return row.alive

    def bury_silent(self, seconds: float) -> None:
        """Fence workers that have been silent, and free their runs."""
        for worker_id, row in self.workers.items():
            if row.alive and row.heartbeat_at < self.now - timedelta(seconds=seconds):
                row.alive = False
                if self.mutant is not Mutant.BURIED_KEEPS_RUNS:
                    self.free(worker_id, [run.id for run in self.runs.values() if run.owner == worker_id])

    def free(self, worker_id: int, run_ids: Iterable[str]) -> None:
        """Give runs of a worker back to everybody."""
        for run_id in run_ids:
            if self.runs[run_id].owner == worker_id:
                self.runs[run_id].owner = None
                self.tell("dispatch", run_id)

    def has_mail(self, run_id: str) -> bool:
        """Whether something lies in the run's inbox."""
        return any(row[0] == run_id for row in self.inbox.values())

    def _is_to_end(self, run_id: str) -> bool:
        """Whether a request to cancel the run lies in its inbox."""
        return any(row[:2] == (run_id, "cancel") for row in self.inbox.values())

    def _is_runnable(self, run: RunRow) -> bool:
        if run.owner is not None and self.mutant is not Mutant.CLAIM_WITHOUT_OWNER:
            return False
        if run.wake_at is None:
            return run.status in ("queued", "running")
        return run.wake_at <= self.now or (self.mutant is not Mutant.WAKE_UP_LOST and self.has_mail(run.id))

    def claim(self, worker_id: int, run_ids: Iterable[str]) -> list[RunRow]:
        """Take those of the runs that are runnable; none for a worker declared dead."""
        if not self.workers[worker_id].alive:
            return []
        claimed = [self.runs[run_id] for run_id in run_ids if self._is_runnable(self.runs[run_id])]
        for run in claimed:
            run.owner = worker_id
            if run.status == "waiting" and run.wake_at is not None and run.wake_at <= self.now:
                run.status = "running"
            if run.wake_at is not None:
                run.wake_at = min(run.wake_at, self.now)
        return claimed

    def find_runnable(self) -> list[str]:
        """The sweep: every run that waits for a worker."""
        return [run.id for run in self.runs.values() if run.owner is None and self._is_runnable(run)]

    def find_due(self) -> list[str]:
        """Suspended runs that are due."""
        due = [r for r in self.runs.values() if r.owner is None and r.wake_at is not None and r.wake_at <= self.now]
        return [run.id for run in due]

    def rest(self, worker_id: int, run_id: str, status: str, wake_at: datetime) -> None:
        """Give up a run that only waits."""
        run = self.runs[run_id]
        if run.owner == worker_id:
            run.owner, run.status = None, status
            run.wake_at = self._wake_at(run, wake_at, status, ())
            self._tell_again(run)

    def _wake_at(self, run: RunRow, wake_at: datetime, status: str, taken: Iterable[int]) -> datetime | None:
        if status == "queued" and run.slot_at is not None:
            return None
        left = [row for row_id, row in self.inbox.items() if row[0] == run.id and row_id not in taken]
        return self.now if left and self.mutant is not Mutant.WAKE_UP_LOST else wake_at

    # The journal.

    def commit(self, worker_id: int, batch: Batch, *, is_checked: bool = False) -> bool:
        """Write the batch, all or nothing, while the worker is alive (False: it is not).

        `is_checked`: a mutant looked before, and looks no more. Raises DuplicateEvent.
        """
        is_fenced = self.mutant is not Mutant.NO_FENCE and not is_checked
        if is_fenced and not self.workers[worker_id].alive:
            return False
        if self.mutant is not Mutant.BLIND_WRITE:
            for run_id, seq, _ in batch.rows:
                if (run_id, seq) in self.written_by:
                    raise DuplicateEvent(run_id, seq)
        self.audit.check_commit(worker_id, batch)
        for run_id, seq, event in batch.rows:
            self.journal[run_id].append((seq, encode_event(event)))
            self.written_by[run_id, seq] = worker_id
            self._note_approval(run_id, event)
        for run_id, change in batch.changes.items():
            self._change(worker_id, run_id, change, batch.inbox_ids)
        for message in batch.messages:
            self.tell(*message)
        if self.mutant is not Mutant.CHILD_END_LOST:
            self.post(batch.mail)
        self.drop(batch.inbox_ids)
        self.audit.check_journals({run_id for run_id, _, _ in batch.rows})
        return True

    def is_committed(self, worker_id: int, batch: Batch) -> bool:
        """Whether the worker's batch is in the journal."""
        run_id, seq, _ = batch.rows[0]
        return self.written_by.get((run_id, seq)) == worker_id

    def _change(self, worker_id: int, run_id: str, change: Change, taken: Iterable[int]) -> None:
        run = self.runs[run_id]
        if run.owner != worker_id and self.mutant is not Mutant.NO_FENCE:
            return
        run.status, run.wake_at = change.status, change.wake_at
        if change.is_released:
            if change.wake_at is not None:
                dropped = self.mutant is Mutant.TIMER_DROPPED and run.status != "queued"
                run.wake_at = self._wake_at(run, NEVER if dropped else change.wake_at, change.status, taken)
            run.owner = None
            if not run.is_over:
                self._tell_again(run)

    def _tell_again(self, run: RunRow) -> None:
        """Of a run that is given up, where it is due: whoever was told of it before found it owned."""
        lost = Mutant.SLOT_BELL_LOST if run.wake_at is None else Mutant.MAIL_BELL_LOST
        if (run.wake_at is None or run.wake_at <= self.now) and self.mutant is not lost:
            self.tell("dispatch", run.id)

    def _note_approval(self, run_id: str, event: RunEvent) -> None:
        """Whoever is deciding an approval has its row, and nobody waits for them: it is left as it is."""
        kind, reason, asked = event_type(event), event.reason, (run_id, getattr(event, "step", ""))
        if kind == "step.waiting" and reason == "approval":
            self.approvals[asked] = "pending"
        elif asked not in self.approvals:
            return
        elif kind in ("step.succeeded", "step.failed"):
            self.approvals[asked] = reason
        elif kind == "step.cancelled" and asked in self.deciding:
            if self.mutant is not Mutant.CONTESTED_FORGOTTEN:
                self.contested.add(asked)
        elif kind == "step.cancelled" and self.approvals[asked] == "pending":
            self.approvals[asked] = kind

    # Inboxes.

    def post(self, mail: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Leave messages for runs that have not ended."""
        for run_id, kind, payload in mail:
            if not self.runs[run_id].is_over:
                row_id = self._next()
                self.inbox[row_id] = run_id, kind, payload
                self.tell("inbox", run_id)
                self.audit.note_message(row_id, run_id, kind, payload)

    def decide(self, run_id: str, step: str, decision: str) -> bool:
        """Decide an approval that nobody has decided."""
        asked = run_id, step
        return self.begin_deciding(asked, decision) and self.end_deciding(asked)

    def begin_deciding(self, asked: tuple[str, str], decision: str) -> bool:
        """Somebody decides an approval that nobody has decided; until their transaction ends, nobody sees it."""
        known = self.approvals.get(asked)
        if known != "pending" and not (self.mutant is Mutant.DECIDED_TWICE and known == "decided"):
            return False
        if asked in self.deciding or self.runs[asked[0]].is_over:
            return False
        self.deciding[asked] = decision
        return True

    def end_deciding(self, asked: tuple[str, str], *, is_committed: bool = True) -> bool:
        """The transaction of who decides an approval ends; whether it committed."""
        decision, was_contested = self.deciding.pop(asked), asked in self.contested
        self.contested.discard(asked)
        if is_committed:
            self.approvals[asked] = "decided"
            self.post([(asked[0], "approval", {"step": asked[1], "decision": decision})])
        elif was_contested:
            self.approvals[asked] = "step.cancelled"
        return is_committed

    def expire(self, worker_id: int, run_id: str, steps: Iterable[str]) -> frozenset[str]:
        """Let approvals of a worker's run time out that nobody has decided or is deciding: nobody can any more."""
        expired = set()
        for step in steps:
            asked = run_id, step
            if self.approvals[asked] == "pending" and asked not in self.deciding:
                if self.runs[run_id].owner == worker_id:
                    expired.add(step)
                    self.approvals[asked] = "pending" if self.mutant is Mutant.EXPIRY_NOT_KEPT else "timed_out"
            elif self.approvals[asked] == "timed_out":
                expired.add(step)
        return frozenset(expired)

    def drop(self, row_ids: Iterable[int]) -> None:
        """Delete messages."""
        for row_id in row_ids:
            self.inbox.pop(row_id, None)

    def tidy(self) -> None:
        """Late messages go, and children whose parents have ended are cancelled."""
        late = [row_id for row_id, row in self.inbox.items() if self.runs[row[0]].is_over and not self._is_kept(row)]
        self.drop(late)
        for run in self.runs.values():
            is_orphan = run.parent is not None and self.runs[run.parent].is_over
            if is_orphan and not run.is_over and not self._is_to_end(run.id):
                self.post([(run.id, "cancel", {"reason": "parent_ended"})])

    # Concurrency slots.

    def holders(self, key: str) -> list[str]:
        """The runs that hold a slot."""
        return [r.id for r in self.runs.values() if r.key == key and r.slot_at is not None and not r.is_over]

    def take_slot(self, run: RunRow, key: str, limit: int) -> list[str]:
        """Give the run a slot; whoever holds them where all are taken, or others wait for them."""
        holders = self.holders(key)
        waiting = [r for r in self.runs.values() if r.key == key and r.slot_at is None and not r.is_over and r != run]
        run.key = key
        if (len(holders) >= limit or waiting) and self.mutant is not Mutant.SLOTS_UNLOCKED:
            return holders or [waiting[0].id]
        run.slot_at = self.now
        return []

    def grant_slots(self, limit: int = 1) -> None:
        """Give free slots to those that have waited the longest."""
        for key in {run.key for run in self.runs.values() if run.key is not None}:
            free = limit - len(self.holders(key))
            waiting = [run for run in self.runs.values() if run.key == key and run.slot_at is None and not run.is_over]
            waiting = [run for run in waiting if not self._is_to_end(run.id)]
            for run in waiting[: max(free, 0)]:
                run.slot_at = self.now
                if run.owner is None:
                    run.wake_at = None
                self.tell("dispatch", run.id)
