"""Runs with journals written straight into the database, for what readers see of them; no worker runs here."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.core.events import ErrorInfo as Error
from engine.core.events import (
    RunEvent,
    RunQueued,
    RunStarted,
    StepFailed,
    StepRetrying,
    StepStarted,
    StepSucceeded,
    encode_event,
    event_type,
)
from engine.infra.ids import new_id
from tests.integration.api.callers import Caller

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
DEADLINE = BEGIN + timedelta(days=7)

_RUN = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, status, attempt, trigger_type, created_at,
                 started_at, finished_at, wake_at)
VALUES ($1, $2, $3, $4, 1, $5, $6, 'api', $7, $7, $8, 'infinity')
"""
_VERSION = """
INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by)
VALUES ($1, $2, $3, 1, $4, $5)
"""
_JOURNAL = "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, $2, $3, $4, $5)"


def at(seconds: float) -> datetime:
    """So many seconds into the run."""
    return BEGIN + timedelta(seconds=seconds)


def queued(**fields: Any) -> RunQueued:
    """The beginning of every journal."""
    return RunQueued(at=BEGIN, trigger={"type": "api"}, input={"n": 7}, workflow={}, reason="accepted", **fields)


def started(seconds: float = 1) -> RunStarted:
    """A worker takes the run."""
    return RunStarted(at=at(seconds), deadline_at=DEADLINE, vars={})


def items(step: str, count: int, seconds: float = 1) -> StepStarted:
    """A `foreach` starts."""
    return StepStarted(at=at(seconds), step=step, attempt=0, started_at=at(seconds), reason="items", items=count)


def succeeded(step: str, seconds: float = 2, *, begin: float | None = None, **fields: Any) -> StepSucceeded:
    """An attempt that took from `begin` succeeded, or without it a step that makes none."""
    attempt = {} if begin is None else {"attempt": fields.pop("attempt", 1), "started_at": at(begin)}
    return StepSucceeded(at=at(seconds), step=step, output=fields.pop("output", None), **attempt, **fields)


def retrying(step: str, seconds: float, until: float, *, begin: float, attempt: int = 1) -> StepRetrying:
    """An attempt that took from `begin` failed, the next one is due at `until`."""
    return StepRetrying(
        at=at(seconds),
        step=step,
        attempt=attempt,
        error=Error(code="status", message="the target answered 503", status=503),
        retry_at=at(until),
        started_at=at(begin),
        queued_ms=0,
        reason="status",
    )


def failed(
    step: str, seconds: float = 2, *, message: str = "it is broken", reason: str = "not_retryable"
) -> StepFailed:
    """A step failed for good."""
    return StepFailed(at=at(seconds), step=step, error=Error(code="broken", message=message), reason=reason)


class Histories:
    """Writes runs of one workspace."""

    def __init__(self, database_url: str, owner: Caller) -> None:
        self._url = database_url
        self._owner = owner

    async def keep(
        self, definition: dict[str, Any], events: Sequence[RunEvent], *, status: str = "running", **columns: Any
    ) -> str:
        """The id of a run of this definition with this journal; `columns` are others of its row."""
        answer = await self._owner.client.post("/v1/workflows", json={"name": "W", "definition": {}})
        workflow_id, version_id, run_id = UUID(answer.json()["id"]), new_id(), new_id()
        finished_at = events[-1].at if status in ("succeeded", "failed", "cancelled", "timed_out") else None
        attempt = columns.pop("attempt", 1)
        connection = await asyncpg.connect(self._url)
        try:
            document = msgspec.json.encode({"schema": 1, **definition})
            owner = self._owner
            await connection.execute(_VERSION, version_id, owner.workspace_id, workflow_id, document, owner.user_id)
            await connection.execute(
                _RUN, run_id, owner.workspace_id, workflow_id, version_id, status, attempt, BEGIN, finished_at
            )
            for column, value in columns.items():
                await connection.execute(f"UPDATE run SET {column} = $2 WHERE id = $1", run_id, value)  # noqa: S608 - the tests' own
            rows = [
                (run_id, seq, event_type(event), event.at, encode_event(event))
                for seq, event in enumerate(events, start=1)
            ]
            await connection.executemany(_JOURNAL, rows)
        finally:
            await connection.close()
        return str(run_id)

    async def execute(self, statement: str, *values: Any) -> None:
        """Any other statement."""
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    async def read(self, path: str, **query: Any) -> Any:
        """What the API answers."""
        answer = await self._owner.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()
