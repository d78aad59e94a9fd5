"""Event triggers: which of the product's own events they hear, and what keeps them from going round in circles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.core.expressions import Expression, ExpressionError, Fuel, compile_expression
from engine.core.problems import Problem
from engine.triggers.flow import FlowConfig, find_flow_problems

# Workflows that start each other by events: the run of the last one starts nothing more.
MAX_DEPTH: Final = 5
# Of the runs that one event starts, however they branch: so many more follow from theirs, and no further one.
MOST_FOLLOWING: Final = 1000
# A filter is asked for every event of its kind, and a key for those that it wants, in the process that publishes
# everybody's.
FILTER_FUEL: Final = 5_000

EventName = Literal[
    "run.queued",
    "run.started",
    "run.waiting",
    "run.resumed",
    "run.held",
    "run.signalled",
    "run.retried",
    "run.succeeded",
    "run.failed",
    "run.cancelled",
    "run.timed_out",
]


class EventConfig(FlowConfig, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events start a run: of this kind, of this workflow or of all, and for which `filter` is true.

    They may be held back, as those of a webhook may.
    """

    event: EventName
    workflow_id: UUID | UnsetType = UNSET
    filter: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET


class FilterFailed(Exception):
    """The filter cannot be evaluated for this event, or gives neither true nor false."""


class Cause(Struct, frozen=True, kw_only=True):
    """The run that an event is about.

    `chain`: the event triggers that led to it, the first one first. `root`: the event with which that began. `depth`:
    how many led from one to the next; a run of several events has more in its chain.
    """

    run_id: UUID
    chain: tuple[str, ...]
    details: Mapping[str, Any]
    root: str | None = None
    depth: int | None = None

    @property
    def level(self) -> int:
        """How deep the run is."""
        return len(self.chain) if self.depth is None else self.depth


def find_config_problems(config: EventConfig) -> list[Problem]:
    """What an event trigger cannot be saved with, but for a workflow that does not exist."""
    problems = [] if isinstance(config.filter, UnsetType) else _find_filter_problems(config.filter)
    return problems + find_flow_problems(config, is_answered_later=False)


def _find_filter_problems(source: str) -> list[Problem]:
    pointer = "/config/filter"
    try:
        expression = compile_expression(source)
    except ExpressionError as error:
        return [Problem(pointer, error.code, f"{error.message} (at position {error.position})")]
    return [
        Problem(pointer, "unknown_name", f"there is no name '{root}' here; a filter reads `trigger`")
        for root in sorted(expression.root_names - {"trigger"})
    ]


def describe_event(event: Mapping[str, Any], cause: Cause, trigger_id: UUID, received_at: datetime) -> dict[str, Any]:
    """The `trigger` that filters and runs see: the event as it is published, with more of the run that it is about."""
    chain = [*cause.chain, str(trigger_id)]
    return {
        "type": "event",
        "event": {**event, "run": dict(cause.details)},
        "depth": cause.level + 1,
        "chain": chain,
        "root": cause.root or event.get("id"),
        "body": None,
        "headers": {},
        "query": {},
        "method": None,
        "received_at": msgspec.to_builtins(received_at),
    }


def is_wanted(config: EventConfig, trigger: Mapping[str, Any]) -> bool:
    """Whether the filter is true, or there is none. Raises FilterFailed."""
    if not isinstance(config.filter, str):
        return True
    try:
        value = _compile(config.filter).evaluate({"trigger": trigger}, fuel=Fuel(FILTER_FUEL))
    except ExpressionError as error:
        raise FilterFailed(error.message) from None
    if not isinstance(value, bool):
        raise FilterFailed("the filter gives neither true nor false")
    return value


def find_cut_off(
    trigger_id: UUID, chain: Sequence[str], depth: int | None = None
) -> Literal["event_loop", "too_deep"] | None:
    """What keeps a trigger from firing for an event of a run that these triggers led to, so many after each other.

    `event_loop`: it has led to the run itself, and would go round for ever; `too_deep`: the chain is long enough.
    """
    if str(trigger_id) in chain:
        return "event_loop"
    return "too_deep" if (len(chain) if depth is None else depth) >= MAX_DEPTH else None


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    return compile_expression(source)
