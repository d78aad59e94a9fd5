"""Bodies of the calls that steer runs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.runs.schemas import TriggerType
from engine.core.statuses import RunStatus

Action = Literal["cancel", "retry", "rerun"]


class RunAccepted(Struct, frozen=True, kw_only=True):
    """The run that goes on, or the new one."""

    run_id: UUID


class RerunRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run is repeated. Left out, `input` is the original's. `from_step`: what came before it is taken over."""

    input: Any = UNSET
    version: Literal["same", "latest"] = "same"
    from_step: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class SignalRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal; its payload is the output of the step that takes it."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    payload: Any = None


class BulkFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs, as in the list of runs; `ids` names them one by one.

    By nothing but `ids` are tests of drafts meant, and by `ids` or the `trigger_type` `workflow` alone are runs retried
    and rerun that a run started: they are started again by that run.
    """

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    workflow_id: UUID | None = None
    status: RunStatus | Annotated[list[RunStatus], Meta(min_length=1, max_length=7)] | UnsetType = UNSET
    trigger_type: TriggerType | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None
    q: Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f]+$")] | None = None


class BulkRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action on many runs, up to 1,000 a call; `cursor` goes on where the call before stopped.

    A call reruns fewer where they began with much: with 64 MiB together.
    """

    action: Action
    filter: BulkFilter
    dry_run: bool = False
    cursor: Annotated[str, Meta(max_length=512)] | None = None


class BulkOutcome(Struct, frozen=True, kw_only=True):
    """What a call did, or with `dry_run` would do: to `matched` runs, of which `done` were or can be acted on.

    A dry run counts all that match, up to 100,000. `skipped` counts by status those that it was not done to: mostly
    because it is not for them. `run_ids` are the runs that it was done to, or of reruns the new ones.
    """

    action: Action
    dry_run: bool
    matched: int
    done: int
    skipped: dict[str, int]
    run_ids: list[UUID]
    next_cursor: str | None
