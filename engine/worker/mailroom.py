"""The inboxes of a worker's runs: read when a bell rings or a beat comes, and delivered to the drivers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from engine.infra.clock import Clock
from engine.store.inbox import drop_messages, read_messages, read_messages_of
from engine.store.runs import ClaimedRun
from engine.worker.driver import Driver
from engine.worker.host import Message, Work
from engine.worker.loading import RunLoader
from engine.worker.messages import read_message


class Mailroom:
    """Reads what others have for the runs in `drivers`; each message is delivered once."""

    def __init__(
        self,
        drivers: Mapping[UUID, Driver],
        loader: RunLoader,
        clock: Clock,
        *,
        spawn: Callable[[Driver, Work], Any],
    ) -> None:
        self._drivers = drivers
        self._loader = loader
        self._clock = clock
        self._spawn = spawn

    async def read_for(
        self, connection: asyncpg.Connection, claimed: Sequence[ClaimedRun]
    ) -> dict[UUID, list[Message]]:
        """What lies ready for runs that were just claimed."""
        # Runs that are new have nothing in their inboxes but for what the next heartbeat brings.
        known = [run.id for run in claimed if len(run.journal) > 1]
        return await self._decode(await read_messages_of(connection, known)) if known else {}

    async def deliver(self, connection: asyncpg.Connection, worker_id: int) -> None:
        """Read the inboxes of all the worker's runs, and hand over what is new."""
        if not self._drivers:
            return
        rows = [row for row in await read_messages(connection, worker_id) if self._is_unseen(row)]
        if not rows:
            return
        # A signal is for a further round, should there be one.
        late = [row["id"] for row in rows if self._drivers[row["run_id"]].state.is_over and row["kind"] != "signal"]
        for run_id, messages in (await self._decode(rows)).items():
            driver = self._drivers.get(run_id)
            if driver is not None and not driver.state.is_over:
                driver.inbox_seen.update(message.inbox_id for message in messages)
                self._spawn(driver, partial(driver.take, messages))
        if late:
            await drop_messages(connection, late)

    def _is_unseen(self, row: asyncpg.Record) -> bool:
        driver = self._drivers.get(row["run_id"])
        return driver is not None and not driver.is_closed and row["id"] not in driver.inbox_seen

    async def _decode(self, rows: Sequence[asyncpg.Record]) -> dict[UUID, list[Message]]:
        """The rows as messages, by run, in their order; what nobody can read is thrown away."""
        messages: dict[UUID, list[Message]] = {}
        for row in rows:
            observation = await read_message(row["kind"], row["payload"], self._clock.now(), self._loader.read_payload)
            if observation is None:
                await drop_messages(await self._loader.connected(), [row["id"]])
            else:
                message = Message(inbox_id=row["id"], observation=observation)
                messages.setdefault(row["run_id"], []).append(message)
        return messages
