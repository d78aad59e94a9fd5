"""What a worker counts of its runs and steps, once they are durable."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from prometheus_client import Counter

from engine.core.events import (
    RunCancelled,
    RunEvent,
    RunFailed,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    StepCancelled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepSucceeded,
    event_type,
)
from engine.core.graph import Graph, find_node
from engine.infra import metrics
from engine.infra.tallies import Count

_RUN_ENDS = (RunSucceeded, RunFailed, RunCancelled, RunTimedOut)
_STEP_ENDS = frozenset({StepSucceeded, StepFailed, StepSkipped, StepCancelled})


def count_events(graph: Graph, events: Sequence[RunEvent], *, queued_at: datetime) -> None:
    """Count what these events of one run say; `queued_at` is when the run was accepted."""
    for event in events:
        kind = type(event)
        if kind in _STEP_ENDS:
            _step_count(_type_of(graph, event.step), kind).value += 1  # type: ignore[union-attr]  # as the set says
        elif isinstance(event, StepRetrying):
            metrics.STEP_RETRIES.labels(_type_of(graph, event.step)).inc()
        elif isinstance(event, RunStarted):
            metrics.RUN_START_SECONDS.observe(max((event.at - queued_at).total_seconds(), 0.0))
        elif isinstance(event, _RUN_ENDS):
            _run_counter(event_type(event)).inc()
            metrics.RUN_SECONDS.observe(max((event.at - queued_at).total_seconds(), 0.0))


def _type_of(graph: Graph, path: str) -> str:
    index = graph.index_by_id.get(path)
    node = find_node(graph, path) if index is None else graph.nodes[index]
    return "unknown" if node is None else node.type


@cache
def _step_count(step_type: str, kind: type) -> Count:
    return metrics.STEPS_FINISHED.labels(step_type, str(kind.__struct_config__.tag).removeprefix("step."))  # type: ignore[attr-defined]  # an event's class


@cache
def _run_counter(event: str) -> Counter:
    return metrics.RUNS_FINISHED.labels(event.removeprefix("run."))
