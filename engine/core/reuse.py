"""What a repeated run takes over from its original: the ends of steps before the one that it begins at."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec
from msgspec import UNSET

from engine.core.definition import Definition, StepDefinition
from engine.core.events import RunEvent, StepCancelled, StepFailed, StepSkipped, StepSucceeded
from engine.core.graph import ERROR_PORT, Graph

StepEnd = StepSucceeded | StepFailed | StepSkipped


def take_over(
    graph: Graph, events: Iterable[RunEvent], from_step: str, changed: AbstractSet[str], *, at: datetime
) -> list[StepEnd]:
    """The ends of the definition's own steps that hold in the new run too, in their order, dated `at`.

    Left out are `from_step`, the steps in `changed`, failures that nobody handled, and whatever follows from these.
    """
    ends: dict[str, StepEnd] = {}
    for event in events:
        if isinstance(event, StepSucceeded | StepFailed | StepSkipped) and event.step in graph.index_by_id:
            # Of several rounds, the latest counts.
            ends.pop(event.step, None)
            ends[event.step] = event
        elif isinstance(event, StepCancelled):
            ends.pop(event.step, None)
    again = _follow(graph, {from_step} | changed | _find_unhandled(graph, ends))
    return [_reuse(event, at) for step, event in ends.items() if step not in again]


def find_changed(before: Definition, after: Definition) -> set[str]:
    """The ids of steps that another version does not have as they were; their names for people do not matter."""
    known = {step.id: _say(step) for step in before.steps}
    return {step.id for step in after.steps if known.get(step.id) != _say(step)}


def _say(step: StepDefinition) -> bytes:
    # As text: to Python 1 is true, and the order of an object is nothing, which decides among the cases of a `switch`.
    return msgspec.json.encode(_nameless(step))


def _nameless(step: StepDefinition) -> StepDefinition:
    return msgspec.structs.replace(step, name=None, steps=[_nameless(nested) for nested in step.steps])


def _find_unhandled(graph: Graph, ends: dict[str, StepEnd]) -> set[str]:
    unhandled = set()
    for step, event in ends.items():
        if isinstance(event, StepFailed):
            listeners = [
                graph.nodes[edge.target].id
                for edge in graph.nodes[graph.index_by_id[step]].dependents
                if edge.port == ERROR_PORT
            ]
            if all(isinstance(ends.get(listener), StepSkipped) for listener in listeners):
                unhandled.add(step)
    return unhandled


def _follow(graph: Graph, steps: AbstractSet[str]) -> set[str]:
    """The steps, and all that wait for them, directly or through others."""
    found = {graph.index_by_id[step] for step in steps}
    ahead: Sequence[int] = list(found)
    while ahead:
        following = {edge.target for index in ahead for edge in graph.nodes[index].dependents} - found
        found |= following
        ahead = list(following)
    return {graph.nodes[index].id for index in found}


def _reuse(event: StepEnd, at: datetime) -> StepEnd:
    if isinstance(event, StepSkipped):
        return msgspec.structs.replace(event, at=at, reason="reused")
    return msgspec.structs.replace(
        event, at=at, attempt=0, started_at=None, queued_ms=0, limited_ms=UNSET, reason="reused"
    )
