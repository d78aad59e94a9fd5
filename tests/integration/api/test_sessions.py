"""A user's own sign-ins and workspaces."""

import httpx
import pytest

from app.auth.permissions import Role
from engine.infra.ids import new_id
from tests.integration.api.callers import PASSWORD, Api, Caller


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def log_in(api: Api, caller: Caller, password: str = PASSWORD) -> httpx.Response:
    return await api.client().post("/v1/auth/login", json={"email": caller.email, "password": password})


async def test_a_workspace_is_made_and_switched_to(api: Api, owner: Caller) -> None:
    made = await owner.client.post("/v1/workspaces", json={"name": "Second"})
    assert (made.status_code, made.json()["role"], made.json()["is_current"]) == (201, "owner", False)
    tokens = await owner.client.post("/v1/auth/switch", json={"workspace_id": made.json()["id"]})
    there = api.client(tokens.json()["access_token"])
    assert (await there.get("/v1/auth/me")).json()["workspace"] == {"id": made.json()["id"], "name": "Second"}
    await there.post("/v1/workflows", json={"name": "Elsewhere", "definition": {}})
    assert (await owner.client.get("/v1/workflows")).json()["items"] == []
    assert (await owner.client.get("/v1/auth/me")).json()["workspace"]["id"] == str(owner.workspace_id)


async def test_a_workspace_of_others_is_not_switched_to(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.OWNER)
    for workspace_id in (other.workspace_id, new_id()):
        answer = await owner.client.post("/v1/auth/switch", json={"workspace_id": str(workspace_id)})
        assert problem(answer) == (404, "not_found")


@pytest.mark.without_faults("who is not answered signs in once more")
async def test_sign_ins_are_listed_and_ended_one_by_one(api: Api, owner: Caller) -> None:
    elsewhere = api.client((await log_in(api, owner)).json()["access_token"])
    listed = (await owner.client.get("/v1/auth/sessions")).json()["items"]
    assert [item["is_current"] for item in listed] == [False, True]
    assert (await elsewhere.get("/v1/auth/me")).status_code == 200
    assert (await owner.client.delete(f"/v1/auth/sessions/{listed[0]['id']}")).status_code == 204
    assert problem(await elsewhere.get("/v1/auth/me")) == (401, "invalid_token")
    assert len((await owner.client.get("/v1/auth/sessions")).json()["items"]) == 1


async def test_sign_ins_come_in_pages(api: Api, owner: Caller) -> None:
    for _ in range(4):
        (await log_in(api, owner)).raise_for_status()
    whole = (await owner.client.get("/v1/auth/sessions")).json()
    first = (await owner.client.get("/v1/auth/sessions", params={"limit": 3})).json()
    rest = (await owner.client.get("/v1/auth/sessions", params={"limit": 100, "cursor": first["next_cursor"]})).json()
    assert (len(first["items"]), whole["next_cursor"], rest["next_cursor"]) == (3, None, None)
    assert first["items"] + rest["items"] == whole["items"]
    assert len(whole["items"]) >= 5
    assert [item["is_current"] for item in whole["items"]] == [False] * (len(whole["items"]) - 1) + [True]
    refused = await owner.client.get("/v1/auth/sessions", params={"cursor": "bogus"})
    assert problem(refused) == (400, "invalid_cursor")


@pytest.mark.without_faults("who is not answered signs in once more")
async def test_nobody_ends_the_sign_ins_of_others(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.OWNER, owner.workspace_id)
    (session,) = (await owner.client.get("/v1/auth/sessions")).json()["items"]
    assert problem(await other.client.delete(f"/v1/auth/sessions/{session['id']}")) == (404, "not_found")
    assert (await owner.client.get("/v1/auth/me")).status_code == 200


async def test_all_other_sign_ins_end_at_once(api: Api, owner: Caller) -> None:
    others = [(await log_in(api, owner)).json() for _ in range(2)]
    clients = [api.client(tokens["access_token"]) for tokens in others]
    assert [(await client.get("/v1/auth/me")).status_code for client in clients] == [200, 200]
    assert (await owner.client.delete("/v1/auth/sessions")).status_code == 204
    assert [(await client.get("/v1/auth/me")).status_code for client in clients] == [401, 401]
    assert (await owner.client.get("/v1/auth/me")).status_code == 200


async def test_a_password_is_changed_by_who_knows_it(api: Api, owner: Caller) -> None:
    elsewhere = api.client((await log_in(api, owner)).json()["access_token"])
    change = {"current_password": "a guess of mine", "new_password": "another password"}
    assert problem(await owner.client.post("/v1/auth/password", json=change)) == (401, "invalid_credentials")
    change["current_password"] = PASSWORD
    assert (await owner.client.post("/v1/auth/password", json=change)).status_code == 204
    assert (await owner.client.get("/v1/auth/me")).status_code == 200
    assert (await elsewhere.get("/v1/auth/me")).status_code == 401
    assert problem(await log_in(api, owner)) == (401, "invalid_credentials")
    assert (await log_in(api, owner, "another password")).status_code == 200


async def test_a_new_password_must_be_one(owner: Caller) -> None:
    change = {"current_password": PASSWORD, "new_password": "short"}
    answer = await owner.client.post("/v1/auth/password", json=change)
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/new_password", "length")]


async def test_an_api_key_has_no_sign_ins_and_one_workspace(api: Api, owner: Caller) -> None:
    await owner.client.post("/v1/workspaces", json={"name": "Second"})
    key = (await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "owner"})).json()
    program = api.client(key["secret"])
    (only,) = (await program.get("/v1/workspaces")).json()["items"]
    assert only["id"] == str(owner.workspace_id)
    assert problem(await program.post("/v1/workspaces", json={"name": "Third"})) == (403, "missing_permission")
    change = {"current_password": PASSWORD, "new_password": "another password"}
    answers = [
        await program.post("/v1/auth/switch", json={"workspace_id": str(owner.workspace_id)}),
        await program.get("/v1/auth/sessions"),
        await program.delete("/v1/auth/sessions"),
        await program.delete(f"/v1/auth/sessions/{new_id()}"),
        await program.post("/v1/auth/password", json=change),
    ]
    assert {problem(answer) for answer in answers} == {(409, "no_session")}
