"""Starts of runs by triggers that fire outside requests."""

from datetime import datetime
from typing import Any

from engine.core.queueing import announce_queued, make_queued_event
from engine.infra.ids import new_id
from engine.infra.telemetry import new_traceparent
from engine.store.starts import Start
from engine.store.trigger_origins import TriggerOrigin


def make_start(origin: TriggerOrigin, *, trigger_type: str, trigger: dict[str, Any], key: str, at: datetime) -> Start:
    """The start of a run by what the trigger calls `key`, with a receipt; `at` is the database's time."""
    run_id, traceparent = new_id(at), new_traceparent()
    return Start(
        run_id=run_id,
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        version_id=origin.version_id,
        version=origin.version,
        trigger_id=origin.trigger_id,
        trigger_type=trigger_type,
        at=at,
        queued=make_queued_event(
            at=at,
            trigger=trigger,
            run_input={},
            workflow_id=origin.workflow_id,
            workflow_name=origin.workflow_name,
            version=origin.version,
            traceparent=traceparent,
        ),
        message=announce_queued(at=at, run_id=run_id, workspace_id=origin.workspace_id, workflow_id=origin.workflow_id),
        traceparent=traceparent,
        event_id=new_id(at),
        scope=origin.trigger_id,
        key=key,
        trigger_updated_at=origin.updated_at,
    )
