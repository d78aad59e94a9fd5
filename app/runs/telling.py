"""The steps of one level of a run as people read them, told event by event."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, assert_never

import msgspec

from app.runs.explanations import Explainer
from app.runs.levels import find_begun, flatten, follow
from app.runs.previews import present, present_output
from app.runs.schemas import AttemptView, ItemCounts, StepView, WaitingView
from engine.core.accounting import Timing, account_step, take_timing
from engine.core.definition import StepDefinition
from engine.core.events import (
    ErrorInfo,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunRetried,
    RunTimedOut,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    is_step_event,
)
from engine.core.expressions import ExpressionError
from engine.core.graph import Graph, Node
from engine.core.state import State, StepRun, create_state
from engine.core.statuses import TERMINAL_STEP, RunStatus, StepStatus

_BROKEN_OFF = {RunFailed: "run_failed", RunCancelled: "run_cancelled", RunTimedOut: "run_timed_out"}


class Level:
    """The steps of a run, or of one iteration, whose path `prefix` stands before their ids.

    `views` are what readers see of them; `large` are the ids of those whose output lies apart. `own` are the
    events of the run itself.
    """

    def __init__(
        self, graph: Graph, definitions: Sequence[StepDefinition], *, prefix: str, run_id: str, attempt: int
    ) -> None:
        self.graph = flatten(graph)
        self.definitions = definitions
        self.state: State = create_state(self.graph, run_id=run_id, attempt=attempt)
        self.views = [
            StepView(id=step.id, path=prefix + step.id, type=step.type, name=step.name, status=StepStatus.PENDING)
            for step in definitions
        ]
        self.timings: list[list[Timing]] = [[] for _ in definitions]
        self.large: set[str] = set()
        self.own: list[tuple[int, RunEvent]] = []
        self._prefix = prefix

    def tell(self, seq: int, event: RunEvent) -> None:
        """Carry one event over to the level and to the step that it is about, if it is about one."""
        if not is_step_event(event):
            if isinstance(event, RunFailed | RunCancelled | RunTimedOut):
                self.break_off(seq, event.at, _BROKEN_OFF[type(event)])
            if follow(self.graph, self.state, event):
                self.own.append((seq, event))
            if isinstance(event, RunRetried):
                self.forget_past()
            return
        index = self.graph.index_by_id.get(event.step.removeprefix(self._prefix))
        if index is None:
            return
        step_id = self.graph.nodes[index].id
        if isinstance(event, StepCancelled) and not event.attempt:
            event = _name_attempt(event, self.state.steps[index])
        follow(self.graph, self.state, msgspec.structs.replace(event, step=step_id) if self._prefix else event)
        self.timings[index].append(take_timing(event))
        if isinstance(event, StepSucceeded) and event.output_ref is not None:
            self.large.add(step_id)
        _tell(self.views[index], event, seq)

    def break_off(self, seq: int, at: datetime, reason: str) -> None:
        """Cancel what has not ended: a run that could not be driven to its end leaves such steps behind."""
        for view, step in zip(self.views, self.state.steps, strict=True):
            if step.status not in TERMINAL_STEP:
                self.tell(seq, StepCancelled(at=at, step=view.path, reason=reason))

    def forget_past(self) -> None:
        """A step that a new round runs again has only its earlier attempts left to show."""
        for view, step in zip(self.views, self.state.steps, strict=True):
            if step.status is StepStatus.PENDING and view.status is not StepStatus.PENDING:
                view.status = StepStatus.PENDING
                view.reason = view.because = view.port = view.output = view.error = view.items = view.waiting = None
                view.started_at = view.finished_at = view.due_at = None

    def find_running(self) -> None:
        """Mark the steps that are being attempted, which stands in no journal for a while."""
        for index in find_begun(self.state.root):
            self.views[index].status = StepStatus.RUNNING

    def complete(self, scope: Mapping[str, Any], until: datetime, *, has_begun: bool) -> None:
        """Add what is told from the whole level: inputs in the names of `scope`, times up to `until`, explanations."""
        whole = "item" if self._prefix else "run"
        explainer = Explainer(self.definitions, self.views, whole=whole, has_begun=has_begun)
        for view, node, definition, timings in zip(
            self.views, self.graph.nodes, self.definitions, self.timings, strict=True
        ):
            view.time = account_step(timings, until=until)
            view.explanation = explainer.explain(view)
            if view.status not in (StepStatus.PENDING, StepStatus.SKIPPED):
                view.input = present(render_input(definition, node, scope, self.large), None)


def tell_run(level: Level, events: Iterable[tuple[int, RunEvent]]) -> None:
    """Tell a run's own level from its events with their seqs, up to now."""
    for seq, event in events:
        level.tell(seq, event)
    if not level.state.is_over and level.state.status is not RunStatus.QUEUED:
        level.find_running()


def reads_any(references: Iterable[tuple[str, ...]], steps: AbstractSet[str]) -> bool:
    """Whether an expression with these references reads one of these steps."""
    return bool(steps) and any(path[0] == "steps" and (len(path) == 1 or path[1] in steps) for path in references)


def render_input(step: StepDefinition, node: Node, scope: Mapping[str, Any], large: AbstractSet[str]) -> Any:
    """What the step was configured with, its expressions filled in; as written where they cannot be.

    They cannot where they read an output that lies apart, which is not loaded for that.
    """
    written = step.with_
    if node.condition is not None or node.cases or step.type == "foreach":
        return written
    if reads_any(node.config.references, large):
        return written
    try:
        return node.config.render(scope)
    except ExpressionError:
        return written


def _tell(view: StepView, event: StepEvent, seq: int) -> None:
    view.reason, view.waiting = event.reason, None
    match event:
        case StepStarted():
            view.status = StepStatus.RUNNING
            view.started_at = view.started_at or event.started_at
            if event.items is not None:
                view.items = ItemCounts(total=event.items)
        case StepWaiting():
            view.status, view.due_at, view.started_at = StepStatus.WAITING, event.due_at, event.at
            view.waiting = WaitingView(
                reason=event.reason,
                due_at=event.due_at,
                signal=event.signal,
                message=event.message,
                child_run_id=event.child_run_id,
            )
        case StepRetrying():
            view.status, view.due_at = StepStatus.RETRYING, event.retry_at
            _add_attempt(view, event, "failed", event.error)
        case StepSucceeded():
            view.status, view.port, view.error = StepStatus.SUCCEEDED, event.port, None
            view.output = present_output(event, seq)
            _add_attempt(view, event, "succeeded", None)
            _finish(view, event)
        case StepFailed():
            view.status, view.error = StepStatus.FAILED, event.error
            _add_attempt(view, event, "failed", event.error)
            _finish(view, event)
        case StepSkipped():
            view.status, view.because = StepStatus.SKIPPED, event.because
            _finish(view, event)
        case StepCancelled():
            view.status = StepStatus.CANCELLED
            _add_attempt(view, event, "cancelled", None)
            _finish(view, event)
        case _:
            assert_never(event)


def _finish(view: StepView, event: StepSucceeded | StepFailed | StepSkipped | StepCancelled) -> None:
    view.finished_at, view.due_at = event.at, None
    if isinstance(event, StepSucceeded | StepFailed):
        view.started_at = view.started_at or event.started_at or event.at


def _name_attempt(event: StepCancelled, step: StepRun) -> StepCancelled:
    """The end of a step with the attempt that is known to have been under way, where the event does not say."""
    begun = step.begun
    if begun is None or step.status is not StepStatus.RUNNING:
        return event
    return msgspec.structs.replace(
        event,
        attempt=begun.attempt,
        started_at=begun.started_at,
        queued_ms=begun.queued_ms,
        limited_ms=begun.limited_ms,
    )


def _add_attempt(
    view: StepView,
    event: StepRetrying | StepSucceeded | StepFailed | StepCancelled,
    status: str,
    error: ErrorInfo | None,
) -> None:
    if not event.attempt:
        return
    view.started_at = view.started_at or event.started_at
    view.attempts.append(
        AttemptView(
            number=event.attempt,
            status=status,
            reason=event.reason,
            error=error,
            started_at=event.started_at,
            finished_at=event.at,
            queued_ms=event.queued_ms,
            limited_ms=event.limited_ms or 0,
        )
    )
