"""Throttle, debounce and batch: which events are held together, and when they start what."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.core.expressions import Expression, ExpressionError, Fuel, compile_expression
from engine.core.problems import Problem
from engine.store.keeping import Hold, HoldKind

LONGEST_KEY = 512
# For each expression of a hook: it is evaluated within the request, in the process that takes everybody's.
HOOK_FUEL = 50_000
_WEEK = 7 * 86_400

Count = Annotated[int, Meta(ge=1, le=1000)]
Seconds = Annotated[float, Meta(ge=0.1, le=_WEEK)]
KeySource = Annotated[str, Meta(max_length=10_000)]


class Throttle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` runs start within any `per` seconds, for each key; further events wait for their turn."""

    limit: Count
    per: Seconds
    key: KeySource | UnsetType = UNSET


class Debounce(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once no event came for `period` seconds, for each key, the last one starts a run for all of them."""

    period: Seconds
    key: KeySource | UnsetType = UNSET


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run for `size` events, or for those that came within `period` seconds of the first, for each key."""

    size: Count
    period: Seconds
    key: KeySource | UnsetType = UNSET


class FlowConfig(Struct, frozen=True, kw_only=True):
    """The part of a trigger's configuration that is about holding events back."""

    throttle: Throttle | UnsetType = UNSET
    debounce: Debounce | UnsetType = UNSET
    batch: Batch | UnsetType = UNSET


class FlowKeyError(Exception):
    """The key of a throttle, debounce or batch cannot be made of this event."""


class Group(Struct, kw_only=True):
    """Events that are held together: how many, since when, and the last starts of a throttle."""

    kind: HoldKind
    size: int
    period_seconds: float
    waiting: int
    first_at: datetime
    last_at: datetime
    starts: list[datetime]

    @property
    def period(self) -> timedelta:
        """The period, or the time that the limit is for."""
        return timedelta(seconds=self.period_seconds)


class _Line(Struct):
    chain: tuple[str, ...] = ()
    depth: int = 0


_decode_line = msgspec.json.Decoder(_Line).decode


def find_flow_problems(config: FlowConfig, *, is_answered_later: bool) -> list[Problem]:
    """What cannot be saved; `is_answered_later`: callers wait for what the run answers."""
    kinds = [kind for kind in ("throttle", "debounce", "batch") if getattr(config, kind) is not UNSET]
    problems = [
        Problem(
            f"/config/{kind}", "exclusive", f"a trigger has one of throttle, debounce and batch, and {kinds[0]} is set"
        )
        for kind in kinds[1:]
    ]
    if kinds and is_answered_later:
        message = f"with {kinds[0]} the run starts later: nobody can wait for its answer"
        problems.append(Problem("/config/respond", "exclusive", message))
    for kind in kinds:
        source = getattr(config, kind).key
        if isinstance(source, str):
            problems += _key_problems(f"/config/{kind}/key", source)
    return problems


def find_rule(config: FlowConfig) -> Throttle | Debounce | Batch | None:
    """The rule by which the trigger holds events back, if it has one."""
    rules = (config.throttle, config.debounce, config.batch)
    return next((rule for rule in rules if not isinstance(rule, UnsetType)), None)


def make_hold(config: FlowConfig, trigger: Mapping[str, Any], fuel: int = HOOK_FUEL) -> Hold | None:
    """How an event is held back, None where it starts its run at once; raises FlowKeyError where the key fails."""
    rule = find_rule(config)
    if rule is None:
        return None
    kind, size, period = read_rule(rule)
    key = "" if isinstance(rule.key, UnsetType) else _make_key(f"{kind}.key", rule.key, trigger, fuel)
    return Hold(kind=kind, key=key, size=size, period_seconds=period)


def read_rule(rule: Throttle | Debounce | Batch) -> tuple[HoldKind, int, float]:
    """The kind of a rule, its number of events, and its time in seconds."""
    match rule:
        case Throttle(limit=limit, per=per):
            return "throttle", limit, per
        case Debounce(period=period):
            return "debounce", 1, period
        case Batch(size=size, period=period):
            return "batch", size, period


def count_due(group: Group, now: datetime, *, is_lifted: bool) -> int:
    """How many events of the group are to be released now; `is_lifted`: the trigger has no such rule any more."""
    if is_lifted:
        return min(group.size, group.waiting) if group.kind == "batch" else group.waiting
    match group.kind:
        case "throttle":
            return min(group.waiting, max(0, group.size - len(recent_starts(group, now))))
        case "debounce":
            return group.waiting if group.last_at + group.period <= now else 0
        case "batch":
            is_due = group.waiting >= group.size or group.first_at + group.period <= now
            return min(group.size, group.waiting) if is_due else 0


def recent_starts(group: Group, now: datetime) -> list[datetime]:
    """The starts that a throttle's limit still counts, the oldest first."""
    return [start for start in group.starts if start > now - group.period]


def next_look(group: Group, now: datetime) -> datetime | None:
    """When the group is to be looked at after a release; None where nothing is left of it."""
    if group.kind == "throttle":
        if not group.starts:
            return now if group.waiting else None
        if not group.waiting:
            return group.starts[-1] + group.period
        return now if len(group.starts) < group.size else group.starts[-group.size] + group.period
    if not group.waiting:
        return None
    if group.kind == "debounce":
        return group.last_at + group.period
    return now if group.waiting >= group.size else group.first_at + group.period


def join_events(documents: Sequence[bytes]) -> dict[str, Any]:
    """What the run of a batch sees as `trigger`: `events` in the order in which they came.

    Event triggers that led to any of them have led to all: what this run does must not go round by one of them.
    """
    last = msgspec.json.decode(documents[-1], type=dict[str, msgspec.Raw])
    joined: dict[str, Any] = {name: last[name] for name in ("type", "received_at", "root") if name in last}
    if "chain" in last:
        lines = [_decode_line(document) for document in documents]
        joined["depth"] = max(line.depth for line in lines)
        joined["chain"] = list(dict.fromkeys(one for line in lines for one in line.chain))
    return {**joined, "events": [msgspec.Raw(document) for document in documents]}


def _make_key(what: str, source: str, trigger: Mapping[str, Any], fuel: int) -> str:
    try:
        value = _compile(source).evaluate({"trigger": trigger}, fuel=Fuel(fuel))
    except ExpressionError as error:
        raise FlowKeyError(f"{what}: {error.message}") from error
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    if len(text) <= LONGEST_KEY and "\0" not in text:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _key_problems(pointer: str, source: str) -> list[Problem]:
    try:
        expression = compile_expression(source)
    except ExpressionError as error:
        return [Problem(pointer, error.code, f"{error.message} (at position {error.position})")]
    return [
        Problem(pointer, "unknown_name", f"there is no name '{root}' here; a key reads `trigger`")
        for root in sorted({reference[0] for reference in expression.references} - {"trigger"})
    ]


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    return compile_expression(source)
