"""Something of everything that a workspace can own, for tests of who else sees it."""

from typing import Any
from uuid import UUID

import httpx
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.permissions import Role
from engine.infra.ids import new_id
from tests.integration.api.callers import PASSWORD, Api, Caller
from tests.integration.api.hooks import open_hook

# Larger than what is shown in place, so that it is read by its reference.
_LARGE = "x" * 70_000
CONNECTION = {"name": "shop", "type": "bearer", "secret": {"token": "t0ps3cret"}}
LOOP = {
    "schema": 1,
    "steps": [
        {
            "id": "each",
            "type": "foreach",
            "with": {"items": "[1, 2]"},
            "steps": [{"id": "note", "type": "transform", "with": {"values": {}}}],
        }
    ],
}


class Belongings(Struct, frozen=True, kw_only=True):
    """A workspace's owner, and the ids of what is in it by the names that paths give them."""

    owner: Caller
    ids: dict[str, str]


async def furnish(api: Api) -> Belongings:
    """A workspace in which every kind of thing is there once."""
    owner = await api.sign_in(Role.OWNER)
    client = owner.client
    hook = await open_hook(api, owner)
    event_id = (await hook.post({"order": 7})).raise_for_status().json()["event_id"]
    loop = (await _post(client, "/v1/workflows", {"name": "Loop", "definition": LOOP}))["id"]
    await _post(client, f"/v1/workflows/{loop}/publish", {})
    run_id = (await _post(client, f"/v1/workflows/{loop}/runs", {"input": {"large": _LARGE}}))["run_id"]
    member = await api.sign_in(Role.VIEWER, owner.workspace_id)
    (await client.put("/v1/vars/region", json={"value": "eu"})).raise_for_status()
    login = await api.client().post("/v1/auth/login", json={"email": owner.email, "password": PASSWORD})
    login.raise_for_status()
    sessions = (await client.get("/v1/auth/sessions")).raise_for_status().json()["items"]
    return Belongings(
        owner=owner,
        ids={
            "approval_id": str(await _ask(api, UUID(run_id))),
            "connection_id": (await _post(client, "/v1/connections", CONNECTION))["id"],
            "event_id": event_id,
            "invitation_id": (await _post(client, "/v1/invitations", {"email": "i@example.com", "role": "viewer"}))[
                "id"
            ],
            "identity_id": str(await _link(api, owner)),
            "key_id": (await _post(client, "/v1/api-keys", {"name": "ci", "role": "viewer"}))["id"],
            "name": "region",
            "ref": "1.input",
            "run_id": run_id,
            "session_id": next(each["id"] for each in sessions if not each["is_current"]),
            "step": "note",
            "trigger_id": hook.trigger_id,
            "user_id": str(member.user_id),
            "version": "1",
            "workflow_id": hook.workflow_id,
            "workspace_id": str(owner.workspace_id),
        },
    )


async def dump_rows(connection: AsyncConnection, workspace_id: UUID) -> dict[str, list[str]]:
    """Every row that names the workspace, by table."""
    tables = await connection.execute(
        text(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id'
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND NOT a.attisdropped
            """
        )
    )
    rows: dict[str, list[str]] = {}
    for table in sorted(tables.scalars()):
        query = text(f"SELECT t::text FROM {table} t WHERE workspace_id = :id ORDER BY 1")  # noqa: S608 - the catalogue's
        rows[table] = list((await connection.execute(query, {"id": workspace_id})).scalars())
    return rows


async def _post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    return (await client.post(path, json=body)).raise_for_status().json()


async def _link(api: Api, owner: Caller) -> UUID:
    """An identity at a provider that opens the owner's account."""
    identity_id = new_id()
    async with api.database.begin() as connection:
        await connection.execute(
            text(
                """
                INSERT INTO user_identity (id, issuer, subject, user_id, is_provisioned)
                VALUES (:id, 'https://id.example.com', 'owner', :user, false)
                """
            ),
            {"id": identity_id, "user": owner.user_id},
        )
    return identity_id


async def _ask(api: Api, run_id: UUID) -> UUID:
    """An approval that a worker would have asked for."""
    approval_id = new_id()
    async with api.database.begin() as connection:
        await connection.execute(
            text(
                """
                INSERT INTO approval (id, workspace_id, run_id, step, message, created_at)
                SELECT :id, workspace_id, id, 'ask', 'Go?', now() FROM run WHERE id = :run
                """
            ),
            {"id": approval_id, "run": run_id},
        )
    return approval_id
