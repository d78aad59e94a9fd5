"""What the core is told: something happened outside. Times, ids and jitter come with it; the core makes none.

`step` is a step's path: its id, or within a `foreach` that of the iteration before it, like `each[3].fetch`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from engine.core.events import ErrorInfo


class FullSlots(Struct, frozen=True, kw_only=True):
    """Every slot of the run's concurrency key is taken, by `holders` (run ids, the oldest first).

    `is_stuck`: they wait for this run, so that none will ever be free for it.
    """

    key: str
    limit: int
    holders: list[str]
    is_stuck: bool = False


class BegunAttempt(Struct, frozen=True, kw_only=True):
    """An attempt that has begun, and may have had its effect. `queued_ms`, `limited_ms`: as in `AttemptOngoing`."""

    attempt: int
    started_at: datetime
    queued_ms: int = 0
    limited_ms: int = 0


FindBegun = Callable[[str], BegunAttempt | None]  # of a step's path the attempt that is being made, if one has begun


class RunClaimed(Struct, frozen=True, kw_only=True, tag=True):
    """A worker has the run: it starts, or goes on from its journal. `vars` are the workspace's variables.

    With `full` it cannot start, for want of a concurrency slot.
    """

    at: datetime
    vars: dict[str, Any] = {}
    full: FullSlots | None = None


class AttemptOngoing(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt goes on, or is held back (no `started_at`), for so long that readers shall see it in the journal.

    `queued_ms`: from being decided to being started, or so far; `limited_ms` of these a limit of the worker held it.
    """

    at: datetime
    step: str
    attempt: int
    started_at: datetime | None
    queued_ms: int = 0
    limited_ms: int = 0


class AttemptSucceeded(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt ended well. `queued_ms`, `limited_ms`: as in `AttemptOngoing`."""

    at: datetime
    step: str
    attempt: int
    output: Any
    started_at: datetime
    queued_ms: int = 0
    limited_ms: int = 0


class AttemptFailed(Struct, frozen=True, kw_only=True, tag=True):
    """An attempt failed. `cause` is timeout, connection, status or empty; `jitter` in [0, 1) spreads the retry."""

    at: datetime
    step: str
    attempt: int
    error: ErrorInfo
    started_at: datetime
    queued_ms: int = 0
    limited_ms: int = 0
    cause: str = ""
    is_retryable: bool = False
    retry_after_seconds: float | None = None
    jitter: float = 0.0


class TimePassed(Struct, frozen=True, kw_only=True, tag=True):
    """It is `at` now: what is due may go on, and what was left undecided is decided.

    `expired`: the steps whose approvals nobody can decide any more, which alone time out; others that are due, somebody
    has decided or is about to. None: nobody has looked, so that no approval times out.
    """

    at: datetime
    expired: frozenset[str] | None = None


class RunBroken(Struct, frozen=True, kw_only=True, tag=True):
    """The run cannot go on, whatever its steps do: it fails with this error. `reason` is one of `run.failed`."""

    at: datetime
    error: ErrorInfo
    reason: str


class CancelRequested(Struct, frozen=True, kw_only=True, tag=True):
    """Somebody wants the run to stop. `by` names the principal; `reason` is one of `run.cancelled`."""

    at: datetime
    by: str | None = None
    reason: str = "requested"


class SignalReceived(Struct, frozen=True, kw_only=True, tag=True):
    """A signal came for the run: the oldest `wait` for its name takes it, or it is kept."""

    at: datetime
    name: str
    payload: Any = None
    by: str | None = None


class ApprovalDecided(Struct, frozen=True, kw_only=True, tag=True):
    """Somebody approved or rejected what an `approval` asks for, at `decided_at`: it is heard of later."""

    at: datetime
    step: str
    decision: Literal["approved", "rejected"]
    comment: str | None = None
    by: str | None = None
    decided_at: datetime | None = None


class ChildStarted(Struct, frozen=True, kw_only=True, tag=True):
    """The run that a `workflow` step asked for was accepted."""

    at: datetime
    step: str
    run_id: str


class ChildRefused(Struct, frozen=True, kw_only=True, tag=True):
    """The run that a `workflow` step asked for cannot be started."""

    at: datetime
    step: str
    error: ErrorInfo


class ChildEnded(Struct, frozen=True, kw_only=True, tag=True):
    """The run of a `workflow` step ended: with its output, or with `error` where it did not succeed."""

    at: datetime
    step: str
    run_id: str
    output: Any = None
    error: ErrorInfo | None = None


Observation = (
    RunClaimed
    | AttemptOngoing
    | AttemptSucceeded
    | AttemptFailed
    | TimePassed
    | RunBroken
    | CancelRequested
    | SignalReceived
    | ApprovalDecided
    | ChildStarted
    | ChildRefused
    | ChildEnded
)
