"""Run events: the facts of a run's history, as they stand in the journal and in the API.

A journal row holds one event as JSON; its tag `type` is the event's name. Every event carries `at` (UTC) and a
reason code (see `transitions.REASONS`).
"""

from datetime import datetime
from typing import Any, TypeGuard, Union

import msgspec
from msgspec import UNSET, Struct, UnsetType


class ErrorInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt, a step or a run failed: a stable code, a sentence, and what else is known."""

    code: str
    message: str
    status: int | None = None
    step: str | None = None
    expression: str | None = None
    position: int | None = None
    pointer: str | None = None
    details: Any = None


class PayloadRef(Struct, frozen=True, kw_only=True):
    """Where an output lies that is too large for the journal: its payload's id, its bytes as JSON, its beginning."""

    ref: str
    size: int
    preview: str


class Origin(Struct, frozen=True, kw_only=True):
    """The run that this one repeats; with `from_step`, what came before that step was taken over from it."""

    run_id: str
    from_step: str | None = None


class RunQueued(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="run.queued"):
    """A run was accepted, with what started it. `traceparent` is the W3C trace context of the caller.

    Of a test: `mocks` are the outputs of steps that are not performed, by id; `preset` adds to the names that
    expressions see. `is_awaited`: a caller waits for what the run answers.
    """

    at: datetime
    trigger: dict[str, Any]
    input: Any
    workflow: dict[str, Any]
    reason: str
    traceparent: str | None = None
    origin: Origin | None = None
    mocks: dict[str, Any] = {}
    preset: dict[str, Any] = {}
    is_awaited: bool = False


class RunHeld(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.held"):
    """All `limit` slots of the run's concurrency key are taken, by `holders` (the first few of them)."""

    at: datetime
    key: str
    limit: int
    holders: list[str]
    reason: str = "concurrency"


class RunSignalled(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.signalled"):
    """A signal came, from `by`; it is kept until a `wait` takes it."""

    at: datetime
    name: str
    payload: Any
    by: str | None = None
    reason: str = "requested"


class RunRetried(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.retried"):
    """Somebody let the ended run go on from its failed steps; `attempt` is the run's new one."""

    at: datetime
    attempt: int
    by: str | None = None
    reason: str = "requested"


class RunStarted(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.started"):
    """A worker started the run: its variables as read at that moment and its deadline."""

    at: datetime
    deadline_at: datetime
    vars: dict[str, Any]
    reason: str = "claimed"


class RunWaiting(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.waiting"):
    """Nothing runs and something waits, until `wake_at` at the latest."""

    at: datetime
    wake_at: datetime
    reason: str


class RunResumed(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.resumed"):
    """The wait is over."""

    at: datetime
    reason: str


class RunSucceeded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="run.succeeded"):
    """Every step has ended and no failure was left unhandled. With `output_ref`, the output lies in a payload."""

    at: datetime
    output: Any
    reason: str
    output_ref: PayloadRef | None = None


class RunFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.failed"):
    """A failure was left unhandled, or the output could not be made."""

    at: datetime
    error: ErrorInfo
    reason: str


class RunCancelled(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.cancelled"):
    """Somebody cancelled the run, or a rule did."""

    at: datetime
    by: str | None = None
    reason: str = "requested"


class RunTimedOut(Struct, frozen=True, kw_only=True, tag_field="type", tag="run.timed_out"):
    """The run's deadline passed."""

    at: datetime
    error: ErrorInfo
    reason: str = "deadline_passed"


class StepStarted(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.started"):
    """An attempt takes over a second: short ones are journalled by their end alone.

    Without `started_at` it is held back, for `queued_ms` so far. A `foreach` makes no attempt (0); it starts with this
    many `items`. Here and below, `limited_ms` of `queued_ms` a limit of its worker held the attempt, if one did.
    """

    at: datetime
    step: str
    attempt: int
    started_at: datetime | None
    reason: str
    items: int | None = None
    queued_ms: int = 0
    limited_ms: int | UnsetType = UNSET


class StepWaiting(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="step.waiting"):
    """The step waits: until `due_at`, for a signal of that name, for a decision on `message`, for another run."""

    at: datetime
    step: str
    due_at: datetime | None
    reason: str
    signal: str | None = None
    message: str | None = None
    child_run_id: str | None = None


class StepRetrying(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.retrying"):
    """An attempt failed; the next one is due at `retry_at`."""

    at: datetime
    step: str
    attempt: int
    error: ErrorInfo
    retry_at: datetime
    started_at: datetime
    queued_ms: int
    limited_ms: int | UnsetType = UNSET
    reason: str


class StepSucceeded(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.succeeded"):
    """The step succeeded. `port` is the one taken, where the step has ports of its own.

    With `output_ref`, the output lies in a payload, and `output` is null in the journal.
    """

    at: datetime
    step: str
    output: Any
    attempt: int = 0
    port: str | None = None
    started_at: datetime | None = None
    queued_ms: int = 0
    limited_ms: int | UnsetType = UNSET
    reason: str = "completed"
    output_ref: PayloadRef | None = None


class StepFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.failed"):
    """The step failed for good."""

    at: datetime
    step: str
    error: ErrorInfo
    attempt: int = 0
    started_at: datetime | None = None
    queued_ms: int = 0
    limited_ms: int | UnsetType = UNSET
    reason: str


class StepSkipped(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.skipped"):
    """What the step waited for has settled without satisfying it; `because` names the entry of `after`."""

    at: datetime
    step: str
    because: str
    reason: str


class StepCancelled(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="step.cancelled"):
    """The run ended before the step did. `attempt` had begun and was broken off; without it none was under way."""

    at: datetime
    step: str
    attempt: int = 0
    started_at: datetime | None = None
    queued_ms: int = 0
    limited_ms: int | UnsetType = UNSET
    reason: str


RunEvent = (
    RunQueued
    | RunHeld
    | RunSignalled
    | RunRetried
    | RunStarted
    | RunWaiting
    | RunResumed
    | RunSucceeded
    | RunFailed
    | RunCancelled
    | RunTimedOut
    | StepStarted
    | StepWaiting
    | StepRetrying
    | StepSucceeded
    | StepFailed
    | StepSkipped
    | StepCancelled
)

StepEvent = StepStarted | StepWaiting | StepRetrying | StepSucceeded | StepFailed | StepSkipped | StepCancelled
_STEP_EVENTS = frozenset(StepEvent.__args__)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[RunEvent] = msgspec.json.Decoder(RunEvent)


def event_type(event: RunEvent) -> str:
    """The event's name, like `step.succeeded`."""
    return _TYPES[type(event)]


def is_step_event(event: RunEvent) -> TypeGuard[StepEvent]:
    """Whether the event is about a step rather than about the run itself."""
    return type(event) in _STEP_EVENTS


def encode_event(event: RunEvent) -> bytes:
    """The event as the JSON of a journal row."""
    return _encoder.encode(event)


def decode_event(payload: bytes) -> RunEvent:
    """The event of a journal row; msgspec.ValidationError where the row is none."""
    return _decoder.decode(payload)


def decode_to_copy(payload: bytes) -> RunEvent:
    """As `decode_event`, but for a step's output, which stays JSON (`msgspec.Raw`): good for being written again."""
    event: RunEvent | _CopiedSuccess = _copier.decode(payload)
    if isinstance(event, _CopiedSuccess):
        return StepSucceeded(**{field: getattr(event, field) for field in StepSucceeded.__struct_fields__})
    return event


class _CopiedSuccess(Struct, frozen=True, kw_only=True, tag_field="type", tag="step.succeeded"):
    at: datetime
    step: str
    output: msgspec.Raw
    attempt: int = 0
    port: str | None = None
    started_at: datetime | None = None
    queued_ms: int = 0
    limited_ms: int | UnsetType = UNSET
    reason: str = "completed"
    output_ref: PayloadRef | None = None


_OTHERS = tuple(kind for kind in RunEvent.__args__ if kind is not StepSucceeded)
_copier: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[(_CopiedSuccess, *_OTHERS)])


_TYPES: dict[type, str] = {kind: str(kind.__struct_config__.tag) for kind in RunEvent.__args__}
