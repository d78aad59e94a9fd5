"""Runs for which some work fails: each is loaded anew, ended as any other is, or given back for whoever takes it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from engine.core.events import ErrorInfo
from engine.core.observations import BegunAttempt, RunBroken
from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.store.runs import ClaimedRun
from engine.worker.driver import Driver
from engine.worker.flusher import RejectedEntry, RunLost, WorkerFenced
from engine.worker.handover import until_committed, until_quiet
from engine.worker.host import Host, RefusedResult, Work
from engine.worker.loading import MAX_CRASHES, BrokenRun, RunLoader
from engine.worker.slots import SlotKeeper

_log = structlog.get_logger()


class Breakdowns:
    """Sees to the runs of a worker that broke. `owned`: from the claim to the commit that gives them up.

    `begin` drives a run that was loaded anew; `look_after` has others see to what the end of one may have left.
    """

    def __init__(
        self,
        host: Host,
        *,
        loader: RunLoader,
        slots: SlotKeeper,
        drivers: Mapping[UUID, Driver],
        owned: set[UUID],
        begin: Callable[[Driver, dict[str, Any]], None],
        look_after: Callable[[], None],
    ) -> None:
        self._host = host
        self._loader = loader
        self._slots = slots
        self._drivers = drivers
        self._owned = owned
        self._begin = begin
        self._look_after = look_after

    async def guard(self, driver: Driver, work: Work) -> None:
        """Do the work, and see to its failures."""
        try:
            await self._settle(driver, work)
        except DATABASE_ERRORS as error:
            # The journal has all that counts: whoever claims the run next goes on from there.
            _log.warning("run_given_back", run_id=driver.run_id, error=repr(error))
            driver.abandon()
            await until_committed(driver)
            self.give_up(driver.run.id)

    async def _settle(self, driver: Driver, work: Work) -> None:
        """Do the work, and see to its failures; raises DATABASE_ERRORS of a database that is away."""
        was_abandoned = driver.is_abandoned
        try:
            await work()
        except (WorkerFenced, RunLost):
            driver.abandon()
            self.give_up(driver.run.id)
        except RefusedResult as refusal:
            if driver.is_abandoned and not was_abandoned:
                # Somebody sees to it already.
                return
            # Of no attempt that could fail in its place: the run itself does.
            reason = "run_too_large" if refusal.error.code == "run_too_large" else "internal_error"
            await self._break_off(driver, BrokenRun(reason, refusal.error))
        except Exception as error:
            if driver.is_abandoned and not was_abandoned:
                return
            if is_transient(error):
                raise
            _log.exception("driver_failed", run_id=driver.run_id)
            info = ErrorInfo(code="internal_error", message=f"FlowForge could not go on with the run: {error!r}")
            await self._break_off(driver, BrokenRun("internal_error", info))

    def reload(self, driver: Driver, refused: dict[tuple[str, int], ErrorInfo]) -> None:
        """Load the run anew from its journal, failing those attempts whose results were refused."""
        if not driver.is_abandoned:
            driver.abandon()
            self._host.spawn(driver, partial(self._reload, driver, refused))

    async def _reload(self, driver: Driver, refused: dict[tuple[str, int], ErrorInfo]) -> None:
        run = await self._loader.read_anew(driver)
        try:
            fresh = await self._loader.load(self._host, run, refused)
        except BrokenRun as broken:
            await self.end(run, broken, driver.attempts.begun)
        else:
            # What it had begun may have had its effect, though the journal has nothing of it.
            fresh.attempts.begun = driver.attempts.begun
            self._begin(fresh, (await self._loader.read_variables([fresh])).get(run.id, {}))

    async def _break_off(self, driver: Driver, broken: BrokenRun) -> None:
        """End a run whose driver has come to where it cannot go on."""
        driver.abandon()
        # A run that is being started for it now could not be cancelled with it.
        await until_quiet(driver)
        await self.end(await self._loader.read_anew(driver), broken, driver.attempts.begun)

    async def end(self, run: ClaimedRun, broken: BrokenRun, begun: Mapping[str, BegunAttempt] | None = None) -> None:
        """End a run that cannot go on; `begun` are its attempts that may have had their effect, by steps."""
        if self._loader.has_ended(run):
            # It broke after its last commit: nothing of the run is left to fail.
            self._owned.discard(run.id)
            return
        self._slots.note_broken(run)
        _log.error("run_broken", run_id=str(run.id), reason=broken.reason, error=broken.error.message)
        try:
            if not await self._end_whole(run, broken, begun or {}):
                entry = self._loader.failure_entry(run, broken, self._host.clock.now())
                await self._host.submit(entry)
        except RunLost:
            self.give_up(run.id)
        except RejectedEntry as error:
            self._owned.discard(run.id)
            _log.critical("run_stuck", run_id=str(run.id), error=str(error))
        else:
            # Runs that nobody knows it has started, approvals of steps that nobody could end.
            self._look_after()

    async def _end_whole(self, run: ClaimedRun, broken: BrokenRun, begun: Mapping[str, BegunAttempt]) -> bool:
        """End the run with all that belongs to it; False where its journal cannot be read, or it is not to be tried."""
        if run.crashes > MAX_CRASHES:
            # Its end has killed a worker as well.
            return False
        try:
            driver = await self._loader.load_to_end(self._host, run)
        except BrokenRun:
            return False
        driver.attempts.begun = dict(begun)
        try:
            await driver.take_in(RunBroken(at=self._host.clock.now(), error=broken.error, reason=broken.reason))
        except (WorkerFenced, RunLost):
            raise
        except Exception as error:
            if is_transient(error):
                raise
            _log.exception("end_failed", run_id=driver.run_id)
            return self._loader.has_ended(await self._loader.read_anew(driver))
        return driver.state.is_over

    def give_up(self, run_id: UUID) -> None:
        """The run is not ours any more. Should the database say that it is, it is given back for whoever takes it."""
        if run_id not in self._drivers:
            self._owned.discard(run_id)
            self._slots.forget(run_id)
            self._look_after()
