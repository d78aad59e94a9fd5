"""What lies in the inboxes of runs, as the core takes it in."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from engine.core.events import ErrorInfo, PayloadRef
from engine.core.observations import ApprovalDecided, CancelRequested, ChildEnded, Observation, SignalReceived
from engine.core.starting import DEADLOCK
from engine.core.statuses import RunStatus

_log = structlog.get_logger()

ReadPayload = Callable[[UUID, str], Awaitable[Any]]


class _Cancel(Struct, frozen=True, kw_only=True):
    by: str | None = None
    reason: Literal["requested", "concurrency_replaced", "parent_ended"] = "requested"


class _Signal(Struct, frozen=True, kw_only=True):
    name: str
    payload: Any = None
    by: str | None = None


class _Approval(Struct, frozen=True, kw_only=True):
    step: str
    decision: Literal["approved", "rejected"]
    comment: str | None = None
    by: str | None = None
    at: datetime | None = None


class _Child(Struct, frozen=True, kw_only=True):
    step: str
    run_id: UUID
    status: RunStatus
    output: Any = None
    output_ref: PayloadRef | None = None
    error: ErrorInfo | None = None
    reason: str | None = None


_KINDS: dict[str, type[Struct]] = {"cancel": _Cancel, "signal": _Signal, "approval": _Approval, "child": _Child}


async def read_message(kind: str, payload: bytes, at: datetime, read_payload: ReadPayload) -> Observation | None:
    """A row of an inbox as an observation; None for one that no release of FlowForge could have written."""
    try:
        message: Any = msgspec.json.decode(payload, type=_KINDS[kind])
    except (KeyError, msgspec.MsgspecError) as error:
        _log.error("message_refused", kind=kind, error=repr(error))
        return None
    match message:
        case _Cancel():
            return CancelRequested(at=at, by=message.by, reason=message.reason)
        case _Signal():
            return SignalReceived(at=at, name=message.name, payload=message.payload, by=message.by)
        case _Approval():
            return ApprovalDecided(
                at=at,
                step=message.step,
                decision=message.decision,
                comment=message.comment,
                by=message.by,
                decided_at=message.at,
            )
        case _Child():
            return await _read_child(message, at, read_payload)
        case _:
            return None


async def _read_child(child: _Child, at: datetime, read_payload: ReadPayload) -> ChildEnded:
    run_id = str(child.run_id)
    if child.status is RunStatus.SUCCEEDED:
        output = child.output
        if child.output_ref is not None:
            output = await read_payload(child.run_id, child.output_ref.ref)
        return ChildEnded(at=at, step=child.step, run_id=run_id, output=output)
    said = f": {child.error.message}" if child.error is not None else _SAY_WHY.get(child.reason or "", "")
    details: dict[str, Any] = {"run_id": run_id, "status": child.status.value}
    if child.reason is not None:
        details["reason"] = child.reason
    if child.error is not None:
        details["error"] = msgspec.to_builtins(child.error)
    # Said by its own name: nothing is wrong with what the run does, but with having started it from here.
    is_deadlock = child.error is not None and child.error.code == DEADLOCK
    error = ErrorInfo(
        code=DEADLOCK if is_deadlock else "child_failed",
        message=f"the run that it started {_SAY[child.status]}{said}",
        details=details,
    )
    return ChildEnded(at=at, step=child.step, run_id=run_id, error=error)


# Of a cancelled run, which has no error of its own.
_SAY_WHY = {
    "requested": ": somebody cancelled it",
    "concurrency_dropped": (
        " with the reason `concurrency_dropped`: every slot of its concurrency key was taken, and its workflow has "
        "`when_full: drop`; let runs wait there with `when_full: queue`, raise `settings.concurrency.limit`, or handle "
        "this with a step after this one's `error` port"
    ),
    "concurrency_replaced": (
        " with the reason `concurrency_replaced`: a newer run of its concurrency key took its slot, and its workflow "
        "has `when_full: cancel_running`; let runs wait there with `when_full: queue`, raise "
        "`settings.concurrency.limit`, or handle this with a step after this one's `error` port"
    ),
}

_SAY = {RunStatus.FAILED: "failed", RunStatus.CANCELLED: "was cancelled", RunStatus.TIMED_OUT: "timed out"}
