"""One turn of the core: the run, the moment, and what has been decided so far."""

from datetime import datetime

from engine.core.apply import apply_event, apply_step_event
from engine.core.decisions import Decision, Ignore, Record, StartAttempt, StartChild, StopAttempt
from engine.core.events import RunEvent, StepEvent
from engine.core.graph import Graph, Node
from engine.core.observations import FindBegun
from engine.core.state import Frame, State


class Turn:
    """One call of `advance`. `resumption` is why a waiting run goes on, should it; `stopped` are paths of steps."""

    __slots__ = ("at", "decisions", "find_begun", "graph", "resumption", "state", "stopped")

    def __init__(self, graph: Graph, state: State, at: datetime, find_begun: FindBegun) -> None:
        self.graph = graph
        self.state = state
        self.at = at
        self.find_begun = find_begun
        self.decisions: list[Decision] = []
        self.resumption = "delay_elapsed"
        self.stopped: set[str] = set()

    def record(self, event: RunEvent) -> None:
        """Decide an event, and let it change the state."""
        apply_event(self.graph, self.state, event)
        self.decisions.append(Record(event))

    def record_step(self, frame: Frame, node: Node, event: StepEvent) -> None:
        """Decide an event of a step at hand."""
        self.state.latest_at = self.at
        apply_step_event(self.state, frame, node, event)
        self.decisions.append(Record(event))

    def stop(self, path: str) -> None:
        """Break off what a step attempts."""
        self.stopped.add(path)
        self.decisions.append(StopAttempt(step=path))

    def withdraw_starts(self) -> None:
        """Take back what this turn began and then broke off again: nobody may see an effect of it."""
        if not self.stopped:
            return
        withdrawn = {
            decision.step
            for decision in self.decisions
            if isinstance(decision, StartAttempt | StartChild) and decision.step in self.stopped
        }
        if withdrawn:
            self.decisions = [
                decision
                for decision in self.decisions
                if not isinstance(decision, StartAttempt | StartChild | StopAttempt) or decision.step not in withdrawn
            ]

    def ignore(self, reason: str) -> None:
        """Say why the observation changes nothing."""
        self.decisions.append(Ignore(reason=reason))
