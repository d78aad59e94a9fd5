"""The control steps that branch, shape data and end: how they are configured. What they do is decided in the core."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from engine.core.control import find_header_fault
from engine.core.places import escape_token
from engine.steps.base import ControlStep, Fault
from engine.steps.templates import is_template

_CASE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_CASE_NAMES = "use a letter, then letters, digits, '_' and '-', 63 at most"


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


class SwitchConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cases by name, asked in their order."""

    cases: Annotated[
        dict[str, Annotated[str, Meta(min_length=1)]],
        Meta(
            title="Cases",
            description="expressions that give true or false, by the name of their port; the first true one is taken",
            min_length=1,
            max_length=100,
            examples=[{"large": "input.total > 1000", "small": "input.total > 0"}],
        ),
    ]


class SwitchStep(ControlStep):
    """Goes on at the port of the first case that is true, or at `default`."""

    name: ClassVar = "switch"
    title: ClassVar = "Switch"
    icon: ClassVar = "route"
    ports: ClassVar = ("default",)
    Config: ClassVar = SwitchConfig

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """Names of cases can be written after a step's id, and are no port that every step has."""
        for name in config.get("cases") or ():
            place = "/cases/" + escape_token(str(name))
            if name in ("default", "error"):
                yield place, "reserved_name", f"a case cannot be named '{name}': the step has this port already"
            elif not _CASE_NAME.fullmatch(str(name)):
                yield place, "invalid_format", f"{name!r} is no name for a port: {_CASE_NAMES}"


class TransformConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values to make."""

    values: Annotated[
        dict[str, Any],
        Meta(
            title="Values",
            description="what the step gives; its texts may hold expressions",
            examples=[{"total": "{{ steps.fetch.output.body.price * input.count }}"}],
        ),
    ]


class TransformStep(ControlStep):
    """Makes values out of others."""

    name: ClassVar = "transform"
    title: ClassVar = "Transform"
    icon: ClassVar = "braces"
    Config: ClassVar = TransformConfig


class RespondConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to whoever waits for one."""

    status: Annotated[int, Meta(title="Status", description="HTTP status of the answer", ge=200, le=599)] = 200
    headers: Annotated[dict[str, str], Meta(title="Headers")] = {}
    body: Annotated[Any, Meta(title="Body", description="any JSON value; a text is sent as it is")] = None


class RespondStep(ControlStep):
    """Answers the caller that waits for the run; where nobody waits, it simply succeeds."""

    name: ClassVar = "respond"
    title: ClassVar = "Respond"
    icon: ClassVar = "reply"
    Config: ClassVar = RespondConfig

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """Headers that can be sent; what an expression gives is looked at when it is filled in."""
        headers = config.get("headers")
        for name, text in headers.items() if isinstance(headers, Mapping) else ():
            fault = find_header_fault(name, "" if is_template(text) else str(text))
            if fault is not None:
                yield "/headers/" + escape_token(name), "invalid_header", fault


class FailConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it fails."""

    message: Annotated[str, Meta(title="Message", description="why the run fails here", min_length=1)]


class FailStep(ControlStep):
    """Fails, with a message of its own."""

    name: ClassVar = "fail"
    title: ClassVar = "Fail"
    icon: ClassVar = "octagon-x"
    Config: ClassVar = FailConfig
