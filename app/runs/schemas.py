"""Bodies of the run calls."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.workflows.schemas import Definition
from engine.core.accounting import TimeSpent
from engine.core.events import ErrorInfo
from engine.core.statuses import RunStatus, StepStatus

TriggerType = Literal["manual", "api", "webhook", "schedule", "event", "workflow"]


class StartRunRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run is started with. `version`: an earlier one than the published."""

    input: Any = UNSET
    version: Annotated[int, Meta(ge=1, le=2_147_483_647)] | UnsetType = UNSET


class RunStarted(Struct, frozen=True, kw_only=True):
    """The run that was accepted."""

    run_id: UUID


class RunSummary(Struct, frozen=True, kw_only=True):
    """A run in a list: no payloads. `version` is 0 where a draft was tested, and no version."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    status: RunStatus
    attempt: int
    trigger_type: str
    is_test: bool
    error: ErrorInfo | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunCounts(Struct, frozen=True, kw_only=True):
    """How many runs stand how."""

    queued: int = 0
    running: int = 0
    waiting: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    timed_out: int = 0


class CountedRuns(Struct, frozen=True, kw_only=True):
    """How many runs there are in each status, at most two seconds old.

    `since` is null where all runs were looked at. There are more than can be counted at once otherwise: these are those
    of the newest 50,000, which were created from then on.
    """

    by_status: RunCounts
    since: datetime | None


class AttemptView(Struct, kw_only=True):
    """One try of a step: `succeeded`, `failed`, or `cancelled` where it was broken off; `reason` is that of its end."""

    number: int
    status: str
    reason: str
    error: ErrorInfo | None
    started_at: datetime | None
    finished_at: datetime | None
    queued_ms: int
    limited_ms: int = 0


class ItemCounts(Struct, kw_only=True):
    """The items of a `foreach`: how many there are, how many have ended, and how many of these failed."""

    total: int
    done: int = 0
    failed: int = 0


class WaitingView(Struct, kw_only=True):
    """What a step waits for: `delay`, `signal`, `approval` or `child`, until `due_at` at the latest."""

    reason: str
    due_at: datetime | None
    signal: str | None = None
    message: str | None = None
    approval_id: UUID | None = None
    child_run_id: str | None = None


class StepView(Struct, kw_only=True):
    """A step in a run. `input` is its configuration with the expressions filled in.

    An input or output above 64 KiB is `{preview, size, ref}`. `explanation` says why it stands as it does.
    """

    id: str
    path: str
    type: str
    status: StepStatus
    name: str | None = None
    reason: str | None = None
    because: str | None = None
    input: Any = None
    output: Any = None
    port: str | None = None
    error: ErrorInfo | None = None
    attempts: list[AttemptView] = []
    items: ItemCounts | None = None
    due_at: datetime | None = None
    waiting: WaitingView | None = None
    explanation: str = ""
    time: TimeSpent | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class IterationView(Struct, kw_only=True):
    """One item of a `foreach` with the steps that were done for it; `path` is like `each[3]`."""

    index: int
    path: str
    status: StepStatus
    error: ErrorInfo | None
    started_at: datetime | None
    finished_at: datetime | None
    steps: list[StepView]


class ParentView(Struct, frozen=True, kw_only=True):
    """The run, and the path of the step in it, that started a run as its own."""

    run_id: UUID
    step: str


class ChildView(Struct, frozen=True, kw_only=True):
    """A run that a step started as its own, `step` being its path; `status` is null once it is kept no more."""

    run_id: UUID
    step: str
    status: RunStatus | None


class ConcurrencyView(Struct, frozen=True, kw_only=True):
    """The concurrency key of a run: held since `slot_at`, or, without it, by these other runs (the first few)."""

    key: str
    limit: int
    slot_at: datetime | None
    holders: list[UUID]


class RunDetail(Struct, frozen=True, kw_only=True):
    """A run with all that happened in it. `version` is 0 where a draft was tested, and no version.

    `children` are the first 1,000 of the runs that its steps started. `trace_id` is that of the W3C trace context that
    it was started in, and that its requests carry.
    """

    id: UUID
    workflow_id: UUID
    workflow_name: str
    version: int
    status: RunStatus
    reason: str | None
    attempt: int
    trigger: Any
    trigger_id: UUID | None
    trace_id: str | None
    input: Any
    output: Any
    error: ErrorInfo | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wake_at: datetime | None
    last_seq: int
    is_test: bool
    parent: ParentView | None
    children: list[ChildView]
    origin_run_id: UUID | None
    concurrency: ConcurrencyView | None
    time: TimeSpent
    steps: list[StepView]


class RunDefinition(Struct, frozen=True, kw_only=True):
    """The definition that a run is of, as it was when the run was accepted: a version's, or that of a tested draft."""

    definition: Definition


class RunEventView(Struct, frozen=True, kw_only=True):
    """One event of a run's journal: `seq` counts from 1 without gaps; `data` is what the event says."""

    id: str
    seq: int
    type: str
    at: datetime
    data: Any


class CancelAccepted(Struct, frozen=True, kw_only=True):
    """The run is being cancelled."""

    run_id: UUID
