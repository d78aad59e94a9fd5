"""Bodies of the calls that try things out."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.openapi import ProblemDocument
from app.runs.schemas import AttemptView
from engine.core.definition import StepId
from engine.core.events import ErrorInfo
from engine.core.statuses import RunStatus, StepStatus

LONGEST_WAIT_SECONDS = 30.0

StepPath = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,62}(\[\d{1,6}\])?(\.[a-z][a-z0-9_]{0,62}(\[\d{1,6}\])?){0,8}$",
        description="the path of a step, like `fetch` or, in an iteration, `each[3].fetch`",
    ),
]
Mocks = Annotated[dict[StepId, Any], Meta(description="outputs of steps that are not performed, by id")]


class StepResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a step ended, as expressions see it."""

    output: Any = None
    status: StepStatus = StepStatus.SUCCEEDED
    error: Any = None


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names that expressions see. What is left out is as in a run without it."""

    steps: dict[StepId, StepResult] = {}
    input: Any = UNSET
    trigger: dict[str, Any] = {}
    vars: dict[str, Any] = {}
    item: Any = UNSET
    index: Annotated[int, Meta(ge=0, le=2_147_483_647)] | UnsetType = UNSET


class EvaluateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An expression, or a text with `{{ … }}`, and what it sees: a run (at a step), or a context."""

    expression: Annotated[str, Meta(max_length=65_536)]
    run_id: UUID | UnsetType = UNSET
    step: StepPath | UnsetType = UNSET
    context: Context | UnsetType = UNSET


class Evaluation(Struct, frozen=True, kw_only=True):
    """What an expression gave. `type` is the value's type in the language of expressions."""

    value: Any
    type: str


class ExpressionProblem(ProblemDocument, kw_only=True):
    """Why an expression has no value. `position` counts characters in `expression`; of a template, that is its part."""

    kind: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    expression: str | UnsetType = UNSET
    position: int | UnsetType = UNSET


class DraftTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a draft is tried out with. `trigger` is laid over a plausible one of its `type`."""

    input: Any = UNSET
    trigger: dict[str, Any] = {}
    mocks: Mocks = {}


class StepTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a single step is tried out with. `timeout`: how many seconds to wait for its end."""

    context: Context = Context()
    mocks: Mocks = {}
    timeout: Annotated[float, Meta(ge=0, le=LONGEST_WAIT_SECONDS)] = LONGEST_WAIT_SECONDS


class StepOutcome(Struct, frozen=True, kw_only=True):
    """How the tested step ended."""

    run_id: UUID
    status: StepStatus
    output: Any
    error: ErrorInfo | None
    attempts: list[AttemptView]
    port: str | None
    started_at: datetime | None
    finished_at: datetime | None


class StepPending(Struct, frozen=True, kw_only=True):
    """The test is not over yet: `status` is that of its run."""

    run_id: UUID
    status: RunStatus
