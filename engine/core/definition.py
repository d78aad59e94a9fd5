"""The definition of a workflow, version 1: the document that people write."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_STEPS = 2_000
MAX_BYTES = 1_048_576
MAX_NESTING = 8
MAX_SLOTS = 100_000
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
    """One step: what it does and what it waits for. `timeout` is in seconds, of one attempt.

    `steps` is the body of a `foreach`.
    """

    id: StepId
    type: str
    name: Annotated[str, Meta(max_length=200)] | None = None
    with_: dict[str, Any] = {}
    after: list[str] = []
    join: Literal["all", "any"] = "all"
    timeout: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    retry: RetryRule | None = None
    steps: list["StepDefinition"] = []


class ConcurrencyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` runs of one key at a time; `when_full` is what becomes of one more.

    `key` is a template, and `limit` may be one.
    """

    key: Annotated[str, Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1, le=MAX_SLOTS)] | str = 1
    when_full: Literal["queue", "drop", "cancel_running"] = "queue"


class RunSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of every run: `timeout` in seconds from the start, or a template for it."""

    timeout: Annotated[float, Meta(gt=0, le=31_536_000)] | str | None = None
    concurrency: ConcurrencyRule | None = None


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


CONTROL_PORTS: dict[str, tuple[str, ...]] = {
    "if": ("true", "false"),
    "switch": ("default",),
    "transform": (),
    "delay": (),
    "wait": ("timeout",),
    "approval": ("approved", "rejected", "timeout"),
    "foreach": (),
    "workflow": (),
    "respond": (),
    "fail": (),
}
"""The step types that the core decides itself, with their ports beside `error`; a `switch` has its cases as well."""

REFUSING_PORTS: dict[str, frozenset[str]] = {
    "wait": frozenset({"timeout"}),
    "approval": frozenset({"rejected", "timeout"}),
}
"""Ports that are no success: whoever waits for the step itself is not satisfied by them."""

BARE_EXPRESSIONS: dict[str, tuple[str, ...]] = {"if": ("condition",), "switch": ("cases",), "foreach": ("items",)}
"""Fields of `with` that hold expressions without braces: one, or an object of several."""

ITEM_NAMES = ("item", "index")
"""Names that expressions in the body of a `foreach` see beside all others."""


def ports_of(step_type: str, config: Any) -> tuple[str, ...]:
    """The ports of a control step beside `error`; `config` is its `with` as written, of any shape."""
    ports = CONTROL_PORTS[step_type]
    if step_type == "switch" and isinstance(config, dict) and isinstance(config.get("cases"), dict):
        return (*(str(name) for name in config["cases"]), *ports)
    return ports
