"""Deciding what a run asks for."""

from typing import Any

from cli.client.api import Api
from cli.report import progress


def decide(api: Api, approval_id: str, decision: str, comment: str | None) -> None:
    """Approve or reject, and say of which run; raises ClientError where that has been decided."""
    body: dict[str, Any] = {"decision": decision}
    if comment is not None:
        body["comment"] = comment
    approval = api.post(f"/v1/approvals/{approval_id}", body)
    progress(f"{decision}: {approval['step_id']} of run {approval['run_id']} ({approval['workflow_name']})")
