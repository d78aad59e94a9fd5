"""What the core is told: something happened outside. Times, ids and jitter come with it; the core makes none."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.core.events import ErrorInfo


class RunClaimed(Struct, frozen=True, kw_only=True, tag=True):
    """A worker has the run: it starts, or goes on from its journal. `vars` are the workspace's variables."""

    at: datetime
    vars: dict[str, Any] = {}


class AttemptOngoing(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt goes on, or is held back (no `started_at`), for so long that readers shall see it in the journal."""

    at: datetime
    step: str
    attempt: int
    started_at: datetime | None


class AttemptSucceeded(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt ended well. `queued_ms`: from being decided to being started."""

    at: datetime
    step: str
    attempt: int
    output: Any
    started_at: datetime
    queued_ms: int = 0


class AttemptFailed(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt failed. `cause` is timeout, connection, status or empty; `jitter` in [0, 1) spreads the retry."""

    at: datetime
    step: str
    attempt: int
    error: ErrorInfo
    started_at: datetime
    queued_ms: int = 0
    cause: str = ""
    is_retryable: bool = False
    retry_after_seconds: float | None = None
    jitter: float = 0.0


class TimePassed(Struct, frozen=True, kw_only=True, tag=True):
    """It is `at` now: what is due may go on."""

    at: datetime


class CancelRequested(Struct, frozen=True, kw_only=True, tag=True):
    """Somebody wants the run to stop. `by` names the principal."""

    at: datetime
    by: str | None = None


Observation = RunClaimed | AttemptOngoing | AttemptSucceeded | AttemptFailed | TimePassed | CancelRequested
