"""A run as people read it, told from its row and its journal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.runs.items import continues_after_failures, count_items
from app.runs.previews import GIVEN_FIELDS, present, present_output
from app.runs.schemas import ChildView, ConcurrencyView, ParentView, RunDetail, RunEventView, RunSummary
from app.runs.telling import Level, tell_run
from engine.core.accounting import Timing, account_run
from engine.core.definition import Definition
from engine.core.events import (
    ErrorInfo,
    RunEvent,
    RunFailed,
    RunQueued,
    RunSignalled,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    RunWaiting,
    StepSucceeded,
    StepWaiting,
)
from engine.core.graph import Graph
from engine.core.state import State
from engine.core.statuses import RunStatus
from engine.store.histories import Outcome
from engine.store.reads import RunRow

Events = Sequence[tuple[int, RunEvent]]


class Surroundings(Struct, frozen=True, kw_only=True):
    """What is known of a run beside the events of its top level, which end with the seq `last_seq` or before.

    `outcomes` are those of its `foreach` steps by path, `timings` those of their iterations, `approvals` the pending
    ones by step, `children` the runs that its steps started with the steps' paths, `statuses` theirs, `holders` the
    runs that hold the slots it waits for.
    """

    last_seq: int
    now: datetime
    outcomes: Mapping[str, Sequence[Outcome]] = {}
    timings: Sequence[Timing] = ()
    approvals: Mapping[str, UUID] = {}
    children: Sequence[tuple[str, UUID]] = ()
    statuses: Mapping[UUID, str] = {}
    holders: Sequence[UUID] = ()


def summarise(row: RunRow) -> RunSummary:
    """A run as a list shows it."""
    return RunSummary(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        version=row.version,
        status=RunStatus(row.status),
        attempt=row.attempt,
        trigger_type=row.trigger_type,
        is_test=row.is_test,
        error=ErrorInfo(code=row.error_code, message=row.error_message or "") if row.error_code else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def describe_run(
    row: RunRow, definition: Definition, graph: Graph, events: Events, surroundings: Surroundings
) -> RunDetail:
    """A run in full, told from the events of its top level with their seqs."""
    level = Level(graph, definition.steps, prefix="", run_id=str(row.id), attempt=row.attempt)
    tell_run(level, events)
    state = level.state
    _add_surroundings(level, definition, graph, surroundings)
    own = level.own
    seq, end = own[-1]
    # A retried run starts anew, and so does its timeout.
    started = next((event for _, event in reversed(own) if isinstance(event, RunStarted)), None)
    until = end.at if state.is_over else surroundings.now
    level.complete(state.scope, until, has_begun=state.status is not RunStatus.QUEUED)
    queued = events[0][1]
    timings = [timing for steps in level.timings for timing in steps]
    return RunDetail(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        version=row.version,
        status=state.status,
        reason=next(event.reason for _, event in reversed(own) if not isinstance(event, RunSignalled)),
        attempt=row.attempt,
        trigger=queued.trigger if isinstance(queued, RunQueued) else None,
        trigger_id=row.trigger_id,
        trace_id=_read_trace_id(queued),
        input=queued.input if isinstance(queued, RunQueued) else None,
        output=present_output(end, seq) if isinstance(end, RunSucceeded) else None,
        error=end.error if isinstance(end, RunFailed | RunTimedOut) else None,
        created_at=row.created_at,
        started_at=None if started is None else started.at,
        finished_at=end.at if state.is_over else None,
        wake_at=_find_wake(state, own),
        last_seq=surroundings.last_seq,
        is_test=row.is_test,
        parent=_describe_parent(row),
        children=[
            ChildView(run_id=run_id, step=step, status=_read_status(surroundings.statuses.get(run_id)))
            for step, run_id in surroundings.children
        ],
        origin_run_id=row.origin_run_id,
        concurrency=_describe_concurrency(row, surroundings.holders),
        time=account_run([event for _, event in own], [*timings, *surroundings.timings], until=until),
        steps=level.views,
    )


def describe_event(run_id: object, seq: int, event: RunEvent) -> RunEventView:
    """An event as the API shows it."""
    document = msgspec.to_builtins(event, builtin_types=())
    kind, at = document.pop("type"), event.at
    document.pop("at")
    if isinstance(event, StepSucceeded | RunSucceeded):
        document.pop("output_ref", None)
        if event.output_ref is not None or event.output is not None:
            document["output"] = present_output(event, seq)
    elif isinstance(event, RunSignalled):
        document["payload"] = present(event.payload, str(seq))
    elif isinstance(event, RunQueued | RunStarted):
        for field in GIVEN_FIELDS & document.keys():
            document[field] = present(document[field], f"{seq}.{field}")
    return RunEventView(id=f"{run_id}:{seq}", seq=seq, type=kind, at=at, data=document)


def find_children(events: Events) -> list[tuple[str, UUID]]:
    """The runs that steps started as their own, with the steps' paths, in order."""
    return [
        (event.step, UUID(event.child_run_id))
        for _, event in events
        if isinstance(event, StepWaiting) and event.child_run_id is not None
    ]


def _add_surroundings(level: Level, definition: Definition, graph: Graph, surroundings: Surroundings) -> None:
    for view, node, step in zip(level.views, graph.nodes, definition.steps, strict=True):
        if view.items is not None and node.body is not None:
            view.items = count_items(
                node.body.graph,
                surroundings.outcomes.get(view.path, ()),
                total=view.items.total,
                continues=continues_after_failures(step.with_),
            )
        if view.waiting is not None:
            view.waiting.approval_id = surroundings.approvals.get(view.path)


def _read_trace_id(queued: RunEvent) -> str | None:
    """The second part of the W3C trace context, of version 00 as of those to come."""
    if not isinstance(queued, RunQueued) or queued.traceparent is None:
        return None
    return queued.traceparent.split("-")[1]


def _describe_parent(row: RunRow) -> ParentView | None:
    if row.parent_run_id is None:
        return None
    return ParentView(run_id=row.parent_run_id, step=row.parent_step or "")


def _describe_concurrency(row: RunRow, holders: Sequence[UUID]) -> ConcurrencyView | None:
    if row.concurrency_key is None:
        return None
    return ConcurrencyView(
        key=row.concurrency_key, limit=row.concurrency_limit or 1, slot_at=row.slot_at, holders=list(holders)
    )


def _read_status(status: str | None) -> RunStatus | None:
    return None if status is None else RunStatus(status)


def _find_wake(state: State, own: Sequence[tuple[int, Any]]) -> datetime | None:
    """Until when a waiting run waits at the latest."""
    if state.status is not RunStatus.WAITING:
        return None
    return next((event.wake_at for _, event in reversed(own) if isinstance(event, RunWaiting)), None)
