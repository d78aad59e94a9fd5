"""What goes into the commit of a run's events beside them: large outputs, approvals, messages to other runs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engine.core.events import (
    PayloadRef,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunSucceeded,
    RunTimedOut,
    StepCancelled,
    StepFailed,
    StepSucceeded,
    StepWaiting,
    encode_event,
)
from engine.core.graph import Graph, find_node
from engine.core.statuses import RunStatus
from engine.infra.ids import new_id
from engine.store.extras import ApprovalEnd, ApprovalRow, Extras, Mail, PayloadRow
from engine.store.runs import ClaimedRun

INLINE_BYTES = 65_536
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
MAX_RUN_BYTES = 256 * 1024 * 1024
PREVIEW_CHARACTERS = 1_000

RunEnd = RunSucceeded | RunFailed | RunCancelled | RunTimedOut

PARENT_ENDED = msgspec.json.encode({"by": None, "reason": "parent_ended"})

_encoder = msgspec.json.Encoder()


class OutputTooLarge(ValueError):
    """An output, or with it all large outputs of the run together, would exceed the limit `code` is about."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def store_output(run: ClaimedRun, event: StepSucceeded | RunSucceeded, extras: Extras) -> bytes:
    """The JSON of an event whose output is too large for the journal, with the output moved to a payload.

    Raises OutputTooLarge.
    """
    data = _encoder.encode(event.output)
    if len(data) > MAX_OUTPUT_BYTES:
        message = f"the output has {len(data):,} bytes as JSON; an output has at most {MAX_OUTPUT_BYTES:,}"
        raise OutputTooLarge("output_too_large", message)
    if len(data) <= INLINE_BYTES:
        return encode_event(event)
    row = PayloadRow(run_id=run.id, id=new_id(event.at), data=data)
    extras.payloads.append(row)
    # Cut in bytes first: decoding 16 MiB for its beginning would be waste.
    preview = data[: 4 * PREVIEW_CHARACTERS].decode(errors="ignore")[:PREVIEW_CHARACTERS]
    ref = PayloadRef(ref=str(row.id), size=len(data), preview=preview)
    return encode_event(msgspec.structs.replace(event, output=None, output_ref=ref))


def gather_approvals(run: ClaimedRun, graph: Graph, events: Iterable[RunEvent], extras: Extras) -> None:
    """Add the approvals that these events ask for, and those that they end."""
    for event in events:
        if isinstance(event, StepWaiting):
            if event.reason == "approval":
                extras.approvals.append(_ask(run, event))
        elif isinstance(event, StepSucceeded | StepFailed | StepCancelled):
            end = _describe_end(event)
            if end is not None and _is_approval(graph, event.step):
                extras.approval_ends.append(
                    ApprovalEnd(
                        run_id=run.id,
                        step=event.step,
                        status=end[0],
                        comment=end[1].get("comment"),
                        decided_by=_read_id(end[1].get("by")),
                        decided_at=None if end[0] == "cancelled" else _read_time(end[1].get("at")) or event.at,
                    )
                )


def gather_mail(run: ClaimedRun, end: RunEnd | None, event: bytes, cancelled: Sequence[str], extras: Extras) -> None:
    """Add what other runs must hear: a parent that its child has ended, children that nobody waits for them.

    `event` is the JSON of `end`.
    """
    if end is not None and run.parent_run_id is not None:
        payload = describe_child_end(run.parent_step, run.id, _END_STATUS[type(end)], event)
        extras.mail.append(Mail(run_id=run.parent_run_id, kind="child", payload=_encoder.encode(payload)))
    extras.mail.extend(Mail(run_id=UUID(run_id), kind="cancel", payload=PARENT_ENDED) for run_id in cancelled)


def describe_child_end(step: str | None, run_id: UUID, status: str, event: bytes) -> dict[str, Any]:
    """What a parent hears of its child's end, whose JSON is `event`; only its reference, where the output is large."""
    raw = msgspec.json.decode(event, type=dict[str, msgspec.Raw])
    kept: dict[str, Any] = {key: raw[key] for key in ("output", "output_ref", "error", "reason") if key in raw}
    return {"step": step, "run_id": run_id, "status": status, **kept}


_END_STATUS: dict[type, RunStatus] = {
    RunSucceeded: RunStatus.SUCCEEDED,
    RunFailed: RunStatus.FAILED,
    RunCancelled: RunStatus.CANCELLED,
    RunTimedOut: RunStatus.TIMED_OUT,
}


def _ask(run: ClaimedRun, event: StepWaiting) -> ApprovalRow:
    return ApprovalRow(
        id=new_id(event.at),
        workspace_id=run.workspace_id,
        run_id=run.id,
        step=event.step,
        # text columns refuse NUL, which JSON allows.
        message=(event.message or "").replace("\0", "\ufffd"),
        due_at=event.due_at,
        created_at=event.at,
    )


def _describe_end(event: StepSucceeded | StepFailed | StepCancelled) -> tuple[str, dict[str, Any]] | None:
    """The approval's status and what was decided; None for a step that never asked."""
    if isinstance(event, StepCancelled):
        return "cancelled", {}
    if event.reason == "wait_timeout":
        return "timed_out", {}
    if event.reason in ("approved", "rejected") and isinstance(event, StepSucceeded):
        return event.reason, event.output
    if event.reason == "approval_rejected" and isinstance(event, StepFailed):
        return "rejected", event.error.details
    return None


def _is_approval(graph: Graph, path: str) -> bool:
    node = find_node(graph, path)
    return node is not None and node.type == "approval"


def _read_time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _read_id(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, ValueError, AttributeError):
        return None
