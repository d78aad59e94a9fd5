"""Bodies of the approval calls."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

ApprovalStatus = Literal["pending", "approved", "rejected", "timed_out", "cancelled"]


class ApprovalView(Struct, frozen=True, kw_only=True):
    """A decision that a run asks for; `step_id` is the path of the step that does."""

    id: UUID
    run_id: UUID
    step_id: str
    workflow_id: UUID
    workflow_name: str
    message: str
    status: str
    created_at: datetime
    due_at: datetime | None
    comment: str | None
    decided_by: UUID | None
    decided_at: datetime | None


class DecisionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was decided, and why."""

    decision: Literal["approved", "rejected"]
    comment: Annotated[str, Meta(max_length=10_000, pattern="^[^\\x00]*$")] | None = None
