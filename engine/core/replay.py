"""A run's state, made again from its journal."""

from collections.abc import Iterable

from engine.core.events import RunEvent
from engine.core.graph import Graph
from engine.core.state import State, apply_event, create_state


def replay(graph: Graph, events: Iterable[RunEvent], *, run_id: str, attempt: int) -> State:
    """The state that these events amount to. Raises InvalidTransition when they cannot be a run's history."""
    state = create_state(graph, run_id=run_id, attempt=attempt)
    for event in events:
        apply_event(graph, state, event)
    return state
