"""Self-clocking group commit: while one batch commits, the next one gathers. No timer, one writer, one statement."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from engine.infra import metrics
from engine.infra.bell import OutboxBell
from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.infra.fair_queue import FairQueue
from engine.store.extras import Extras, merge_extras
from engine.store.journal import (
    Batch,
    Committed,
    JournalRow,
    OutboxMessage,
    OwnedByOther,
    RunChange,
    commit_batch,
    is_committed,
)

MAX_ROWS = 500
# Of several workspaces: while one batch commits, those wait that come next.
SHARED_ROWS = 50
SHARED_SECONDS = 5.0
# Of several workspaces, so many entries go on between two looks at what else has come.
RESOLVED_AT_ONCE = 8
MAX_BYTES = 4_194_304
LONGEST_PAUSE_SECONDS = 1.0

_log = structlog.get_logger()


class WorkerFenced(Exception):
    """The worker was declared dead: it writes nothing any more."""


class RejectedEntry(Exception):
    """PostgreSQL refuses this entry for what it holds, or an earlier one of the same run was refused."""


class RunLost(Exception):
    """The run has another owner by now, and goes on there: a crash of the database took the claim on it back."""


Refusal = RejectedEntry | RunLost


class Entry(Struct, kw_only=True, eq=False):
    """The events of one `advance`: they commit together. The future resolves after their commit.

    `workspace` is its id as a number. `answer_seq` is the event that a waiting caller is answered with.
    """

    run_id: UUID
    workspace: int
    rows: Sequence[JournalRow]
    change: RunChange | None
    messages: Sequence[OutboxMessage]
    inbox_ids: Sequence[int]
    size: int
    future: asyncio.Future[None]
    extras: Extras | None = None
    answer_seq: int | None = None


class Flusher:
    """Commits entries, those of a workspace in the order of their submission. `on_commit` hears of every batch.

    `on_contested` hears of approvals that were to be cancelled while somebody was deciding them, and `bell` is rung for
    messages.
    """

    def __init__(
        self,
        worker_id: int,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        on_commit: Callable[[Sequence[Entry]], None],
        on_contested: Callable[[Sequence[UUID]], None],
        bell: OutboxBell,
    ) -> None:
        self._worker_id = worker_id
        self._connect = connect
        self._on_commit = on_commit
        self._on_contested = on_contested
        self._bell = bell
        self._connection: asyncpg.Connection | None = None
        self._queue: FairQueue[Entry] = FairQueue()
        # Committed, and their runs do not know yet.
        self._committed: FairQueue[Entry] = FairQueue()
        self._workspace: int | None = None
        self._shared_until = 0.0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.fenced = False

    @property
    def depth(self) -> int:
        """How many entries wait for their commit."""
        return len(self._queue)

    def count(self, workspace: int) -> int:
        """How many of them are of this workspace."""
        return self._queue.count(workspace)

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue an entry. Its future fails with WorkerFenced, RunLost or RejectedEntry."""
        if self.fenced:
            entry.future.set_exception(WorkerFenced())
            return entry.future
        self._queue.push(entry.workspace, entry)
        if entry.workspace != self._workspace:
            if self._workspace is not None:
                self._shared_until = time.monotonic() + SHARED_SECONDS
            self._workspace = entry.workspace
        self._idle.clear()
        self._wake.set()
        return entry.future

    async def drain(self) -> None:
        """Wait until everything that was submitted is committed or refused."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit until cancelled, or until the worker is fenced (WorkerFenced)."""
        try:
            while True:
                await self._wake.wait()
                batch = self._gather()
                if batch:
                    await self._commit(batch, {})
                if not self._queue:
                    self._wake.clear()
                    self._idle.set()
        finally:
            self._fail_all()
            if self._connection is not None:
                self._connection.terminate()

    def _gather(self) -> list[Entry]:
        batch: list[Entry] = []
        rows = size = 0
        most = SHARED_ROWS if self._is_shared() else MAX_ROWS
        served: set[int] = set()
        # One entry of a flood may fill a small batch: the others' first ones come in all the same.
        while (
            self._queue and size < MAX_BYTES and (rows < most or (rows < MAX_ROWS and self._queue.next not in served))
        ):
            workspace, entry = self._queue.pop()
            served.add(workspace)
            batch.append(entry)
            rows += len(entry.rows)
            size += entry.size
        return batch

    async def _commit(self, entries: list[Entry], broken: dict[UUID, Refusal]) -> None:
        """Commit the entries, but for those of runs that were broken by an earlier part of the same batch."""
        if broken:
            for entry in entries:
                if entry.run_id in broken:
                    _reject(entry, broken[entry.run_id])
            entries = [entry for entry in entries if entry.run_id not in broken]
            if not entries:
                return
        started = time.perf_counter()
        try:
            await self._write(_merge(entries))
        except (RejectedEntry, RunLost) as error:
            await self._isolate(entries, error, broken)
            return
        except WorkerFenced:
            for entry in entries:
                self._queue.push(entry.workspace, entry)
            raise
        metrics.JOURNAL_FLUSH_SECONDS.observe(time.perf_counter() - started)
        metrics.JOURNAL_WAITING.set(len(self._queue))
        metrics.JOURNAL_BATCH_ROWS.observe(sum(len(entry.rows) for entry in entries))
        self._on_commit(entries)
        self._resolve(entries)

    def _resolve(self, entries: Sequence[Entry]) -> None:
        """Have the runs of committed entries go on: beside others by and by, workspaces in turn."""
        is_resolving = bool(self._committed)
        if not is_resolving and not self._is_shared():
            for entry in entries:
                _confirm(entry)
            return
        for entry in entries:
            self._committed.push(entry.workspace, entry)
        if not is_resolving:
            self._resolve_some()

    def _resolve_some(self) -> None:
        for _ in range(min(len(self._committed), RESOLVED_AT_ONCE)):
            _, entry = self._committed.pop()
            _confirm(entry)
        if self._committed:
            # Behind what these go on with, and what has come meanwhile.
            asyncio.get_running_loop().call_soon(self._resolve_some)

    def _is_shared(self) -> bool:
        return time.monotonic() < self._shared_until

    async def _write(self, batch: Batch) -> None:
        """Write the batch, over as many connections as that takes; a lost answer is looked up, never guessed."""
        pause = 0.05
        in_doubt = False
        lost: OwnedByOther | None = None
        while True:
            try:
                connection = await self._connected()
                if in_doubt and await is_committed(connection, self._worker_id, batch):
                    self._bell.ring()
                    return
                if lost is not None:
                    raise RunLost(str(lost)) from lost
                can_wait = self._can_wait(batch)
                rings = bool(batch.messages) and not can_wait and not in_doubt and self._bell.may_ring_within()
                committed = await commit_batch(connection, self._worker_id, batch, rings=rings)
            except OwnedByOther as error:
                # The first try may have committed after it was looked up: look again.
                lost = error
                continue
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise RejectedEntry(str(error)) from error
                _log.warning("commit_retried", error=repr(error), pause_seconds=pause)
                self._disconnect()
                in_doubt = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            self._check(committed, batch)
            if can_wait and committed.messages <= len(batch.messages):
                self._bell.ring_later()
            elif committed.messages and not rings:
                self._bell.ring()
            if committed.contested:
                self._on_contested(committed.contested)
            return

    def _can_wait(self, batch: Batch) -> bool:
        """Whether the batch only tells of runs what nobody waits for: a turn of the relay less for a run alone."""
        return (
            bool(batch.messages)
            and not self._bell.is_awaited
            and all(message.kind == "event" for message in batch.messages)
        )

    def _check(self, committed: Committed, batch: Batch) -> None:
        if not committed.is_alive:
            self.fenced = True
            metrics.FENCED_WRITES.inc()
            raise WorkerFenced
        if committed.events != len(batch.rows) or committed.runs != len(batch.changes):
            _log.error("commit_incomplete", events=committed.events, runs=committed.runs, rows=len(batch.rows))

    async def _isolate(self, entries: list[Entry], error: Refusal, broken: dict[UUID, Refusal]) -> None:
        """Halve the batch until what PostgreSQL refuses is alone; the rest commits."""
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._commit(entries[:middle], broken)
            await self._commit(entries[middle:], broken)
            return
        run_id = entries[0].run_id
        if isinstance(error, RunLost):
            _log.warning("run_lost", run_id=str(run_id), error=str(error))
        else:
            _log.error("entry_rejected", run_id=str(run_id), error=str(error))
        # What the run had submitted after it builds on it, and would leave a gap in the journal.
        broken[run_id] = error
        later = [entry for entry in self._queue if entry.run_id == run_id]
        for entry in later:
            self._queue.discard(entry.workspace, entry)
        for entry in [*entries, *later]:
            _reject(entry, error)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _fail_all(self) -> None:
        self.fenced = True
        for entry in self._queue:
            if not entry.future.done():
                entry.future.set_exception(WorkerFenced())
        self._queue.clear()
        self._idle.set()


def _confirm(entry: Entry) -> None:
    if not entry.future.done():
        entry.future.set_result(None)


def _reject(entry: Entry, error: Refusal) -> None:
    if not entry.future.done():
        entry.future.set_exception(error)


def _merge(entries: Sequence[Entry]) -> Batch:
    """One batch of all entries; of several changes to one run the last wins, but a start is kept."""
    changes: dict[UUID, RunChange] = {}
    for entry in entries:
        change = entry.change
        if change is None:
            continue
        earlier = changes.get(change.run_id)
        if earlier is not None and change.started_at is None:
            change.started_at = earlier.started_at
        changes[change.run_id] = change
    extras = [entry.extras for entry in entries if entry.extras is not None]
    return Batch(
        rows=[row for entry in entries for row in entry.rows],
        changes=list(changes.values()),
        messages=[message for entry in entries for message in entry.messages],
        inbox_ids=[inbox_id for entry in entries for inbox_id in entry.inbox_ids],
        extras=merge_extras(extras) if extras else None,
    )
