"""The steps of one level of a run as people read them, told event by event."""

from collections.abc import Iterable, Sequence
from typing import assert_never

from app.runs.levels import find_begun, flatten, follow
from app.runs.schemas import AttemptView, ItemCounts, StepView
from engine.core.definition import StepDefinition
from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunRetried,
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
from engine.core.graph import Graph
from engine.core.state import State, create_state
from engine.core.statuses import TERMINAL_STEP, RunStatus, StepStatus


class Level:
    """The steps of a run, or of one iteration, whose path `prefix` stands before their ids."""

    def __init__(
        self, graph: Graph, definitions: Sequence[StepDefinition], *, prefix: str, run_id: str, attempt: int
    ) -> None:
        self.graph = flatten(graph)
        self.state: State = create_state(self.graph, run_id=run_id, attempt=attempt)
        self.views = [
            StepView(id=step.id, path=prefix + step.id, type=step.type, name=step.name, status=StepStatus.PENDING)
            for step in definitions
        ]

    def tell(self, event: RunEvent) -> None:
        """Carry one event over to the level and to the step that it is about, if it is about one."""
        follow(self.graph, self.state, event)
        if is_step_event(event):
            index = self.graph.index_by_id.get(event.step)
            if index is not None:
                _tell(self.views[index], event)
        elif isinstance(event, RunRetried):
            self.forget_past()

    def forget_past(self) -> None:
        """A step that a new round runs again has only its earlier attempts left to show."""
        for view, step in zip(self.views, self.state.steps, strict=True):
            if step.status is StepStatus.PENDING and view.status in TERMINAL_STEP:
                view.status = StepStatus.PENDING
                view.reason = view.because = view.port = view.output = view.error = None
                view.started_at = view.finished_at = view.due_at = None

    def find_running(self) -> None:
        """Mark the steps that are being attempted, which stands in no journal for a while."""
        for index in find_begun(self.state.root):
            self.views[index].status = StepStatus.RUNNING


def tell_run(level: Level, events: Iterable[RunEvent]) -> None:
    """Tell a run's own level from its events, up to now."""
    for event in events:
        level.tell(event)
    if level.state.is_over:
        # A run that could not be driven to its end leaves such steps behind.
        for view in level.views:
            if view.status is StepStatus.PENDING:
                view.status, view.reason = StepStatus.CANCELLED, "run_failed"
    elif level.state.status is not RunStatus.QUEUED:
        level.find_running()


def _tell(view: StepView, event: StepEvent) -> None:
    view.reason = event.reason
    match event:
        case StepStarted():
            view.status = StepStatus.RUNNING
            view.started_at = view.started_at or event.started_at
            if event.items is not None:
                view.items = ItemCounts(total=event.items)
        case StepWaiting():
            view.status, view.due_at, view.started_at = StepStatus.WAITING, event.due_at, event.at
        case StepRetrying():
            view.status, view.due_at = StepStatus.RETRYING, event.retry_at
            _add_attempt(view, event, "failed", event.error)
        case StepSucceeded():
            view.status, view.output, view.port, view.error = StepStatus.SUCCEEDED, event.output, event.port, None
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
            _finish(view, event)
        case _:
            assert_never(event)


def _finish(view: StepView, event: StepSucceeded | StepFailed | StepSkipped | StepCancelled) -> None:
    view.finished_at, view.due_at = event.at, None
    if isinstance(event, StepSucceeded | StepFailed):
        view.started_at = view.started_at or event.started_at or event.at


def _add_attempt(
    view: StepView, event: StepRetrying | StepSucceeded | StepFailed, status: str, error: ErrorInfo | None
) -> None:
    if not event.attempt:
        return
    view.started_at = view.started_at or event.started_at
    view.attempts.append(
        AttemptView(
            number=event.attempt,
            status=status,
            error=error,
            started_at=event.started_at,
            finished_at=event.at,
            queued_ms=event.queued_ms,
        )
    )
