"""What a journey needs and nobody waits for: thousands of runs, put into the database as they would be after days."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from engine.infra.ids import new_id
from tests.product import PATIENCE_SECONDS, Product

# As in `ui/e2e/product.ts` and `ui/e2e/large.spec.ts`.
OWNER = {"name": "Olga Owner", "email": "owner@example.com", "password": "correct horse battery staple"}
WORKSPACE = "Warehouse"
MANY = 10_000
_COLUMNS = (
    "id",
    "workspace_id",
    "workflow_id",
    "version_id",
    "version",
    "trigger_type",
    "status",
    "error_code",
    "error_message",
    "created_at",
    "started_at",
    "finished_at",
)
_STEPS = [{"id": "greet", "type": "transform", "with": {"values": {}}}]


def seed_many_runs(product: Product) -> None:
    """A workspace of its own with 10,000 runs that have ended, one in fifty of them failed."""
    with httpx.Client(base_url=product.url, timeout=PATIENCE_SECONDS) as client:
        workspace = _enter(client)
        definition = {"schema": 1, "steps": _STEPS}
        workflow = _post(client, "/v1/workflows", {"name": "Parcels", "definition": definition})["id"]
        version = _post(client, f"/v1/workflows/{workflow}/publish", {})["id"]
    asyncio.run(_put(product.run["postgres"]["url"], UUID(workspace), UUID(workflow), UUID(version)))


def _enter(client: httpx.Client) -> str:
    is_new = client.get("/v1/setup").json()["needed"]
    person = {**OWNER, "workspace": "Main"} if is_new else {name: OWNER[name] for name in ("email", "password")}
    tokens = _post(client, "/v1/setup" if is_new else "/v1/auth/login", person)
    client.headers["authorization"] = f"Bearer {tokens['access_token']}"
    workspace: str = _post(client, "/v1/workspaces", {"name": WORKSPACE})["id"]
    tokens = _post(client, "/v1/auth/switch", {"workspace_id": workspace})
    client.headers["authorization"] = f"Bearer {tokens['access_token']}"
    return workspace


def _post(client: httpx.Client, path: str, body: object) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def _put(database: str, workspace: UUID, workflow: UUID, version: UUID) -> None:
    now = datetime.now(UTC)
    connection = await asyncpg.connect(database)
    try:
        rows = [_run(workspace, workflow, version, now, number) for number in range(MANY)]
        await connection.copy_records_to_table("run", records=rows, columns=_COLUMNS)
    finally:
        await connection.close()


def _run(workspace: UUID, workflow: UUID, version: UUID, now: datetime, number: int) -> tuple[object, ...]:
    at = now - timedelta(seconds=MANY - number)
    has_failed = number % 50 == 0
    error = ("step_failed", f"Parcel {number} was lost") if has_failed else (None, None)
    status = "failed" if has_failed else "succeeded"
    ended = at + timedelta(milliseconds=400)
    return (new_id(at), workspace, workflow, version, 1, "webhook", status, *error, at, at, ended)
