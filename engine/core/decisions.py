"""What the core wants done, in order. Events first become durable; only then may attempts start."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.core.events import RunEvent


class Record(Struct, frozen=True, tag_field="decision", tag=True):
    """Append this event to the run's journal."""

    event: RunEvent


class StartAttempt(Struct, frozen=True, kw_only=True, tag_field="decision", tag=True):
    """Perform an attempt of an action step with this configuration; `timeout` in seconds."""

    step: str
    type: str
    attempt: int
    config: Any
    timeout: float
    decided_at: datetime


class StopAttempt(Struct, frozen=True, kw_only=True, tag_field="decision", tag=True):
    """Break off the step's attempt: its result is not wanted any more."""

    step: str


class StartChild(Struct, frozen=True, kw_only=True, tag_field="decision", tag=True):
    """Start a run of a workflow's published version, at most once a step of this run; its input as JSON value."""

    step: str
    workflow_id: str
    input: Any
    decided_at: datetime


class CancelChild(Struct, frozen=True, kw_only=True, tag_field="decision", tag=True):
    """Cancel the run that a step started: nobody waits for it any more."""

    run_id: str


class Ignore(Struct, frozen=True, kw_only=True, tag_field="decision", tag=True):
    """The observation was stale or repeated: nothing changed, and this is why."""

    reason: str


Decision = Record | StartAttempt | StopAttempt | StartChild | CancelChild | Ignore
