"""Concurrency slots from a worker's side: asked for when a run is claimed, passed on when it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from engine.core.concurrency import evaluate_concurrency
from engine.core.events import ErrorInfo
from engine.core.expressions import ExpressionError
from engine.core.failures import describe_expression_error
from engine.core.observations import FullSlots
from engine.core.statuses import RunStatus
from engine.infra.database import DATABASE_ERRORS
from engine.store.runs import ClaimedRun
from engine.store.slots import KEYS_AT_ONCE, NO_KEY, SlotKey, SlotRequest, find_waited_for, grant_slots, take_slots
from engine.worker.driver import Driver
from engine.worker.flusher import Entry
from engine.worker.loading import BrokenRun

NAMED_HOLDERS = 5
PAUSE_SECONDS = 0.2

_log = structlog.get_logger()


class SlotKeeper:
    """Takes slots for the worker's runs, and grants those that its runs leave to whoever waits."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Pool]], *, ring: Callable[[], None]) -> None:
        self._connect = connect
        self._ring = ring
        self._keys: dict[UUID, SlotKey] = {}
        self._left: dict[SlotKey, None] = {}
        self._looked_up_to = NO_KEY
        self._wake = asyncio.Event()

    def find_request(self, driver: Driver, variables: dict[str, Any]) -> SlotRequest | None:
        """The slot that a run must have before it starts; None where it needs none, or has it. Raises BrokenRun."""
        run = driver.run
        if run.slot_at is not None and run.concurrency_key is not None:
            self._keys[run.id] = run.workflow_id, run.concurrency_key
            return None
        if driver.state.status is not RunStatus.QUEUED or run.is_test:
            # A test of a draft shall not wait for, or end, what runs in earnest.
            return None
        try:
            claim = evaluate_concurrency(driver.graph, driver.state, variables)
        except ExpressionError as error:
            raise BrokenRun("invalid_settings", describe_expression_error(error)) from error
        except ValueError as error:
            raise BrokenRun("invalid_settings", ErrorInfo(code="invalid_settings", message=str(error))) from error
        if claim is None:
            return None
        self._keys[run.id] = run.workflow_id, claim.key
        return SlotRequest(
            run_id=run.id,
            workflow_id=run.workflow_id,
            key=claim.key,
            limit=claim.limit,
            when_full=claim.when_full,
            # One that somebody retried goes on for itself: the step that started it waits for it no more.
            is_awaited=run.parent_run_id is not None and run.attempt == 1,
        )

    async def take(
        self, connection: asyncpg.Connection, worker_id: int, requests: Sequence[SlotRequest]
    ) -> dict[UUID, FullSlots]:
        """Take slots for runs of this worker; those that found all taken."""
        if not requests:
            return {}
        full = await take_slots(connection, worker_id, requests)
        if any(request.when_full == "cancel_running" and request.run_id in full for request in requests):
            self._ring()
        return {
            request.run_id: FullSlots(
                key=request.key,
                limit=request.limit,
                holders=[str(run_id) for run_id in full[request.run_id].holders[:NAMED_HOLDERS]],
                is_stuck=full[request.run_id].is_stuck,
            )
            for request in requests
            if request.run_id in full
        }

    def note_broken(self, run: ClaimedRun) -> None:
        """A run that cannot be loaded leaves its slot as well."""
        if run.slot_at is not None and run.concurrency_key is not None:
            self._keys[run.id] = run.workflow_id, run.concurrency_key

    def forget(self, run_id: UUID) -> None:
        """The run is not this worker's any more, which has not ended it."""
        self._keys.pop(run_id, None)

    def note_commit(self, entry: Entry) -> None:
        """A commit gave a run up: where it has ended, its slot is free."""
        key = self._keys.pop(entry.run_id, None)
        if key is not None and entry.change is not None and entry.change.finished_at is not None:
            self._left[key] = None
            self._wake.set()

    async def grant_forgotten(self, connection: asyncpg.Connection) -> None:
        """Grant what nobody did: whoever should have, died. Some keys at a time, and all of them in turn."""
        keys = await find_waited_for(connection, self._looked_up_to, KEYS_AT_ONCE)
        # All that some wait for for long would keep the net from those behind them.
        self._looked_up_to = keys[-1] if len(keys) == KEYS_AT_ONCE else NO_KEY
        if keys and await grant_slots(connection, keys):
            self._ring()

    async def run(self) -> None:
        """Grant slots until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            keys, self._left = list(self._left), {}
            try:
                pool = await self._connect()
                async with pool.acquire() as connection:
                    if await grant_slots(connection, keys):
                        self._ring()
            except DATABASE_ERRORS as error:
                _log.warning("grant_retried", error=repr(error))
                self._left |= dict.fromkeys(keys)
                self._wake.set()
                await asyncio.sleep(PAUSE_SECONDS)
