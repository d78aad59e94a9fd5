"""The figures of a workspace."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.runs.schemas import RunCounts
from engine.core.statuses import RunStatus
from engine.store.accounts import IngestSum


class HookLimits(Struct, frozen=True, kw_only=True):
    """Calls a minute that are taken, null where there is no limit, and the largest body. A trigger may have less.

    `held_events_per_trigger`: how many events of one trigger may wait, null where that is not limited either.
    """

    workspace_per_minute: int | None
    address_per_minute: int | None
    max_body_bytes: int
    held_events_per_trigger: int | None


class Limits(Struct, frozen=True, kw_only=True):
    """What this installation holds everybody to."""

    hooks: HookLimits


class Percentiles(Struct, frozen=True, kw_only=True):
    """In milliseconds; null where nothing has ended."""

    p50: int | None
    p95: int | None


class RunPoint(Struct, frozen=True, kw_only=True):
    """The runs that were accepted within the part of the window that begins at `at`. `failed` includes timed out."""

    at: datetime
    succeeded: int
    failed: int
    cancelled: int
    unfinished: int
    duration_ms: Percentiles


class RunStats(Struct, frozen=True, kw_only=True):
    """The runs that were accepted from `since` to `until`: of the window, or its newest 50,000; no tests of drafts.

    `success_rate`: of those that succeeded, failed or timed out, the part that succeeded; null where there are none.
    `duration_ms`: from start to end, of those that have ended. `points`: 48 parts of the time, without empty ones.
    """

    since: datetime
    until: datetime
    by_status: RunCounts
    success_rate: float | None
    duration_ms: Percentiles
    points: list[RunPoint]


class FailingWorkflow(Struct, frozen=True, kw_only=True):
    """A workflow of whose `runs` some `failed` or timed out, with the last of these."""

    workflow_id: UUID
    name: str
    failed: int
    runs: int
    last_run_id: UUID
    last_failed_at: datetime | None
    error_code: str | None
    error_message: str | None


class RunningRun(Struct, frozen=True, kw_only=True):
    """A run that is going on: a worker has it in its hands."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    status: RunStatus
    trigger_type: str
    created_at: datetime
    started_at: datetime | None


class Stats(Struct, frozen=True, kw_only=True):
    """Figures of the time from `since` on. In `ingest`, accepted = started + duplicate + filtered + pending.

    `rejected` counts calls that were refused and are not among the accepted. `drift` is 0 unless an event has got lost,
    or came out of nothing: it tells by how many the count at acceptance and that of the receipts differ. The figures of
    runs are at most five seconds old. `queue_depth`: runs that wait for nothing but a worker. `steps_in_flight`:
    attempts that are being made, as workers last told. `running`: the newest eight of the runs that workers have in
    their hands. `events_per_minute`: accepted, over the last five minutes.
    """

    window: str
    since: datetime
    ingest: IngestSum
    runs: RunStats
    failing_workflows: list[FailingWorkflow]
    running: list[RunningRun]
    queue_depth: int
    steps_in_flight: int
    events_per_minute: float
