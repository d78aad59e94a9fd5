"""One turn of the core: the run, the moment, and what has been decided so far."""

from datetime import datetime

from engine.core.apply import apply_event, apply_step_event
from engine.core.decisions import Decision, Ignore, Record
from engine.core.events import RunEvent, StepEvent
from engine.core.graph import Graph, Node
from engine.core.state import Frame, State


class Turn:
    """One call of `advance`. `resumption` is why a waiting run goes on, should it."""

    __slots__ = ("at", "decisions", "graph", "resumption", "state")

    def __init__(self, graph: Graph, state: State, at: datetime) -> None:
        self.graph = graph
        self.state = state
        self.at = at
        self.decisions: list[Decision] = []
        self.resumption = "delay_elapsed"

    def record(self, event: RunEvent) -> None:
        """Decide an event, and let it change the state."""
        apply_event(self.graph, self.state, event)
        self.decisions.append(Record(event))

    def record_step(self, frame: Frame, node: Node, event: StepEvent) -> None:
        """Decide an event of a step at hand."""
        self.state.latest_at = self.at
        apply_step_event(self.state, frame, node, event)
        self.decisions.append(Record(event))

    def ignore(self, reason: str) -> None:
        """Say why the observation changes nothing."""
        self.decisions.append(Ignore(reason=reason))
