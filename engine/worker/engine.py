"""The engine of one worker process: all its parts, wired together, and the life of its runs in memory."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from redis.asyncio import Redis

from engine.core.decisions import StartAttempt, StartChild
from engine.core.events import ErrorInfo
from engine.core.observations import AttemptOngoing, ChildRefused, ChildStarted, FullSlots, Observation
from engine.infra import metrics
from engine.infra.bell import OutboxBell
from engine.infra.broker import Doorbell
from engine.infra.clock import Clock, DatabaseClock
from engine.infra.database import DATABASE_ERRORS, connect, is_transient
from engine.infra.http_client import HttpClient
from engine.infra.redis import REDIS_ERRORS
from engine.infra.settings import Settings
from engine.store.leases import hand_back, put_to_rest
from engine.store.runs import ClaimedRun, list_owned
from engine.store.slots import SlotRequest
from engine.worker.admission import Admission
from engine.worker.attempts import AttemptRunner
from engine.worker.breakdowns import Breakdowns
from engine.worker.children import ChildStarter
from engine.worker.claimer import FLUSHER_LIMIT, UNCOMMITTED_LIMIT, Claimer
from engine.worker.connections import connect_for_journal, connect_lazily
from engine.worker.credentials import Credentials
from engine.worker.driver import Driver
from engine.worker.errands import Errands
from engine.worker.fair_slots import FairSlots
from engine.worker.flusher import Entry, Flusher, WorkerFenced
from engine.worker.handover import HandOver
from engine.worker.host import Message, Work
from engine.worker.housekeeping import keep_house
from engine.worker.lease import Lease
from engine.worker.live import LiveEvents
from engine.worker.loading import BrokenRun, RunLoader
from engine.worker.mailroom import Mailroom
from engine.worker.recovery import Recovery
from engine.worker.slots import SlotKeeper
from engine.worker.targets import TargetSlots
from engine.worker.timekeeper import Timekeeper
from engine.worker.turns import Turns

_log = structlog.get_logger()


class Engine:
    """One incarnation of a worker: `run` until cancelled, or until it is declared dead (WorkerFenced)."""

    def __init__(self, settings: Settings, redis: Redis, http: HttpClient) -> None:
        self._settings = settings
        self._doorbell = Doorbell(redis)
        self._bell = OutboxBell(settings)
        self.suspend_after = timedelta(seconds=settings.suspend_after_seconds)
        self._database_clock = DatabaseClock()
        self.clock: Clock = self._database_clock
        self.is_draining = False
        self._drivers: dict[UUID, Driver] = {}
        # From the claim to the commit that gives the run up: longer than it has a driver.
        self._owned: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = Turns()
        self._admission = Admission(settings.max_active_runs, self._turns)
        self._live = LiveEvents(redis)
        places = FairSlots(settings.http_max_in_flight, turns=self._turns)
        self._lease = Lease(
            lambda: connect_lazily(settings, "worker-lease"),
            self._database_clock,
            beat_seconds=settings.worker_heartbeat_seconds,
            ttl_seconds=settings.worker_ttl_seconds,
            count_in_flight=places.count,
        )
        self._credentials = Credentials(settings, http, lambda: self._loader.connected())  # noqa: PLW0108 - it is made later
        self._attempts = AttemptRunner(
            clock=self.clock,
            http=http,
            slots=places,
            targets=TargetSlots(settings.http_limit_per_host) if settings.http_limit_per_host else None,
            lease=self._lease,
            on_ongoing=self._note_ongoing,
            on_start=self.announce_start,
            credentials=self._credentials,
        )
        self._flusher: Flusher
        self._claimer: Claimer
        self._breakdowns: Breakdowns
        self._recovery: Recovery
        self._loader: RunLoader
        self._children: ChildStarter
        self._errands: Errands
        self._mail: Mailroom
        self._slots: SlotKeeper
        self._timekeeper = Timekeeper(lambda: connect_lazily(settings, "worker-timers"), self._ring)

    async def run(self, ready: asyncio.Event) -> None:
        """Take the lease and work until cancelled; `ready` is set once runs can be taken."""
        await self._lease.acquire()
        worker_id = self._lease.worker_id
        structlog.contextvars.bind_contextvars(worker_id=worker_id)
        self._flusher = Flusher(
            worker_id,
            partial(connect_for_journal, self._settings),
            on_commit=self._on_commit,
            on_contested=self._cancel_approvals,
            bell=self._bell,
        )
        self._recovery = recovery = Recovery(worker_id=worker_id, ttl_seconds=self._settings.worker_ttl_seconds)
        self._loader = RunLoader(self._settings)
        self._errands = Errands(self._loader.connected)
        self._children = ChildStarter(self._loader.connected, self.clock)
        self._mail = Mailroom(self._drivers, self._loader, self.clock, spawn=self.spawn)
        self._slots = SlotKeeper(self._loader.connected, ring=self._bell.ring)
        self._claimer = Claimer(
            lambda: connect_lazily(self._settings, "worker-claims"),
            worker_id=worker_id,
            places=self._admission.places,
            may_claim=self._may_claim,
            count_claimable=self._count_claimable,
            take=self._take,
            look_after=recovery.look,
            reconcile=self._reconcile,
            on_reconnect=recovery.note_reconnect,
            sweep_seconds=self._settings.sweep_seconds,
        )
        self._breakdowns = Breakdowns(
            self,
            loader=self._loader,
            slots=self._slots,
            drivers=self._drivers,
            owned=self._owned,
            begin=self._begin,
            look_after=self._claimer.reconcile_soon,
        )
        _log.info("worker_started", worker_id=worker_id)
        ready.set()
        try:
            async with asyncio.TaskGroup() as duties:
                for duty in (
                    self._lease.run(lambda connection: self._mail.deliver(connection, worker_id)),
                    self._flusher.run(),
                    self._claimer.run(),
                    self._timekeeper.run(),
                    self._live.run(),
                    self._slots.run(),
                    self._bell.run(),
                ):
                    duties.create_task(duty)
        except* WorkerFenced:
            _log.warning("worker_fenced", runs=len(self._drivers))
            raise WorkerFenced from None
        finally:
            await self._close()

    async def activate(self, run_ids: list[UUID], _traceparent: str | None = None) -> None:
        """Runs that may be runnable, by the doorbell."""
        self._claimer.announce(run_ids)

    async def sweep(self) -> None:
        """Look for runnable runs now."""
        self._claimer.sweep_soon()

    def note_relay_turn(self, is_awaited: bool) -> None:
        """The relay has read the outbox, and says whether anybody waits for events of runs."""
        self._bell.note_turn(is_awaited)

    def read_inbox_soon(self, run_id: UUID) -> None:
        """Something lies in the inbox of a run: read it, where the run is ours."""
        if run_id in self._drivers:
            self._lease.beat_now()

    async def drain(self, seconds: float) -> None:
        """Take nothing more, let attempts in flight end within `seconds`, and hand every run on."""
        self.is_draining = True
        connecting = partial(connect, self._settings, name="worker-drain")
        hand_over = HandOver(connecting, self._lease.worker_id, self._bell)
        try:
            await hand_over.hand_back_idle(self._drivers, self._owned, seconds)
            left = len(self._drivers)
            self._abandon_all()
            await self._flusher.drain()
            freed = await hand_over.hand_back_all()
            _log.info("worker_drained", broken_off=left, handed_back=freed)
        finally:
            hand_over.close()

    # What drivers ask of their host.

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue an entry for the next commit."""
        return self._flusher.submit(entry)

    async def perform(self, driver: Driver, start: StartAttempt) -> Observation:
        """Make one attempt."""
        return await self._attempts.perform(driver, start)

    def spawn(self, driver: Driver, work: Work) -> asyncio.Task[None]:
        """Have the driver do some work in a task; what it raises ends the run's life in this worker."""
        task = asyncio.get_running_loop().create_task(self._breakdowns.guard(driver, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self, driver: Driver) -> None:
        """The run has ended, or is given up."""
        if self._drivers.get(driver.run.id) is driver:
            del self._drivers[driver.run.id]
            metrics.RUNS_ACTIVE.set(len(self._drivers))
            self._admission.places.give_back(driver.workspace)
            self._claimer.note_end()

    def reload(self, driver: Driver, refused: dict[tuple[str, int], ErrorInfo]) -> None:
        """Load the run anew from its journal, failing those attempts whose results were refused."""
        self._breakdowns.reload(driver, refused)

    def announce_start(self, driver: Driver, start: StartAttempt) -> None:
        """Tell whoever watches the run that an attempt starts."""
        self._live.hint_started(driver.run.id, start, self.clock)

    async def start_child(self, driver: Driver, start: StartChild) -> ChildStarted | ChildRefused:
        """Start the run that a step asks for, or find the one that was started for it before."""
        started = await self._children.start(driver.run, start, driver.traceparent)
        self._bell.ring()
        return started

    async def cancel_child(self, driver: Driver, run_id: str) -> None:
        """Cancel a run that was started for a step which has ended meanwhile."""
        await self._errands.cancel_child(UUID(run_id), driver.run.workspace_id)
        self._bell.ring()

    async def drop_messages(self, inbox_ids: Sequence[int]) -> None:
        """Throw away messages that have no effect."""
        await self._errands.drop_messages(inbox_ids)

    async def expire_approvals(self, driver: Driver, steps: Sequence[str]) -> frozenset[str]:
        """Keep everybody from deciding these approvals of the run, which are due; those that nobody has decided."""
        return await self._errands.expire_approvals(driver.run.id, steps, self._lease.worker_id)

    async def put_to_rest(self, driver: Driver, wake_at: datetime) -> None:
        """Give up a run that only waits, without anything to journal."""
        # Unknown here before it is free: should this fail, it is given back instead.
        self._owned.discard(driver.run.id)
        self._slots.forget(driver.run.id)
        try:
            pool = await self._loader.connected()
            if await put_to_rest(pool, self._lease.worker_id, driver.run.id, driver.state.status, wake_at):
                self._bell.ring()
            self._claimer.note_durable([driver.run.id])
        except DATABASE_ERRORS as error:
            if not is_transient(error):
                raise
            _log.warning("rest_interrupted", run_id=driver.run_id, error=repr(error))
            self._breakdowns.give_up(driver.run.id)

    # The life of runs.

    def _may_claim(self) -> bool:
        return not self.is_draining and self._flusher.depth <= FLUSHER_LIMIT and self._lease.is_fresh

    def _count_claimable(self, workspace: int) -> int:
        return min(self._admission.count_claimable(workspace), UNCOMMITTED_LIMIT - self._flusher.count(workspace))

    async def _take(self, connection: asyncpg.Connection, claimed: list[ClaimedRun]) -> None:
        # What is at work here was ours before a crash of the database took the claim back: now it is again.
        claimed = [run for run in claimed if run.id not in self._drivers]
        ids = [run.id for run in claimed]
        self._owned.update(ids)
        try:
            messages = await self._mail.read_for(connection, claimed)
            loaded = await self._load_all(claimed)
            requests = [request for _, _, request in loaded if request is not None]
            full = await self._slots.take(connection, self._lease.worker_id, requests)
            for driver, variables, _ in loaded:
                more: dict[str, Any] = {"full": full.get(driver.run.id), "messages": messages.get(driver.run.id, ())}
                begin = partial(self._begin, driver, variables, **more)
                self._admission.admit(driver.workspace, begin, self._claimer.claim_soon)
        except BaseException:
            # The database went away in the middle: what has no driver is given back by the next reconciliation.
            self._owned.difference_update(set(ids) - self._drivers.keys())
            raise

    async def _load_all(self, claimed: list[ClaimedRun]) -> list[tuple[Driver, dict[str, Any], SlotRequest | None]]:
        """Drivers of claimed runs, with their variables and the concurrency slots that they need."""
        drivers, broken = await self._loader.load_all(self, claimed)
        loaded = []
        for driver, variables in drivers:
            try:
                loaded.append((driver, variables, self._slots.find_request(driver, variables)))
            except BrokenRun as error:
                broken.append((driver.run, error))
        for run, reason in broken:
            await self._breakdowns.end(run, reason)
        return loaded

    async def _reconcile(self, connection: asyncpg.Connection) -> None:
        """Give back runs that the database holds for ours and nobody here knows of: a claim's answer was lost.

        Before that, see to what the dead have left.
        """
        if await self._recovery.free_stranded(connection) + await keep_house(connection, self._slots):
            self._bell.ring()
        unknown = set(await list_owned(connection, self._lease.worker_id)) - self._owned
        if unknown:
            _log.warning("runs_given_back", runs=len(unknown))
            await hand_back(connection, self._lease.worker_id, list(unknown))
            self._bell.ring()

    def _begin(
        self,
        driver: Driver,
        variables: dict[str, Any],
        *,
        full: FullSlots | None = None,
        messages: Sequence[Message] = (),
    ) -> None:
        self._turns.note_end()
        if driver.run.id in self._drivers:
            return
        driver.inbox_seen.update(message.inbox_id for message in messages)
        self._drivers[driver.run.id] = driver
        self._owned.add(driver.run.id)
        self._admission.places.take(driver.workspace)
        metrics.RUNS_ACTIVE.set(len(self._drivers))
        self.spawn(driver, partial(driver.begin, variables, full=full, messages=messages))

    async def _close(self) -> None:
        self._abandon_all()
        self._lease.close()
        await self._credentials.close()
        await self._loader.close()

    def _abandon_all(self) -> None:
        self._admission.abandon()
        for driver in list(self._drivers.values()):
            driver.abandon()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()

    # What happens around them.

    def _on_commit(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.change is not None and entry.change.is_released:
                if entry.run_id not in self._drivers:
                    # Else it was claimed anew before this commit, whose answer was lost, was known to be one.
                    self._owned.discard(entry.run_id)
                self._slots.note_commit(entry)
        self._live.publish(entries)
        self._claimer.note_durable(entry.run_id for entry in entries)

    def _cancel_approvals(self, approval_ids: Sequence[UUID]) -> None:
        task = asyncio.get_running_loop().create_task(self._errands.cancel_approvals(approval_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note_ongoing(self, driver: Driver, observation: AttemptOngoing) -> None:
        if not driver.is_closed:
            self.spawn(driver, partial(driver.take_in, observation))

    async def _ring(self, run_ids: Sequence[UUID]) -> None:
        try:
            await self._doorbell.ring(run_ids)
        except REDIS_ERRORS as error:
            _log.warning("bell_not_rung", error=repr(error), runs=len(run_ids))
