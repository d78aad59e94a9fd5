"""The state of one run: what its journal amounts to. Owned and changed in place by one driver."""

import heapq
from collections import deque
from datetime import UTC, datetime
from typing import Any, assert_never

import msgspec
from msgspec import Struct

from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunQueued,
    RunStarted,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    event_type,
    is_step_event,
)
from engine.core.graph import ERROR_PORT, SUCCESS, Graph, Node
from engine.core.statuses import TERMINAL_RUN, TERMINAL_STEP, RunStatus, StepStatus
from engine.core.transitions import InvalidTransition, move_run, move_step

RUN_DEADLINE = -1
_ACTIVE = frozenset({StepStatus.RUNNING, StepStatus.RETRYING})


class StepRun(Struct, kw_only=True):
    """One step in one run. `unsettled` and `satisfied` count the entries of its `after`."""

    status: StepStatus = StepStatus.PENDING
    unsettled: int
    satisfied: int = 0
    attempt: int = 0
    port: str | None = None
    due_at: datetime | None = None
    open_listeners: int = 0


class State(Struct, kw_only=True):
    """One run. `scope` holds the names that its expressions see; `unresolved` the steps whose turn may have come.

    `latest_at` is the latest time of its events: clocks of several processes write them, but none goes back.
    """

    status: RunStatus = RunStatus.QUEUED
    steps: list[StepRun]
    scope: dict[str, Any]
    unfinished: int
    active: int = 0
    retrying: int = 0
    waiting: int = 0
    unresolved: deque[int]
    timers: list[tuple[datetime, int]] = []
    unhandled: int | None = None
    latest_at: datetime

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the run is being attempted: what is left waits for its time."""
        return self.active == self.retrying

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL_RUN

    def next_due(self) -> datetime | None:
        """When something of the run is due next: a delay, a retry or its deadline."""
        while self.timers and not self._is_current(*self.timers[0]):
            heapq.heappop(self.timers)
        return self.timers[0][0] if self.timers else None

    def pop_due(self, now: datetime) -> int | None:
        """The index of a step that is due (RUN_DEADLINE for the run itself), taken off the timers."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return None
        return heapq.heappop(self.timers)[1]

    def add_timer(self, due_at: datetime, index: int) -> None:
        """Make `index` due at a time."""
        heapq.heappush(self.timers, (due_at, index))

    def _is_current(self, due_at: datetime, index: int) -> bool:
        return index == RUN_DEADLINE or self.steps[index].due_at == due_at


def create_state(graph: Graph, *, run_id: str, attempt: int) -> State:
    """The state of a run before its first event."""
    return State(
        steps=[StepRun(unsettled=len(node.after), open_listeners=node.error_listeners) for node in graph.nodes],
        scope={"steps": {}, "run": {"id": run_id, "attempt": attempt, "started_at": None}, "vars": {}},
        unfinished=len(graph.nodes),
        unresolved=deque(graph.roots),
        latest_at=datetime.min.replace(tzinfo=UTC),
        timers=[],
    )


def apply_event(graph: Graph, state: State, event: RunEvent) -> None:
    """Change the state by one event of its journal. Raises InvalidTransition when the event cannot follow."""
    state.latest_at = max(state.latest_at, event.at)
    if is_step_event(event):
        _apply_step_event(graph.nodes[graph.index_by_id[event.step]], state, event)
    else:
        _apply_run_event(state, event)


def start_attempt(state: State, node: Node) -> StepRun:
    """Mark an action step as running; an attempt that was broken off by a crash keeps its number."""
    step = state.steps[node.index]
    if step.status is StepStatus.RETRYING or not step.attempt:
        step.attempt += 1
    state.active += step.status not in _ACTIVE
    state.retrying -= step.status is StepStatus.RETRYING
    step.status = StepStatus.RUNNING
    step.due_at = None
    return step


def is_satisfied(state: State, source: int, port: str) -> bool:
    """Whether an entry of `after` is satisfied by its settled step."""
    step = state.steps[source]
    if step.status is StepStatus.SUCCEEDED:
        return port in (SUCCESS, step.port)
    return step.status is StepStatus.FAILED and port == ERROR_PORT


def describe_error(error: ErrorInfo | None) -> Any:
    """An error as expressions see it."""
    return None if error is None else msgspec.to_builtins(error)


def _apply_step_event(node: Node, state: State, event: StepEvent) -> None:
    step = state.steps[node.index]
    before = step.status
    step.status = after = move_step(node.id, before, event_type(event))
    state.active += (after in _ACTIVE) - (before in _ACTIVE)
    state.retrying += (after is StepStatus.RETRYING) - (before is StepStatus.RETRYING)
    state.waiting += (after is StepStatus.WAITING) - (before is StepStatus.WAITING)
    step.due_at = None
    # The commonest first.
    match event:
        case StepSucceeded():
            step.attempt = event.attempt
            step.port = event.port
            _settle(state, node, output=event.output)
        case StepFailed():
            step.attempt = event.attempt
            if not step.open_listeners:
                state.unhandled = node.index
            _settle(state, node, error=event.error)
        case StepSkipped():
            _settle(state, node)
            _withdraw_listener(state, node)
        case StepCancelled():
            _settle(state, node)
        case StepRetrying():
            step.attempt = event.attempt
            step.due_at = event.retry_at
            state.add_timer(event.retry_at, node.index)
        case StepWaiting():
            step.due_at = event.due_at
            state.add_timer(event.due_at, node.index)
        case StepStarted():
            step.attempt = event.attempt
        case _:
            assert_never(event)


def _apply_run_event(state: State, event: RunEvent) -> None:
    if isinstance(event, RunQueued):
        if state.status is not RunStatus.QUEUED:
            raise InvalidTransition("the run", state.status, "run.queued")
        state.scope |= {"trigger": event.trigger, "input": event.input, "workflow": event.workflow}
        return
    state.status = move_run(state.status, event_type(event))
    if isinstance(event, RunStarted):
        state.scope["vars"] = event.vars
        state.scope["run"]["started_at"] = msgspec.to_builtins(event.at)
        state.add_timer(event.deadline_at, RUN_DEADLINE)


def _settle(state: State, node: Node, *, output: Any = None, error: ErrorInfo | None = None) -> None:
    """Close a step: show its result to expressions and count it where it was waited for."""
    step = state.steps[node.index]
    state.unfinished -= 1
    state.scope["steps"][node.id] = {"output": output, "error": describe_error(error), "status": step.status.value}
    for edge in node.dependents:
        target = state.steps[edge.target]
        target.unsettled -= 1
        target.satisfied += is_satisfied(state, node.index, edge.port)
        if not target.unsettled and target.status not in TERMINAL_STEP:
            state.unresolved.append(edge.target)


def _withdraw_listener(state: State, node: Node) -> None:
    """A skipped step handles no failure: where it was the last that could, the failure is unhandled."""
    for source, port in node.after:
        if port == ERROR_PORT:
            step = state.steps[source]
            step.open_listeners -= 1
            if not step.open_listeners and step.status is StepStatus.FAILED:
                state.unhandled = source
