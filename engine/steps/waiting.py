"""The control steps that wait, repeat and start runs: how they are configured. What they do is decided in the core."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.steps.base import ControlStep, Fault
from engine.steps.templates import is_template

LONGEST_DELAY_SECONDS = 3650 * 86_400

WaitTimeout = (
    Annotated[
        float,
        Meta(title="Timeout", description="how many seconds to wait at most", ge=0, le=LONGEST_DELAY_SECONDS),
    ]
    | UnsetType
)


class DelayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A span or a moment."""

    seconds: (
        Annotated[float, Meta(title="Seconds", description="how long to wait", ge=0, le=LONGEST_DELAY_SECONDS)]
        | UnsetType
    ) = UNSET
    until: (
        Annotated[
            str,
            Meta(
                title="Until",
                description="the moment to wait for, with its offset",
                examples=["2027-01-31T09:00:00+01:00"],
            ),
        ]
        | UnsetType
    ) = UNSET


class DelayStep(ControlStep):
    """Waits, for a span or until a moment."""

    name: ClassVar = "delay"
    title: ClassVar = "Delay"
    icon: ClassVar = "clock"
    Config: ClassVar = DelayConfig

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """Exactly one of `seconds` and `until`; `until` is a time with an offset."""
        if ("seconds" in config) == ("until" in config):
            yield "", "exactly_one", "give either `seconds` or `until`, and not both"
        until = config.get("until")
        if isinstance(until, str) and not is_template(until) and not _is_moment(until):
            yield "/until", "invalid_time", f"{until!r} is no time with an offset, like 2027-01-31T09:00:00Z"


def _is_moment(text: str) -> bool:
    try:
        return msgspec.convert(text, datetime).tzinfo is not None
    except msgspec.ValidationError:
        return False


class WaitConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal to wait for."""

    signal: Annotated[
        str, Meta(title="Signal", description="the name of the signal", min_length=1, max_length=200, examples=["paid"])
    ]
    timeout: WaitTimeout = UNSET


class WaitStep(ControlStep):
    """Waits for a signal, and gives its payload."""

    name: ClassVar = "wait"
    title: ClassVar = "Wait for a signal"
    icon: ClassVar = "radio"
    ports: ClassVar = ("timeout",)
    Config: ClassVar = WaitConfig


class ApprovalConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision to ask for."""

    message: Annotated[
        str, Meta(title="Message", description="what is asked of whoever decides", min_length=1, max_length=10_000)
    ]
    timeout: WaitTimeout = UNSET


class ApprovalStep(ControlStep):
    """Waits for a person's decision."""

    name: ClassVar = "approval"
    title: ClassVar = "Approval"
    icon: ClassVar = "user-check"
    ports: ClassVar = ("approved", "rejected", "timeout")
    Config: ClassVar = ApprovalConfig


class ForeachConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to go through, and how."""

    items: Annotated[
        str,
        Meta(
            title="Items",
            description="an expression that gives a list",
            min_length=1,
            examples=["steps.fetch.output.body.orders"],
        ),
    ]
    concurrency: (
        Annotated[int, Meta(title="Concurrency", description="items at work at a time; all if left out", ge=1)]
        | UnsetType
    ) = UNSET
    output: Annotated[
        Any, Meta(title="Output", description="what to keep of each item; the outputs of its steps if left out")
    ] = UNSET
    on_item_error: Annotated[
        Literal["fail", "continue"],
        Meta(title="When an item fails", description="fail the step, or go on and keep the error as its result"),
    ] = "fail"


class ForeachStep(ControlStep):
    """Does its steps for every item of a list."""

    name: ClassVar = "foreach"
    title: ClassVar = "For each"
    icon: ClassVar = "repeat"
    has_steps: ClassVar = True
    Config: ClassVar = ForeachConfig


class WorkflowConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow to run."""

    workflow_id: Annotated[
        str, Meta(title="Workflow", description="its published version is run", min_length=1, max_length=200)
    ]
    input: Annotated[Any, Meta(title="Input", description="what the run is started with")] = UNSET


class WorkflowStep(ControlStep):
    """Runs another workflow, waits for its end, and gives its output."""

    name: ClassVar = "workflow"
    title: ClassVar = "Run a workflow"
    icon: ClassVar = "workflow"
    Config: ClassVar = WorkflowConfig

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """An id that can be one; whether there is such a workflow, only its workspace knows."""
        text = config.get("workflow_id")
        if isinstance(text, str) and not is_template(text) and not _is_id(text):
            message = f"{text!r} is no workflow's id; ids are like 0199aaaa-0000-7000-8000-000000000000"
            yield "/workflow_id", "invalid_format", message


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
