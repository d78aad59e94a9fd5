"""Traces: every accepted trigger has a W3C traceparent, and only sampled ones cost more than passing it on.

The OpenTelemetry SDK is loaded only where a collector is set. A span of an unsampled trace is a context variable.
"""

import random
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Protocol, Self

from engine.infra.settings import Settings

Attributes = Mapping[str, str | int | float | bool]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED_DIGITS = frozenset("13579bdf")
_NO_ATTRIBUTES: Attributes = {}


class Span:
    """What goes on under a name. This one is not recorded: it only carries the traceparent to what it calls."""

    __slots__ = ("_token", "traceparent")

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        self._token: Token[str | None] = _current.set(self.traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)

    @property
    def is_recorded(self) -> bool:
        """Whether attributes are worth computing."""
        return False

    def set_attribute(self, name: str, value: str | float | bool) -> None:
        """Note a fact on the span; an attribute's name follows OpenTelemetry's semantic conventions where one fits."""

    def fail(self, message: str) -> None:
        """Mark the span as failed without an exception."""


class Recorder(Protocol):
    """Starts the spans of sampled traces and sends them to the collector."""

    def start(
        self, name: str, parent: str, *, is_root: bool, kind: str, links: Sequence[str], attributes: Attributes
    ) -> Span:
        """A recorded span below `parent`, or the root span of its trace."""

    def shutdown(self) -> None:
        """Send what is left, in bounded time."""


class _State:
    """The process's recorder, and the bound below which the low half of a new trace id is sampled."""

    recorder: Recorder | None = None
    bound = 0


_current: ContextVar[str | None] = ContextVar("flowforge_traceparent", default=None)
_state = _State()


def configure_telemetry(settings: Settings, role: str) -> None:
    """Start recording sampled spans where a collector is set; call it in the process itself, after any fork."""
    if not settings.otlp_endpoint:
        return
    from engine.infra.trace_export import (  # noqa: PLC0415 - the SDK costs time and memory that only its users pay
        OtlpRecorder,
    )

    shutdown_telemetry()
    use_recorder(OtlpRecorder(settings, role), settings.trace_sample_ratio)


def use_recorder(recorder: Recorder | None, ratio: float) -> None:
    """Record spans with this recorder; `ratio` of new traces is sampled."""
    _state.recorder = recorder
    _state.bound = round(ratio * 2**64) if recorder else 0


def shutdown_telemetry() -> None:
    """Send the spans that are left, for at most 2 seconds; recording ends."""
    recorder = _state.recorder
    use_recorder(None, 0)
    if recorder is not None:
        recorder.shutdown()


def current_traceparent() -> str | None:
    """The traceparent of the innermost span, to be passed on; None outside any."""
    return _current.get()


def read_traceparent(header: str | None) -> str | None:
    """A traceparent that came from outside, or None where it is missing or malformed."""
    if header is None or not _TRACEPARENT.fullmatch(header):
        return None
    return header


def new_traceparent() -> str:
    """The traceparent of a new trace, sampled by the configured ratio."""
    # Ids want uniqueness, not secrecy; `random` is reseeded in a forked child.
    trace_id = random.getrandbits(128) or 1
    flags = "01" if trace_id & 0xFFFF_FFFF_FFFF_FFFF < _state.bound else "00"
    return f"00-{trace_id:032x}-{random.getrandbits(64) or 1:016x}-{flags}"


def is_sampled(traceparent: str) -> bool:
    """Whether the trace is recorded by those who record at all."""
    return traceparent[-1] in _SAMPLED_DIGITS


def is_recorded(traceparent: str) -> bool:
    """Whether a span below this one would be recorded by this process: only then are its attributes worth making."""
    return _state.recorder is not None and traceparent[-1] in _SAMPLED_DIGITS


def span(
    name: str,
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    attributes: Attributes = _NO_ATTRIBUTES,
    kind: str = "internal",
) -> Span:
    """A span to be used with `with`: below `parent`, else below the current span, else the root of a new trace.

    `links` are traceparents of related spans; `kind` is internal, server, client, producer or consumer.
    """
    traceparent = parent or _current.get()
    is_root = traceparent is None
    if traceparent is None:
        traceparent = new_traceparent()
    recorder = _state.recorder
    if recorder is None or traceparent[-1] not in _SAMPLED_DIGITS:
        return Span(traceparent)
    return recorder.start(name, traceparent, is_root=is_root, kind=kind, links=links, attributes=attributes)
