"""The definition of a workflow, version 1: the document that people write."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_STEPS = 2_000
MAX_BYTES = 1_048_576
MAX_NESTING = 8
DEFAULT_RUN_TIMEOUT_SECONDS = 7 * 86_400.0

StepId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
RetryCause = Literal["timeout", "connection", "5xx", "429"] | Annotated[int, Meta(ge=100, le=599)]


class RetryRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a failed attempt is tried again; what is left out comes from the step type. Times in seconds."""

    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    initial: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    factor: Annotated[float, Meta(ge=1, le=100)] | None = None
    max: Annotated[float, Meta(ge=0, le=604_800)] | None = None
    jitter: bool | None = None
    on: list[RetryCause] | None = None


class StepDefinition(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"with_": "with"}, omit_defaults=True
):
    """One step: what it does and what it waits for. `timeout` is in seconds, of one attempt."""

    id: StepId
    type: str
    name: Annotated[str, Meta(max_length=200)] | None = None
    with_: dict[str, Any] = {}
    after: list[str] = []
    join: Literal["all", "any"] = "all"
    timeout: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    retry: RetryRule | None = None


class RunSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of every run: `timeout` in seconds from the start, or a template for it."""

    timeout: Annotated[float, Meta(gt=0, le=31_536_000)] | str | None = None


class Definition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document. `ui` belongs to the web app; the engine ignores it."""

    schema: Literal[1]
    steps: list[StepDefinition]
    output: Any | UnsetType = UNSET
    settings: RunSettings = RunSettings()
    ui: dict[str, Any] | UnsetType = UNSET


class ActionTraits(Struct, frozen=True, kw_only=True):
    """What the core must know of an action step's type: defaults of its timeout (seconds) and retry rule."""

    timeout: float
    max_attempts: int = 1
    initial: float = 1.0
    factor: float = 2.0
    max: float = 60.0
    jitter: bool = True


CONTROL_PORTS: dict[str, tuple[str, ...]] = {"if": ("true", "false"), "delay": ()}
"""The step types that the core decides itself, with their ports beside `error`."""
