"""The control steps: how they are configured. What they do is decided in the core."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.steps.base import ControlStep, Fault
from engine.steps.templates import is_template

LONGEST_DELAY_SECONDS = 3650 * 86_400


class IfConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition."""

    condition: Annotated[
        str,
        Meta(
            title="Condition",
            description="an expression that gives true or false",
            min_length=1,
            examples=["steps.fetch.output.body.total > 100"],
        ),
    ]


class IfStep(ControlStep):
    """Goes on at one of two ports."""

    name: ClassVar = "if"
    title: ClassVar = "Condition"
    icon: ClassVar = "split"
    ports: ClassVar = ("true", "false")
    Config: ClassVar = IfConfig


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
