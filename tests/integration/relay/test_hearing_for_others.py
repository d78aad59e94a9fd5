"""The duties of one process hear their bells over one session, and none is lost where that session ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.infra.bell import HELD_CHANNEL
from engine.infra.settings import Settings
from engine.relay import releaser, scheduler
from engine.relay.ears import Ears
from engine.relay.leading import Leader
from engine.relay.loop import Relay
from engine.relay.releaser import Releaser
from engine.relay.scheduler import Scheduler
from engine.store.outbox import RELAY_LOCK
from engine.store.schedules import SCHEDULE_CHANNEL
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS

HOUR = 3600


@pytest.fixture
async def duties(relay_settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """All three of a process, of which those that are rung for look at nothing unless they are rung."""
    monkeypatch.setattr(scheduler, "LOOK_SECONDS", HOUR)
    monkeypatch.setattr(releaser, "LOOK_SECONDS", HOUR)
    ears = Ears(HELD_CHANNEL, SCHEDULE_CHANNEL)
    running: list[Leader[Any]] = [
        Relay(relay_settings, redis, ears),
        Scheduler(relay_settings, ears),
        Releaser(relay_settings, ears),
    ]
    tasks = [asyncio.create_task(duty.run()) for duty in running]
    yield
    for duty in running:
        duty.stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*tasks)


async def fire(workspace: Workspace, times: int) -> None:
    """Make schedules due one after the other, each once the one before has fired."""
    workflow_id = await workspace.publish()
    for _ in range(times):
        trigger_id = await workspace.add_schedule(workflow_id, {"every_seconds": HOUR})
        await workspace.connection.execute(f"NOTIFY {SCHEDULE_CHANNEL}")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await workspace.runs(trigger_id):
                await asyncio.sleep(0.01)


async def find_relay(connection: asyncpg.Connection) -> int:
    """The session that holds the relay's lock."""
    statement = (
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND (classid::bigint << 32) + objid::bigint = $1"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (pid := await connection.fetchval(statement, RELAY_LOCK)) is None:
            await asyncio.sleep(0.01)
    return int(pid)


@pytest.mark.usefixtures("duties")
@pytest.mark.without_faults("bells may be lost with a session; here nobody looks without one")
async def test_no_bell_is_lost_while_another_session_listens_nor_as_it_ends(outbox: Outbox) -> None:
    workspace = await Workspace(outbox.connection).open()
    await find_relay(outbox.connection)
    await fire(workspace, 5)
    for _ in range(3):
        await outbox.end_session(await find_relay(outbox.connection))
        await fire(workspace, 5)
