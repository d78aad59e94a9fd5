"""What the step type call answers."""

from typing import Any, Literal

from msgspec import Struct


class RetryView(Struct, frozen=True, kw_only=True):
    """How a failed attempt is tried again where the definition says nothing; times in seconds."""

    max_attempts: int
    initial: float
    factor: float
    max: float
    jitter: bool


class StepTypeView(Struct, frozen=True, kw_only=True):
    """A step type.

    `ports` are what other steps may wait for beside success; a `switch` has those of its cases as well. `kind`: an
    action is performed by attempts, which have a default `timeout` in seconds and a default `retry`; a control step is
    decided by the engine. `has_steps`: steps of its own stand beside `with`. `schema`: the JSON Schema (2020-12) of
    `with`, whose texts may hold `{{ … }}`. `is_own`: it comes with the product, and not with a package of others.
    """

    name: str
    title: str
    icon: str
    description: str
    kind: Literal["action", "control"]
    ports: list[str]
    has_steps: bool
    is_own: bool
    timeout: float | None
    retry: RetryView | None
    schema: dict[str, Any]


class StepTypeList(Struct, frozen=True, kw_only=True):
    """Every step type, in the order in which a palette shows them."""

    items: list[StepTypeView]
    next_cursor: str | None = None
