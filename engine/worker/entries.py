"""Decisions as what the journal, the run's row and the outbox take."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from engine.core.events import (
    RunCancelled,
    RunEvent,
    RunFailed,
    RunResumed,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    RunWaiting,
    StepSucceeded,
    encode_event,
    event_type,
    is_step_event,
)
from engine.core.graph import Graph, find_node
from engine.core.statuses import RunStatus
from engine.store.extras import Extras
from engine.store.journal import JournalRow, OutboxMessage, RunChange
from engine.store.runs import ClaimedRun
from engine.store.timers import HELD_UNTIL
from engine.worker.extras import INLINE_BYTES, RunEnd, gather_approvals, gather_mail, store_output
from engine.worker.flusher import Entry

LONGEST_ERROR_CHARACTERS = 2000

_STATUS = {
    RunStarted: RunStatus.RUNNING,
    RunWaiting: RunStatus.WAITING,
    RunResumed: RunStatus.RUNNING,
    RunSucceeded: RunStatus.SUCCEEDED,
    RunFailed: RunStatus.FAILED,
    RunCancelled: RunStatus.CANCELLED,
    RunTimedOut: RunStatus.TIMED_OUT,
}
_ENDS = (RunSucceeded, RunFailed, RunCancelled, RunTimedOut)


def make_entry(
    run: ClaimedRun,
    seq: int,
    events: Sequence[RunEvent],
    *,
    traceparent: str | None,
    inbox_ids: Sequence[int] = (),
    status: RunStatus = RunStatus.FAILED,
    graph: Graph | None = None,
    cancelled_children: Sequence[str] = (),
    is_awaited: bool = False,
) -> Entry:
    """The events that follow the run's journal up to `seq`, as one entry; `status` is the run's after them.

    Raises OutputTooLarge, and whatever the JSON encoder raises at an output that it cannot write.
    """
    rows: list[JournalRow] = []
    change: RunChange | None = None
    messages: list[OutboxMessage] = []
    extras: Extras | None = None
    size = 0
    for event in events:
        seq += 1
        payload = encode_event(event)
        if len(payload) > INLINE_BYTES and isinstance(event, StepSucceeded | RunSucceeded):
            extras = extras or Extras()
            payload = store_output(run, event, extras)
        size += len(payload)
        rows.append(JournalRow(run_id=run.id, seq=seq, kind=event_type(event), at=event.at, payload=payload))
        if not is_step_event(event):
            if type(event) in _STATUS:
                change = _change(run.id, event, change)
            messages.append(_announce(run, event, seq, traceparent, status))
    end = events[-1] if isinstance(events[-1], _ENDS) else None
    if extras is not None or cancelled_children or (graph is not None and graph.has_approvals) or end is not None:
        extras = _gather(run, graph, events, end, rows[-1].payload, cancelled_children, extras or Extras())
        messages.extend(_knock(run, mail.run_id) for mail in extras.mail)
        size += sum(len(row.data) for row in extras.payloads)
    return Entry(
        run_id=run.id,
        workspace=run.workspace_id.int,
        rows=rows,
        change=change,
        messages=messages,
        inbox_ids=inbox_ids,
        size=size,
        future=asyncio.get_running_loop().create_future(),
        extras=None if extras is None or extras.is_empty else extras,
        answer_seq=_find_answer(graph, events, seq) if is_awaited else None,
    )


def release(entry: Entry, run: ClaimedRun, status: RunStatus, wake_at: datetime) -> None:
    """Make the entry suspend its run until `wake_at`, with a deferred bell for that moment."""
    if entry.change is None:
        entry.change = RunChange(run_id=run.id, status=status)
    entry.change.wake_at = wake_at
    entry.change.is_released = True
    payload = msgspec.json.encode({"at": wake_at})
    entry.messages = [
        *entry.messages,
        OutboxMessage(kind="wake", workspace_id=run.workspace_id, run_id=run.id, payload=payload),
    ]


def hold(entry: Entry, run: ClaimedRun) -> None:
    """Make the entry give its run up until a concurrency slot is free."""
    entry.change = RunChange(run_id=run.id, status=RunStatus.QUEUED, wake_at=HELD_UNTIL, is_released=True)


def describe_run_event(run: ClaimedRun, event: RunEvent, seq: int, status: RunStatus) -> dict[str, object]:
    """A run-level event as the streams carry it: no payloads, only what changed."""
    described: dict[str, object] = {
        "id": f"{run.id}:{seq}",
        "type": event_type(event),
        "workspace_id": run.workspace_id,
        "workflow_id": run.workflow_id,
        "run_id": run.id,
        "seq": seq,
        "status": _STATUS.get(type(event), status),
        "at": event.at,
        "reason": event.reason,
    }
    if isinstance(event, RunFailed | RunTimedOut):
        described["error"] = {"code": event.error.code, "message": event.error.message[:LONGEST_ERROR_CHARACTERS]}
    return described


def _find_answer(graph: Graph | None, events: Sequence[RunEvent], last_seq: int) -> int | None:
    """The seq of the first event that answers whoever waits for the run: a `respond` step's success, or the end."""
    for seq, event in enumerate(events, start=last_seq - len(events) + 1):
        if isinstance(event, _ENDS):
            return seq
        if isinstance(event, StepSucceeded) and graph is not None:
            node = find_node(graph, event.step)
            if node is not None and node.type == "respond":
                return seq
    return None


def _gather(
    run: ClaimedRun,
    graph: Graph | None,
    events: Sequence[RunEvent],
    end: RunEnd | None,
    last: bytes,
    cancelled_children: Sequence[str],
    extras: Extras,
) -> Extras:
    """Add to the extras what the events mean to others; `last` is the JSON of the last of them."""
    if graph is not None and graph.has_approvals:
        gather_approvals(run, graph, events, extras)
    if cancelled_children or (end is not None and run.parent_run_id is not None):
        gather_mail(run, end, last, cancelled_children, extras)
    return extras


def _knock(run: ClaimedRun, run_id: UUID) -> OutboxMessage:
    return OutboxMessage(kind="inbox", workspace_id=run.workspace_id, run_id=run_id, payload=b"")


def _announce(run: ClaimedRun, event: RunEvent, seq: int, traceparent: str | None, status: RunStatus) -> OutboxMessage:
    payload = msgspec.json.encode(describe_run_event(run, event, seq, status))
    return OutboxMessage(
        kind="event", workspace_id=run.workspace_id, run_id=run.id, payload=payload, traceparent=traceparent
    )


def _change(run_id: UUID, event: RunEvent, earlier: RunChange | None) -> RunChange:
    change = RunChange(run_id=run_id, status=_STATUS[type(event)])
    if earlier is not None:
        change.started_at = earlier.started_at
    if isinstance(event, RunStarted):
        change.started_at = event.at
    if isinstance(event, RunWaiting):
        # Also while it waits in memory: should this worker be gone by then, another one goes on in time.
        change.wake_at = event.wake_at
    if isinstance(event, _ENDS):
        change.finished_at = event.at
        change.is_released = True
    if isinstance(event, RunFailed | RunTimedOut):
        change.error_code = event.error.code
        # text columns refuse NUL, the one character that JSON has and PostgreSQL's text has not.
        change.error_message = event.error.message[:LONGEST_ERROR_CHARACTERS].replace("\0", "\ufffd")
    return change
