"""Where the time of a run and of each step went, told from the journal. The parts always add up to the whole.

A run is at every moment in one part alone. It is `queued` until a worker starts it, or `limited` once it is held for
want of a concurrency slot; `waiting` from `run.waiting` to `run.resumed`; `ended` between an end and the retry that
undid it. While it goes on it is `running` as long as any attempt runs, else `limited` while a limit of the worker holds
an attempt back, else `backing_off` while steps wait for their next attempt. What is left, the engine's own work between
steps and the time until a worker gets round to an attempt, is `running`; of a step, the latter is `queued`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

from msgspec import Struct

from engine.core.events import (
    RunCancelled,
    RunEvent,
    RunFailed,
    RunHeld,
    RunQueued,
    RunResumed,
    RunRetried,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    RunWaiting,
    StepEvent,
    event_type,
)
from engine.core.statuses import TERMINAL_STEP

_MILLISECOND = timedelta(milliseconds=1)
_STEP_ENDS = frozenset(f"step.{status}" for status in TERMINAL_STEP)


class TimeSpent(Struct, frozen=True, kw_only=True):
    """Wall time in milliseconds: `total_ms` is exactly the sum of the others."""

    total_ms: int
    queued_ms: int = 0
    limited_ms: int = 0
    running_ms: int = 0
    backing_off_ms: int = 0
    waiting_ms: int = 0
    ended_ms: int = 0


class Timing(Struct, frozen=True, kw_only=True):
    """What accounting needs of a step's event. `has_items`: a `foreach` starts.

    Of the `queued_ms` before an attempt, limits of the worker held it for the last `limited_ms`.
    """

    kind: str
    step: str
    at: datetime
    started_at: datetime | None = None
    queued_ms: int = 0
    limited_ms: int = 0
    retry_at: datetime | None = None
    has_items: bool = False


class _Layer(IntEnum):
    """What covers a stretch of time; of several, the first counts."""

    QUEUED = 0
    HELD = 1
    WAITING = 2
    ENDED = 3
    ATTEMPT = 4
    HELD_BACK = 5
    BACKING_OFF = 6
    STEP_WAITING = 7
    ITEMS = 8


_FIELDS = {
    _Layer.QUEUED: "queued_ms",
    _Layer.HELD: "limited_ms",
    _Layer.WAITING: "waiting_ms",
    _Layer.ENDED: "ended_ms",
    _Layer.ATTEMPT: "running_ms",
    _Layer.HELD_BACK: "limited_ms",
    _Layer.BACKING_OFF: "backing_off_ms",
    _Layer.STEP_WAITING: "waiting_ms",
    _Layer.ITEMS: "running_ms",
}
_Span = tuple[datetime, datetime, _Layer]


def take_timing(event: StepEvent) -> Timing:
    """What accounting needs of the event."""
    return Timing(
        kind=event_type(event),
        step=event.step,
        at=event.at,
        started_at=getattr(event, "started_at", None),
        queued_ms=getattr(event, "queued_ms", 0),
        limited_ms=getattr(event, "limited_ms", 0) or 0,
        retry_at=getattr(event, "retry_at", None),
        has_items=getattr(event, "items", None) is not None,
    )


def account_run(events: Sequence[RunEvent], timings: Iterable[Timing], *, until: datetime) -> TimeSpent:
    """Split the time from the run's first event to its end, or to `until` where it goes on.

    `events` are its own ones in order, `timings` those of its steps and their iterations, each step's in order.
    """
    spans, end = _split_phases(events, until)
    for steps in _group(timings):
        spans.extend(span for span in _split_attempts(steps, end) if span[2] in _OF_RUN)
    return _measure(events[0].at, end, spans, rest="running_ms")


def account_step(timings: Sequence[Timing], *, until: datetime) -> TimeSpent | None:
    """Split the time from a step's beginning to its end, or to `until` where it goes on; None where none is known.

    `queued` is what passes before an attempt for want of a worker that gets round to it, and between the time of a
    retry and the attempt; `ended` lies between the rounds of a run.
    """
    if not timings:
        return None
    begin, last = _find_first(timings), timings[-1]
    end = last.at if last.kind in _STEP_ENDS else max(until, last.at)
    return _measure(begin, max(begin, end), list(_split_attempts(timings, end)), rest="queued_ms")


_OF_RUN = frozenset({_Layer.ATTEMPT, _Layer.HELD_BACK, _Layer.BACKING_OFF})


def _split_phases(events: Sequence[RunEvent], until: datetime) -> tuple[list[_Span], datetime]:
    """The times when the run itself stood still, and its end."""
    spans: list[_Span] = []
    layer: _Layer | None = _Layer.QUEUED
    since = events[0].at
    for event in events:
        following = _find_layer(event, layer)
        if following is not layer:
            # Another process's clock may be behind.
            at = max(event.at, since)
            if layer is not None:
                spans.append((since, at, layer))
            layer, since = following, at
    end = since if layer is _Layer.ENDED else max(since, until)
    if layer is not None:
        spans.append((since, end, layer))
    return spans, end


def _find_layer(event: RunEvent, layer: _Layer | None) -> _Layer | None:
    """What the run does after the event: None while it goes on."""
    match event:
        case RunQueued() | RunRetried():
            return _Layer.QUEUED
        case RunHeld():
            return _Layer.HELD
        case RunWaiting():
            return _Layer.WAITING
        case RunStarted() | RunResumed():
            return None
        case RunSucceeded() | RunFailed() | RunCancelled() | RunTimedOut():
            return _Layer.ENDED
        case _:
            return layer


def _group(timings: Iterable[Timing]) -> Iterable[list[Timing]]:
    by_step: dict[str, list[Timing]] = {}
    for timing in timings:
        by_step.setdefault(timing.step, []).append(timing)
    return by_step.values()


def _split_attempts(timings: Sequence[Timing], end: datetime) -> Iterator[_Span]:
    """What a step did when, as far as its events tell."""
    for number, timing in enumerate(timings):
        following = timings[number + 1] if number + 1 < len(timings) else None
        until = end if following is None else following.at
        started_at = timing.started_at
        if timing.has_items:
            yield timing.at, until, _Layer.ITEMS
        elif timing.kind == "step.started" and started_at is None and timing.limited_ms:
            yield timing.at - timing.limited_ms * _MILLISECOND, until, _Layer.HELD_BACK
        elif timing.kind == "step.waiting":
            yield timing.at, until, _Layer.STEP_WAITING
        if started_at is not None and not timing.has_items:
            yield started_at, until if timing.kind == "step.started" else timing.at, _Layer.ATTEMPT
            yield started_at - timing.limited_ms * _MILLISECOND, started_at, _Layer.HELD_BACK
        if timing.retry_at is not None:
            yield timing.at, min(timing.retry_at, until), _Layer.BACKING_OFF
        if timing.kind in _STEP_ENDS and following is not None:
            yield timing.at, _begin(following), _Layer.ENDED


def _begin(timing: Timing) -> datetime:
    """When that of which the event tells began."""
    return min(timing.at, (timing.started_at or timing.at) - timing.queued_ms * _MILLISECOND)


def _find_first(timings: Sequence[Timing]) -> datetime:
    """When a step began: of an attempt that was held back, only its end tells since when."""
    begins = []
    for timing in timings:
        begins.append(_begin(timing))
        if timing.kind != "step.started" or timing.has_items:
            break
    return min(begins)


def _measure(begin: datetime, end: datetime, spans: Sequence[_Span], *, rest: str) -> TimeSpent:
    """Sum up what covers the time from `begin` to `end`; what nothing covers is `rest`."""
    total = (end - begin) // _MILLISECOND
    # Whole milliseconds from the beginning on: differences of such times add up exactly.
    changes: list[tuple[int, int, _Layer]] = []
    for start, stop, layer in spans:
        first, last = max((start - begin) // _MILLISECOND, 0), min((stop - begin) // _MILLISECOND, total)
        if first < last:
            changes += ((first, 1, layer), (last, -1, layer))
    changes.sort()
    spent = dict.fromkeys([*_FIELDS.values(), rest], 0)
    covering = dict.fromkeys(_Layer, 0)
    position = 0
    for at, change, layer in changes:
        if at > position:
            spent[_top(covering, rest)] += at - position
            position = at
        covering[layer] += change
    spent[rest] += total - position
    return TimeSpent(total_ms=total, **spent)


def _top(covering: dict[_Layer, int], rest: str) -> str:
    return next((_FIELDS[layer] for layer, count in covering.items() if count), rest)
