"""The first journal event of a run, and how it is announced: the same for every way in."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engine.core.events import RunQueued, encode_event


def make_queued_event(
    *,
    at: datetime,
    trigger: dict[str, Any],
    run_input: Any,
    workflow_id: UUID,
    workflow_name: str,
    version: int,
    traceparent: str | None,
    **origin: Any,
) -> bytes:
    """The JSON of a run's first journal event; `origin` holds what else of its fields is known."""
    workflow = {"id": str(workflow_id), "name": workflow_name, "version": version}
    return encode_event(
        RunQueued(
            at=at,
            trigger=trigger,
            input=run_input,
            workflow=workflow,
            reason="accepted",
            traceparent=traceparent,
            **origin,
        )
    )


def announce_queued(*, at: datetime, run_id: UUID, workspace_id: UUID, workflow_id: UUID) -> bytes:
    """The JSON of the run event `run.queued` as streams carry it."""
    return msgspec.json.encode(
        {
            "id": f"{run_id}:1",
            "type": "run.queued",
            "workspace_id": workspace_id,
            "workflow_id": workflow_id,
            "run_id": run_id,
            "seq": 1,
            "status": "queued",
            "at": at,
            "reason": "accepted",
        }
    )
