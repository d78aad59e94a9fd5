"""Published workflows with webhook triggers, for tests of what comes in."""

from typing import Any

import httpx

from tests.integration.api.callers import Api, Caller

DEFINITION = {"schema": 1, "steps": [{"id": "note", "type": "transform", "with": {"values": {"n": 1}}}]}


class Hook:
    """A hook of a published workflow, and its trigger."""

    def __init__(self, api: Api, owner: Caller, workflow_id: str, trigger: dict[str, Any]) -> None:
        self._client = api.client()
        self._owner = owner
        self.workflow_id = workflow_id
        self.trigger_id: str = trigger["id"]
        self.path = "/v1/hooks/" + trigger["url"].rpartition("/")[2]

    async def post(self, body: Any = None, **headers: str) -> httpx.Response:
        """Deliver; headers are named with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.post(self.path, json=body, headers=named)

    async def change(self, **changes: Any) -> httpx.Response:
        """Change the trigger."""
        answer = await self._owner.client.patch(f"/v1/triggers/{self.trigger_id}", json=changes)
        return answer.raise_for_status()


async def open_hook(api: Api, owner: Caller, config: dict[str, Any] | None = None) -> Hook:
    """A workflow that is published, with a webhook trigger of this configuration."""
    answer = await owner.client.post("/v1/workflows", json={"name": "Orders", "definition": DEFINITION})
    workflow_id = answer.raise_for_status().json()["id"]
    (await owner.client.post(f"/v1/workflows/{workflow_id}/publish")).raise_for_status()
    trigger = await owner.client.post(
        f"/v1/workflows/{workflow_id}/triggers", json={"type": "webhook", "config": config or {}}
    )
    assert trigger.status_code == httpx.codes.CREATED, trigger.text
    return Hook(api, owner, workflow_id, trigger.json())


async def read_ingest(owner: Caller) -> dict[str, int]:
    """The accounts of the workspace."""
    answer = await owner.client.get("/v1/stats")
    ingest: dict[str, int] = answer.raise_for_status().json()["ingest"]
    return ingest
