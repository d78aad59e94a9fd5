"""A run's state, made again from its journal."""

from collections.abc import Sequence

from engine.core.apply import apply_event
from engine.core.events import RunEvent, StepStarted, StepSucceeded
from engine.core.graph import Graph
from engine.core.state import State, create_state


def replay(graph: Graph, events: Sequence[RunEvent], *, run_id: str, attempt: int, is_bare: bool = False) -> State:
    """The state that these events amount to. Raises InvalidTransition when they cannot be a run's history.

    A bare one, of events without their large outputs, knows only those items of loops that the events tell of: it
    serves to end the run.
    """
    state = create_state(graph, run_id=run_id, attempt=attempt)
    state.is_bare = is_bare
    state.past_loops = _find_past_loops(events)
    for event in events:
        apply_event(graph, state, event)
    return state


def _find_past_loops(events: Sequence[RunEvent]) -> frozenset[str]:
    """The paths of every `foreach` that has succeeded: what its items gave need not be made again."""
    loops = {event.step for event in events if isinstance(event, StepStarted) and event.items is not None}
    if not loops:
        return frozenset()
    return frozenset(event.step for event in events if isinstance(event, StepSucceeded) and event.step in loops)
