"""A run's row and its journal are read one after the other: what happens in between is told whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.dependencies import Isolation
from app.runs.reader import RunReader
from engine.core.events import ErrorInfo, RunEvent, RunFailed, RunRetried, RunSucceeded
from engine.infra.clock import DatabaseClock
from engine.infra.database import create_engine
from engine.infra.settings import Settings
from engine.store.reads import RunRow, open_run
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, failed, queued, started, succeeded

DEFINITION = {"steps": [{"id": "a", "type": "transform", "with": {"values": {}}}]}


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def test_a_run_that_ends_between_the_two_is_told_as_it_ended(
    settings: Settings, histories: Histories, owner: Caller
) -> None:
    events: list[RunEvent] = [queued(), started(), succeeded("a"), RunSucceeded(at=at(2), output=1, reason="completed")]
    run_id = UUID(await histories.keep(DEFINITION, events, status="queued"))
    async with _isolation(settings) as isolation:
        row = await _read_row(isolation, run_id, owner)
        await histories.execute(
            "UPDATE run SET status = 'succeeded', finished_at = $2, concurrency_key = 'k', slot_at = $2 WHERE id = $1",
            run_id,
            at(2),
        )
        run = await RunReader(isolation, DatabaseClock()).read(row)
    assert run.status == "succeeded"
    assert run.concurrency is not None
    assert (run.concurrency.key, run.concurrency.slot_at, run.concurrency.holders) == ("k", at(2), [])


async def test_a_run_that_is_retried_between_the_two_is_told_in_its_new_round(
    settings: Settings, histories: Histories, owner: Caller
) -> None:
    retried = RunRetried(at=at(3), attempt=2, by=None, reason="requested")
    broken = RunFailed(at=at(2), error=ErrorInfo(code="broken", message="x", step="a"), reason="step_failed")
    events: list[RunEvent] = [queued(), started(), failed("a"), broken, retried]
    run_id = UUID(await histories.keep(DEFINITION, events, status="failed"))
    async with _isolation(settings) as isolation:
        row = await _read_row(isolation, run_id, owner)
        await histories.execute(
            "UPDATE run SET status = 'queued', finished_at = NULL, attempt = 2 WHERE id = $1", run_id
        )
        run = await RunReader(isolation, DatabaseClock()).read(row)
    assert (run.status, run.attempt, run.finished_at) == ("queued", 2, None)


@asynccontextmanager
async def _isolation(settings: Settings) -> AsyncIterator[Isolation]:
    engine = create_engine(settings, name="test")
    yield Isolation(engine, "required")
    await engine.dispose()


async def _read_row(isolation: Isolation, run_id: UUID, owner: Caller) -> RunRow:
    async with isolation.read(owner.workspace_id) as reader:
        row = await open_run(reader, run_id, owner.workspace_id)
    assert row is not None
    return row
