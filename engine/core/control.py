"""Control steps that are decided at once, and the beginnings of those that wait."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engine.core.events import ErrorInfo, StepFailed, StepSucceeded, StepWaiting
from engine.core.expressions import ExpressionError
from engine.core.failures import (
    InvalidConfig,
    describe_expression_error,
    describe_invalid_config,
    evaluate_field,
)
from engine.core.graph import Node
from engine.core.places import escape_token

LONGEST_DELAY = timedelta(days=3650)
LONGEST_SIGNAL_NAME = 200
LONGEST_MESSAGE = 10_000
_SHOWN_CHARACTERS = 100
MAX_OUTPUT_BYTES = 16 * 1024 * 1024

ControlEvent = StepSucceeded | StepFailed | StepWaiting
Scope = Mapping[str, Any]

_encoder = msgspec.json.Encoder()
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def decide_control_step(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    """What becomes of a control step whose turn has come (all but `foreach` and `workflow`)."""
    try:
        return _DECISIONS[node.type](path, node, scope, at)
    except ExpressionError as error:
        return StepFailed(at=at, step=path, error=describe_expression_error(error), reason="expression_error")
    except InvalidConfig as error:
        return refuse_config(path, node, at, error)


def refuse_config(path: str, node: Node, at: datetime, error: InvalidConfig) -> StepFailed:
    """The failure of a step whose configuration cannot be used."""
    return StepFailed(at=at, step=path, error=describe_invalid_config(error, node), reason="invalid_config")


def succeed_within_limit(path: str, at: datetime, output: Any, reason: str) -> StepSucceeded | StepFailed:
    """The success of a step that makes its output itself, unless that is larger than an output may be."""
    size = len(_encoder.encode(output))
    if size <= MAX_OUTPUT_BYTES:
        return StepSucceeded(at=at, step=path, output=output, reason=reason)
    message = f"the output has {size:,} bytes as JSON; an output has at most {MAX_OUTPUT_BYTES // 1_048_576} MiB"
    error = ErrorInfo(code="output_too_large", message=message)
    return StepFailed(at=at, step=path, error=error, reason="output_too_large")


def _decide_if(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    assert node.condition is not None
    value = evaluate_field(node.condition, scope, "/condition")
    if not isinstance(value, bool):
        raise InvalidConfig(f"the condition gave {name_type(value)}; it must give true or false", "/condition")
    port = "true" if value else "false"
    return StepSucceeded(at=at, step=path, output=value, port=port, reason=f"condition_{port}")


def _decide_switch(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    for name, case in node.cases:
        value = evaluate_field(case, scope, f"/cases/{name}")
        if not isinstance(value, bool):
            raise InvalidConfig(
                f"the case '{name}' gave {name_type(value)}; it must give true or false", f"/cases/{name}"
            )
        if value:
            return StepSucceeded(at=at, step=path, output=name, port=name, reason="case_matched")
    return StepSucceeded(at=at, step=path, output="default", port="default", reason="no_case_matched")


def _decide_transform(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    return succeed_within_limit(path, at, node.config.render(scope)["values"], "completed")


def _decide_respond(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    config = node.config.render(scope)
    status = config.get("status", 200)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:  # noqa: PLR2004 - final HTTP statuses
        raise InvalidConfig(f"`status` is {show_value(status)}; it must be an HTTP status from 200 to 599", "/status")
    headers = config.get("headers", {})
    if not isinstance(headers, dict):
        raise InvalidConfig(f"`headers` is {name_type(headers)}; it must be an object", "/headers")
    texts = {name: _write_header(name, value) for name, value in headers.items() if value is not None}
    answer = {"status": status, "headers": texts, "body": config.get("body")}
    return succeed_within_limit(path, at, answer, "completed")


def _write_header(name: str, value: Any) -> str:
    """A header's value as it is sent: an expression may have given a number."""
    place = "/headers/" + escape_token(name)
    if isinstance(value, dict | list):
        raise InvalidConfig(f"the header '{name}' is {name_type(value)}; it must be a text", place)
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    if fault := find_header_fault(name, text):
        raise InvalidConfig(fault, place)
    return text


def find_header_fault(name: str, text: str) -> str | None:
    """Why an answer cannot carry this header, as a sentence; a line break would begin another header."""
    if not _HEADER_NAME.fullmatch(name):
        return f"{show_value(name)} is no name of a header"
    return f"the header '{name}' holds a line break or another control character" if _CONTROL.search(text) else None


def _decide_fail(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    message = node.config.render(scope)["message"]
    text = shorten(message if isinstance(message, str) else _encoder.encode(message).decode(), LONGEST_MESSAGE)
    return StepFailed(at=at, step=path, error=ErrorInfo(code="fail_step", message=text), reason="fail_step")


def _decide_delay(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    config = node.config.render(scope)
    due_at = _until(config["until"]) if "until" in config else at + _span("seconds", config["seconds"])
    if due_at > at + LONGEST_DELAY:
        raise InvalidConfig(
            f"the delay ends later than {LONGEST_DELAY.days} days from now",
            "/until" if "until" in config else "/seconds",
        )
    if due_at <= at:
        return StepSucceeded(at=at, step=path, output=None, reason="delay_elapsed")
    return StepWaiting(at=at, step=path, due_at=due_at, reason="delay")


def _decide_wait(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    config = node.config.render(scope)
    name = config["signal"]
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_SIGNAL_NAME:
        raise InvalidConfig(f"`signal` must be a text of 1 to {LONGEST_SIGNAL_NAME} characters", "/signal")
    return StepWaiting(at=at, step=path, due_at=_timeout_at(config, at), reason="signal", signal=name)


def _decide_approval(path: str, node: Node, scope: Scope, at: datetime) -> ControlEvent:
    config = node.config.render(scope)
    message = config["message"]
    text = message if isinstance(message, str) else _encoder.encode(message).decode()
    if len(text) > LONGEST_MESSAGE:
        # Not cut: whoever decides must not miss what stands behind the cut.
        raise InvalidConfig(
            f"`message` has {len(text):,} characters; it may have at most {LONGEST_MESSAGE:,}", "/message"
        )
    return StepWaiting(at=at, step=path, due_at=_timeout_at(config, at), reason="approval", message=text)


_DECISIONS: dict[str, Callable[[str, Node, Scope, datetime], ControlEvent]] = {
    "if": _decide_if,
    "switch": _decide_switch,
    "transform": _decide_transform,
    "respond": _decide_respond,
    "fail": _decide_fail,
    "delay": _decide_delay,
    "wait": _decide_wait,
    "approval": _decide_approval,
}


def _timeout_at(config: Mapping[str, Any], at: datetime) -> datetime | None:
    if config.get("timeout") is None:
        return None
    return min(at + _span("timeout", config["timeout"]), at + LONGEST_DELAY)


def _span(field: str, seconds: Any) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidConfig(
            f"`{field}` is {show_value(seconds)}; it must be a number of seconds, 0 or more", f"/{field}"
        )
    return timedelta(seconds=min(seconds, 2 * LONGEST_DELAY.total_seconds()))


def _until(text: Any) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidConfig(
            f"`until` is {show_value(text)}; it must be a time with its offset, like 2027-01-31T09:00:00Z",
            "/until",
        )
    return moment.astimezone(UTC)


def show_value(value: Any) -> str:
    """A value for the reader of a message: as JSON, and no more of it than tells which one it is."""
    return shorten(_encoder.encode(value).decode(), _SHOWN_CHARACTERS)


def shorten(text: str, length: int) -> str:
    """The text, cut to `length` characters where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def name_type(value: Any) -> str:
    """What kind of JSON value it is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), "true or false" if isinstance(value, bool) else type(value).__name__)
