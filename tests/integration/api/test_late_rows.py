"""A run's row and its journal are read one after the other: what happens in between is told whole."""

from uuid import UUID

import asyncpg
import pytest

from app.runs.reader import RunReader
from engine.core.events import ErrorInfo, RunEvent, RunFailed, RunRetried, RunSucceeded
from engine.infra.clock import DatabaseClock
from engine.store.reads import RunRow, find_run
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, failed, queued, started, succeeded

DEFINITION = {"steps": [{"id": "a", "type": "transform", "with": {"values": {}}}]}


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def test_a_run_that_ends_between_the_two_is_told_as_it_ended(
    clean_database: str, histories: Histories, owner: Caller
) -> None:
    events: list[RunEvent] = [queued(), started(), succeeded("a"), RunSucceeded(at=at(2), output=1, reason="completed")]
    run_id = UUID(await histories.keep(DEFINITION, events, status="queued"))
    pool = await asyncpg.create_pool(clean_database, min_size=1, max_size=2)
    try:
        row = await _read_row(pool, run_id, owner)
        await histories.execute(
            "UPDATE run SET status = 'succeeded', finished_at = $2, concurrency_key = 'k', slot_at = $2 WHERE id = $1",
            run_id,
            at(2),
        )
        run = await RunReader(pool, DatabaseClock()).read(row)
    finally:
        await pool.close()
    assert run.status == "succeeded"
    assert run.concurrency is not None
    assert (run.concurrency.key, run.concurrency.slot_at, run.concurrency.holders) == ("k", at(2), [])


async def test_a_run_that_is_retried_between_the_two_is_told_in_its_new_round(
    clean_database: str, histories: Histories, owner: Caller
) -> None:
    retried = RunRetried(at=at(3), attempt=2, by=None, reason="requested")
    broken = RunFailed(at=at(2), error=ErrorInfo(code="broken", message="x", step="a"), reason="step_failed")
    events: list[RunEvent] = [queued(), started(), failed("a"), broken, retried]
    run_id = UUID(await histories.keep(DEFINITION, events, status="failed"))
    pool = await asyncpg.create_pool(clean_database, min_size=1, max_size=2)
    try:
        row = await _read_row(pool, run_id, owner)
        await histories.execute(
            "UPDATE run SET status = 'queued', finished_at = NULL, attempt = 2 WHERE id = $1", run_id
        )
        run = await RunReader(pool, DatabaseClock()).read(row)
    finally:
        await pool.close()
    assert (run.status, run.attempt, run.finished_at) == ("queued", 2, None)


async def _read_row(pool: asyncpg.Pool, run_id: UUID, owner: Caller) -> RunRow:
    row = await find_run(pool, run_id, UUID(str(owner.workspace_id)))
    assert row is not None
    return row
