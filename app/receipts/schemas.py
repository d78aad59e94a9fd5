"""What the calls on receipts answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

Outcome = Literal["pending", "started", "duplicate", "filtered", "rejected"]


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of an inbound event.

    `run_id`: the run that it started, alone or together with others; of a duplicate, that of its first delivery.
    `reason` is a code for why it started none. `due_at`: when a pending one is looked at next. Kind and workflow of the
    trigger are null once either is deleted.
    """

    id: UUID
    trigger_id: UUID
    trigger_type: str | None
    workflow_id: UUID | None
    workflow_name: str | None
    outcome: Outcome
    reason: str | None
    run_id: UUID | None
    dedup_key: str | None
    received_at: datetime
    due_at: datetime | None
