"""The state of one run: what its journal amounts to. Owned and changed in place by one driver.

A run is a tree of frames: the root frame holds the definition's own steps, and every open iteration of a `foreach`
has a frame for the steps of its body.
"""

import heapq
from collections import deque
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from engine.core.graph import ERROR_PORT, SUCCESS, Graph, Node
from engine.core.observations import BegunAttempt
from engine.core.statuses import TERMINAL_RUN, RunStatus, StepStatus

RUN_DEADLINE = -1


class StepRun(Struct, kw_only=True, eq=False):
    """One step in one run. `unsettled` and `satisfied` count the entries of its `after`.

    `base` is the attempt that the present round follows: a retried run counts on from it. `begun` is the present
    attempt where the journal tells that it has begun. `waits_for` is the reason of a waiting step; `loop` are the
    iterations of a `foreach`, kept after a failure for a retry.
    """

    status: StepStatus = StepStatus.PENDING
    unsettled: int
    satisfied: int = 0
    attempt: int = 0
    base: int = 0
    begun: BegunAttempt | None = None
    port: str | None = None
    due_at: datetime | None = None
    open_listeners: int = 0
    waits_for: str | None = None
    signal: str | None = None
    child_run_id: str | None = None
    loop: "Loop | None" = None


class Frame(Struct, kw_only=True, eq=False):
    """The steps of a graph in one run, or in one iteration. `scope` holds the names that its expressions see.

    `key` is the iteration's path (`each[3]`), `prefix` what stands before the ids of its steps (`each[3].`); both are
    empty at the root.
    """

    graph: Graph
    key: str = ""
    prefix: str = ""
    steps: list[StepRun]
    scope: dict[str, Any]
    unfinished: int
    cancelled: int = 0
    unhandled: int | None = None
    loop: "Loop | None" = None
    index: int = 0


class Loop(Struct, kw_only=True, eq=False):
    """The iterations of one `foreach`, which is step `node` of `frame`.

    `results` has an entry a finished item; `open` are the frames at work, `kept` those that failed or were cancelled.
    `is_past`: the journal has its end already, so that no result is made again.
    """

    frame: Frame
    node: Node
    items: list[Any]
    concurrency: int
    continues: bool
    is_past: bool
    results: dict[int, Any] = {}
    size: int = 0
    next: int = 0
    open: dict[int, Frame] = {}
    kept: dict[int, Frame] = {}
    failure: Any = None
    is_closing: bool = False

    @property
    def is_done(self) -> bool:
        """Whether no iteration is left to begin or to end."""
        return not self.open and self.next >= len(self.items)


class State(Struct, kw_only=True, eq=False):
    """One run.

    `unresolved` are the steps whose turn may have come, `failing` the frames with an unhandled failure, `closing` the
    loops whose end may be decided; `waiting` counts waiting steps by what they wait for.
    `is_bare`: it was made without large outputs, and has those items of loops alone that the journal tells of.
    `latest_at` is the latest time of its events: clocks of several processes write them, but none goes back.
    """

    status: RunStatus = RunStatus.QUEUED
    root: Frame
    frames: dict[str, Frame]
    active: int = 0
    retrying: int = 0
    waiting: dict[str, int] = {}
    unresolved: deque[tuple[Frame, int]]
    failing: deque[Frame]
    closing: deque[Loop]
    timers: list[tuple[datetime, int, Frame | None, int]] = []
    timer_serial: int = 0
    deadline_at: datetime | None = None
    signals: dict[str, deque[Any]] = {}
    waits: dict[str, deque[tuple[Frame, int]]] = {}
    mocks: dict[str, Any] = {}
    preset_vars: dict[str, Any] = {}
    past_loops: frozenset[str] = frozenset()
    prepared: Any = None
    is_held: bool = False
    is_bare: bool = False
    latest_at: datetime

    @property
    def steps(self) -> list[StepRun]:
        """The steps of the definition itself."""
        return self.root.steps

    @property
    def scope(self) -> dict[str, Any]:
        """The names that expressions of the definition's own steps see."""
        return self.root.scope

    @property
    def unfinished(self) -> int:
        """How many of the definition's own steps have not ended."""
        return self.root.unfinished

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the run is being attempted: what is left waits for its time."""
        return self.active == self.retrying and not self.is_undecided

    @property
    def is_undecided(self) -> bool:
        """Whether steps are left whose turn may have come."""
        return bool(self.unresolved or self.failing or self.closing)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL_RUN

    def locate(self, path: str) -> tuple[Frame, Node]:
        """The frame and node of a step's path; raises KeyError where no such step is open."""
        key, _, step_id = path.rpartition(".")
        frame = self.frames[key]
        return frame, frame.graph.nodes[frame.graph.index_by_id[step_id]]

    def find(self, path: str) -> StepRun | None:
        """The step of a path; None where no such step is open."""
        try:
            frame, node = self.locate(path)
        except KeyError:
            return None
        return frame.steps[node.index]

    def next_due(self) -> datetime | None:
        """When something of the run is due next: a delay, a timeout, a retry or its deadline."""
        while self.timers and not self._is_current(self.timers[0]):
            heapq.heappop(self.timers)
        return self.timers[0][0] if self.timers else None

    def pop_due(self, now: datetime) -> tuple[Frame | None, int] | None:
        """The step that is due (no frame: the run's deadline), taken off the timers; None while none is."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return None
        return heapq.heappop(self.timers)[2:]

    def add_timer(self, due_at: datetime, frame: Frame | None, index: int) -> None:
        """Make a step due at a time, or without a frame the run."""
        # The serial keeps the heap from comparing frames.
        self.timer_serial += 1
        heapq.heappush(self.timers, (due_at, self.timer_serial, frame, index))

    def _is_current(self, timer: tuple[datetime, int, Frame | None, int]) -> bool:
        due_at, _, frame, index = timer
        return (self.deadline_at if frame is None else frame.steps[index].due_at) == due_at


def create_state(graph: Graph, *, run_id: str, attempt: int) -> State:
    """The state of a run before its first event."""
    scope = {"steps": {}, "run": {"id": run_id, "attempt": attempt, "started_at": None}, "vars": {}}
    root = create_frame(graph, scope)
    return State(
        root=root,
        frames={"": root},
        unresolved=deque((root, index) for index in graph.roots),
        latest_at=datetime.min.replace(tzinfo=UTC),
        failing=deque(),
        closing=deque(),
    )


def create_frame(graph: Graph, scope: dict[str, Any], *, key: str = "") -> Frame:
    """A frame in which nothing has happened yet."""
    return Frame(
        graph=graph,
        key=key,
        prefix=f"{key}." if key else "",
        steps=[StepRun(unsettled=len(node.after), open_listeners=node.error_listeners) for node in graph.nodes],
        scope=scope,
        unfinished=len(graph.nodes),
    )


def number_attempt(step: StepRun) -> int:
    """The number of the attempt that a step makes, or would make next; one that a crash broke off keeps its number."""
    return step.attempt + (step.status is StepStatus.RETRYING or step.attempt == step.base)


def start_attempt(state: State, frame: Frame, node: Node) -> StepRun:
    """Mark an action step as running."""
    step = frame.steps[node.index]
    step.attempt = number_attempt(step)
    state.active += step.status not in (StepStatus.RUNNING, StepStatus.RETRYING)
    state.retrying -= step.status is StepStatus.RETRYING
    step.status = StepStatus.RUNNING
    step.due_at = None
    return step


def is_satisfied(frame: Frame, source: int, port: str) -> bool:
    """Whether an entry of `after` is satisfied by its settled step."""
    step = frame.steps[source]
    if step.status is StepStatus.SUCCEEDED:
        if port == SUCCESS:
            return step.port is None or step.port not in frame.graph.nodes[source].refusing_ports
        return port == step.port
    return step.status is StepStatus.FAILED and port == ERROR_PORT
