"""The items of a `foreach` as people read them, told from the journal's rows of these items alone."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.runs.items import continues_after_failures, count_items, judge_item
from app.runs.schemas import ItemCounts, IterationView
from app.runs.telling import Level, reads_any, tell_run
from app.runs.views import Events
from engine.core.definition import Definition, StepDefinition
from engine.core.events import ErrorInfo, StepStarted, decode_event
from engine.core.expressions import ExpressionError
from engine.core.graph import Body, Graph
from engine.core.loops import MAX_ITEMS
from engine.core.rounds import reset_frame
from engine.core.statuses import TERMINAL_RUN, TERMINAL_STEP, RunStatus, StepStatus
from engine.store.histories import Outcome
from engine.store.reads import RunRow

Rows = Iterable[tuple[int, bytes, int | None]]
_AT_WORK = (StepStatus.RUNNING, StepStatus.RETRYING)


class Iterations:
    """Goes down from a run to the items of one `foreach`: `begin`, `enter` the items on the way, then `open_page`."""

    def __init__(self, row: RunRow, definition: Definition, graph: Graph, now: datetime) -> None:
        self._row = row
        self._until = row.finished_at or now
        self._graph = graph
        self._around = self._make_level(graph, definition.steps, "")
        self._scope: dict[str, Any] = {}
        self._large: set[str] = set()
        self._at = 0
        self._body: Body | None = None
        self._page: dict[int, Level] = {}

    @property
    def _definition(self) -> StepDefinition:
        return self._around.definitions[self._at]

    def begin(self, events: Events) -> None:
        """Tell the run's own level."""
        tell_run(self._around, events)
        self._scope, self._large = self._around.state.scope, self._around.large

    def enter(self, loop: str, item: int, rows: Rows) -> bool:
        """Go down into one item of a `foreach`, told by its rows; False where there is no such item."""
        levels = self.open_page(loop, [item], rows)
        body = self._body
        if not levels or body is None:
            return False
        self._scope = self._scope_of(item, levels[0], self._find_items())
        self._large = self._large | levels[0].large
        self._around, self._graph = levels[0], body.graph
        return True

    def choose_failed(self, loop: str, failures: Sequence[tuple[int, Outcome]]) -> list[int]:
        """Of items of a `foreach` of the present level in which a step failed, those that failed themselves."""
        at = self._graph.index_by_id[loop.rpartition(".")[2]]
        body = self._graph.nodes[at].body
        if body is None:
            return []
        continues = continues_after_failures(self._around.definitions[at].with_)
        return [item for item, outcome in failures if judge_item(body.graph, outcome, continues=continues) == "failed"]

    def open_page(self, loop: str, items: Sequence[int], rows: Rows) -> Sequence[Level]:
        """Tell these items of a `foreach` of the present level."""
        self._at = self._graph.index_by_id[loop.rpartition(".")[2]]
        view = self._around.views[self._at]
        self._body = body = self._graph.nodes[self._at].body
        if view.items is None or body is None:
            self._page = {}
            return []
        self._page = {
            index: self._make_level(body.graph, self._definition.steps, f"{loop}[{index}].")
            for index in items
            if index < view.items.total
        }
        for seq, payload, item in rows:
            event = decode_event(payload)
            if item in self._page:
                self._page[item].tell(seq, event)
            elif isinstance(event, StepStarted) and event.step == loop:
                for level in self._page.values():
                    self._begin_again(level)
        return list(self._page.values())

    def describe(self, outcomes: Mapping[str, Sequence[Outcome]], approvals: Mapping[str, UUID]) -> list[IterationView]:
        """The items of the page. `outcomes` are those of their `foreach`, and of those within, by path."""
        loop = self._around.views[self._at]
        body = self._body
        if loop.items is None or body is None:
            return []
        counts = _count(body, self._definition, outcomes.get(loop.path, ()), loop.items.total)
        is_over = RunStatus(self._row.status) in TERMINAL_RUN
        is_open = loop.status is StepStatus.RUNNING and not is_over
        opened = counts.done + self._find_concurrency() if is_open else 0
        items = self._find_items()
        views = []
        for index, level in self._page.items():
            has_begun = any(level.timings)
            if is_open and (has_begun or index < opened):
                level.find_running()
                has_begun = True
            elif not is_open and not has_begun:
                _cancel(level, "loop_failed" if loop.status is StepStatus.FAILED else loop.reason)
            elif is_over:
                level.break_off(0, self._until, loop.reason or "run_failed")
            for view, node, definition in zip(level.views, body.graph.nodes, level.definitions, strict=True):
                if view.items is not None and node.body is not None:
                    view.items = _count(node.body, definition, outcomes.get(view.path, ()), view.items.total)
                if view.waiting is not None:
                    view.waiting.approval_id = approvals.get(view.path)
            level.large |= self._large
            level.complete(self._scope_of(index, level, items), self._until, has_begun=has_begun)
            views.append(self._summarise(index, f"{loop.path}[{index}]", level, has_begun=has_begun))
        return views

    def _begin_again(self, level: Level) -> None:
        """The `foreach` goes on in a new round: an item whose result was kept is left as it is."""
        frame = level.state.root
        if frame.unhandled is not None and continues_after_failures(self._definition.with_):
            return
        if frame.unhandled is not None or frame.cancelled or frame.unfinished:
            reset_frame(level.state, frame)
            level.forget_past()

    def _find_items(self) -> list[Any] | None:
        """The items, evaluated anew; None where they cannot be without loading a large output."""
        if self._body is None or reads_any(self._body.items.references, self._large):
            return None
        try:
            items = self._body.items.evaluate(self._scope)
        except ExpressionError:
            return None
        return items if isinstance(items, list) else None

    def _find_concurrency(self) -> int:
        try:
            concurrency = self._graph.nodes[self._at].config.render(self._scope).get("concurrency", MAX_ITEMS)
        except ExpressionError:
            return 0
        return concurrency if isinstance(concurrency, int) else 0

    def _scope_of(self, index: int, level: Level, items: list[Any] | None) -> dict[str, Any]:
        """The names that the steps of an item see."""
        steps = self._scope.get("steps", {}) | level.state.scope["steps"]
        item = {"item": items[index]} if items is not None and index < len(items) else {}
        return self._scope | {"steps": steps, "index": index} | item

    def _summarise(self, index: int, path: str, level: Level, *, has_begun: bool) -> IterationView:
        started = [view.started_at for view in level.views if view.started_at is not None]
        finished = [view.finished_at for view in level.views if view.finished_at is not None]
        status = _find_status(level, has_begun=has_begun)
        return IterationView(
            index=index,
            path=path,
            status=status,
            error=_find_error(level),
            started_at=min(started, default=None),
            finished_at=max(finished, default=None) if status in TERMINAL_STEP else None,
            steps=level.views,
        )

    def _make_level(self, graph: Graph, definitions: Sequence[StepDefinition], prefix: str) -> Level:
        return Level(graph, definitions, prefix=prefix, run_id=str(self._row.id), attempt=self._row.attempt)


def _count(body: Body, definition: StepDefinition, outcomes: Sequence[Outcome], total: int) -> ItemCounts:
    continues = continues_after_failures(definition.with_)
    return count_items(body.graph, outcomes, total=total, continues=continues)


def _cancel(level: Level, reason: str | None) -> None:
    """The `foreach` ended before the item began."""
    for view in level.views:
        view.status, view.reason = StepStatus.CANCELLED, reason


def _find_status(level: Level, *, has_begun: bool) -> StepStatus:
    statuses = {view.status for view in level.views}
    if statuses <= TERMINAL_STEP:
        if level.state.root.unhandled is not None:
            return StepStatus.FAILED
        return StepStatus.CANCELLED if StepStatus.CANCELLED in statuses else StepStatus.SUCCEEDED
    if not statuses.isdisjoint(_AT_WORK):
        return StepStatus.RUNNING
    if StepStatus.WAITING in statuses:
        return StepStatus.WAITING
    return StepStatus.RUNNING if has_begun else StepStatus.PENDING


def _find_error(level: Level) -> ErrorInfo | None:
    unhandled = level.state.root.unhandled
    return None if unhandled is None else level.views[unhandled].error
