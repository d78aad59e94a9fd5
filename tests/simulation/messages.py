"""What lies in the inboxes of the simulation, as the core takes it in."""

from datetime import datetime
from typing import Any

from engine.core.events import ErrorInfo
from engine.core.observations import ApprovalDecided, CancelRequested, ChildEnded, Observation, SignalReceived


def read_message(kind: str, payload: dict[str, Any], at: datetime) -> Observation:
    """A row of an inbox as an observation."""
    match kind:
        case "signal":
            return SignalReceived(at=at, name=payload["name"], payload=payload["id"])
        case "approval":
            return ApprovalDecided(at=at, step=payload["step"], decision=payload["decision"], by="somebody")
        case "cancel":
            return CancelRequested(at=at, reason=payload["reason"])
        case _:
            error = ErrorInfo(code="child_failed", message="it did not succeed")
            return ChildEnded(
                at=at,
                step=payload["step"],
                run_id=payload["run_id"],
                output=payload["output"],
                error=None if payload["status"] == "succeeded" else error,
            )
