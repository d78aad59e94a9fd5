"""Renaming a workspace."""

from typing import Any

import pytest

from app.auth.permissions import Role
from engine.infra.ids import new_id
from tests.integration.api import audits
from tests.integration.api.callers import Api, Caller


async def rename(caller: Caller, name: Any, workspace_id: object = None) -> Any:
    path = f"/v1/workspaces/{workspace_id or caller.workspace_id}"
    return await caller.client.patch(path, json={"name": name})


async def test_an_owner_renames_the_workspace_and_everybody_sees_it(api: Api, owner: Caller) -> None:
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    answer = await rename(owner, "The shop")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["role"], answer.json()["is_current"]) == ("The shop", "owner", True)
    assert (await viewer.client.get("/v1/auth/me")).json()["workspace"]["name"] == "The shop"
    entry = await audits.find(owner, "workspace.renamed")
    assert (entry["before"], entry["after"]) == ({"name": "Workspace"}, {"name": "The shop"})
    assert entry["target"] == {"type": "workspace", "id": str(owner.workspace_id), "name": "The shop"}


async def test_a_name_that_it_has_already_is_no_change(owner: Caller) -> None:
    assert (await rename(owner, "Workspace")).status_code == 200
    assert await audits.read(owner, action="workspace.renamed") == []


async def test_another_workspace_is_not_there_even_for_its_owner(api: Api, owner: Caller) -> None:
    second = (await owner.client.post("/v1/workspaces", json={"name": "Second"})).raise_for_status().json()
    for workspace_id in (second["id"], (await api.sign_in()).workspace_id, new_id()):
        answer = await rename(owner, "Mine", workspace_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    names = {each["name"] for each in (await owner.client.get("/v1/workspaces")).json()["items"]}
    assert names == {"Workspace", "Second"}


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 201, None, 7])
async def test_a_name_that_is_none_is_refused_at_its_place(owner: Caller, name: Any) -> None:
    answer = await rename(owner, name)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/name"


async def test_it_takes_an_owner(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    answer = await rename(admin, "Mine")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_permission")
