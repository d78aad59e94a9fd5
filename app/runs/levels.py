"""One level of a run: its own steps, or those of one iteration, told by the core's own rules.

What happens in the iterations of a level's `foreach` steps is left out: there may be 100,000 of them.
"""

from collections.abc import Sequence

import msgspec
import structlog

from engine.core.apply import apply_event
from engine.core.events import RunEvent, StepStarted, StepWaiting
from engine.core.graph import Graph
from engine.core.state import Frame, State
from engine.core.statuses import StepStatus
from engine.core.transitions import InvalidTransition

logger = structlog.get_logger(__name__)


def flatten(graph: Graph) -> Graph:
    """The graph with every `foreach` as a plain step, whose iterations are not followed."""
    return msgspec.structs.replace(graph, nodes=tuple(msgspec.structs.replace(node, body=None) for node in graph.nodes))


def follow(graph: Graph, state: State, event: RunEvent) -> bool:
    """Change a level's state by one of its events; False for one that cannot follow, in a journal that is broken."""
    try:
        apply_event(graph, state, _simplify(event))
    except (InvalidTransition, KeyError) as error:
        logger.warning("run_history_broken", run_id=state.scope["run"]["id"], error=str(error))
        return False
    return True


def find_begun(frame: Frame) -> Sequence[int]:
    """The steps that the journal tells nothing of although their turn has come: short attempts stand in none."""
    return [
        node.index
        for node in frame.graph.nodes
        if (step := frame.steps[node.index]).status is StepStatus.PENDING
        and not step.unsettled
        and (not node.after or (step.satisfied > 0 if node.join_any else step.satisfied == len(node.after)))
    ]


def _simplify(event: RunEvent) -> RunEvent:
    """The event without what concerns other levels: items, and signals, which steps of all levels take."""
    if isinstance(event, StepStarted):
        return msgspec.structs.replace(event, items=None)
    if isinstance(event, StepWaiting):
        return msgspec.structs.replace(event, signal=None)
    return event
