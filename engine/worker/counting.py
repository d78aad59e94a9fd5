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
from engine.core.graph import Graph
from engine.infra import metrics

_RUN_ENDS = (RunSucceeded, RunFailed, RunCancelled, RunTimedOut)
_STEP_ENDS = (StepSucceeded, StepFailed, StepSkipped, StepCancelled)


def count_events(graph: Graph, events: Sequence[RunEvent], *, queued_at: datetime) -> None:
    """Count what these events of one run say; `queued_at` is when the run was accepted."""
    for event in events:
        if isinstance(event, _STEP_ENDS):
            _step_counter(_type_of(graph, event.step), event_type(event)).inc()
        elif isinstance(event, StepRetrying):
            metrics.STEP_RETRIES.labels(_type_of(graph, event.step)).inc()
        elif isinstance(event, RunStarted):
            metrics.RUN_START_SECONDS.observe(max((event.at - queued_at).total_seconds(), 0.0))
        elif isinstance(event, _RUN_ENDS):
            _run_counter(event_type(event)).inc()
            metrics.RUN_SECONDS.observe(max((event.at - queued_at).total_seconds(), 0.0))


def _type_of(graph: Graph, step: str) -> str:
    return graph.nodes[graph.index_by_id[step]].type


@cache
def _step_counter(step_type: str, event: str) -> Counter:
    return metrics.STEPS_FINISHED.labels(step_type, event.removeprefix("step."))


@cache
def _run_counter(event: str) -> Counter:
    return metrics.RUNS_FINISHED.labels(event.removeprefix("run."))
