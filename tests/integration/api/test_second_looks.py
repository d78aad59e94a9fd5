"""Another process goes by what it found a moment ago: nobody who is thrown out lets themselves in anew over there."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from app.auth import authenticator
from app.auth.permissions import Role
from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running

GUEST = {"email": "guest@example.com", "role": "viewer"}
KEY = {"name": "spare", "role": "viewer"}


@pytest.fixture
async def elsewhere(api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """Another process over the same database, for which what it found holds as long as the test takes."""
    monkeypatch.setattr(authenticator, "CACHE_SECONDS", 600.0)
    async with running(settings, beside_another=True) as opened:
        yield opened


async def known_there(elsewhere: Api, token: str) -> httpx.AsyncClient:
    """A client of the other process, which has found out who it is."""
    client = elsewhere.client(token)
    assert (await client.get("/v1/auth/me")).status_code == 200
    return client


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def hand_out(client: httpx.AsyncClient) -> list[tuple[int, str]]:
    """Try to make what outlasts whoever makes it."""
    return [
        problem(await client.post("/v1/invitations", json=GUEST)),
        problem(await client.post("/v1/api-keys", json=KEY)),
    ]


async def test_who_was_removed_invites_nobody_and_makes_no_key(api: Api, owner: Caller, elsewhere: Api) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    there = await known_there(elsewhere, admin.tokens["access_token"])
    assert (await owner.client.delete(f"/v1/members/{admin.user_id}")).status_code == 204
    assert await hand_out(there) == [(401, "invalid_token")] * 2
    assert problem(await there.delete(f"/v1/members/{owner.user_id}")) == (401, "invalid_token")


async def test_who_lost_a_role_gives_it_to_nobody(api: Api, owner: Caller, elsewhere: Api) -> None:
    other = await api.sign_in(Role.OWNER, owner.workspace_id)
    there = await known_there(elsewhere, other.tokens["access_token"])
    change = await owner.client.patch(f"/v1/members/{other.user_id}", json={"role": "admin"})
    assert change.status_code == 200
    back = await there.patch(f"/v1/members/{other.user_id}", json={"role": "owner"})
    assert problem(back) == (403, "missing_permission")
    made = [
        await there.post("/v1/invitations", json={**GUEST, "role": "owner"}),
        await there.post("/v1/api-keys", json={**KEY, "role": "owner"}),
        await there.delete(f"/v1/members/{owner.user_id}"),
    ]
    assert [problem(answer) for answer in made] == [(403, "missing_permission")] * 3
    assert (await there.post("/v1/api-keys", json={**KEY, "role": "admin"})).status_code == 201


async def test_a_session_that_was_ended_begins_no_other_and_makes_no_key(
    api: Api, owner: Caller, elsewhere: Api
) -> None:
    there = await known_there(elsewhere, owner.tokens["access_token"])
    login = {"email": owner.email, "password": PASSWORD}
    newer = api.client((await api.client().post("/v1/auth/login", json=login)).json()["access_token"])
    assert (await newer.delete("/v1/auth/sessions")).status_code == 204
    switch = await there.post("/v1/auth/switch", json={"workspace_id": str(owner.workspace_id)})
    assert problem(switch) == (401, "invalid_token")
    assert await hand_out(there) == [(401, "invalid_token")] * 2
    assert len((await newer.get("/v1/auth/sessions")).json()["items"]) == 1


async def test_a_key_that_was_revoked_makes_no_other(owner: Caller, elsewhere: Api) -> None:
    made = (await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "admin"})).json()
    there = await known_there(elsewhere, made["secret"])
    assert (await there.post("/v1/api-keys", json=KEY)).status_code == 201
    assert (await owner.client.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
    assert await hand_out(there) == [(401, "invalid_token")] * 2


@pytest.mark.without_faults("a change that is not heard of has changed the current password")
async def test_a_sign_in_with_the_old_password_does_not_outlast_a_new_one(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is found right, and before the session begins there is another one."""
    verify, is_looked_at, may_go_on = api.app.state.identity._passwords.verify, asyncio.Event(), asyncio.Event()

    async def verify_slowly(password_hash: str | None, password: str) -> bool:
        is_right = await verify(password_hash, password)
        if not is_looked_at.is_set():
            is_looked_at.set()
            await may_go_on.wait()
        return bool(is_right)

    monkeypatch.setattr(api.app.state.identity._passwords, "verify", verify_slowly)
    login = {"email": owner.email, "password": PASSWORD}
    late = asyncio.create_task(api.client().post("/v1/auth/login", json=login))
    await is_looked_at.wait()
    change = {"current_password": PASSWORD, "new_password": "another one of mine"}
    assert (await owner.client.post("/v1/auth/password", json=change)).status_code == 204
    may_go_on.set()
    assert problem(await late) == (401, "invalid_credentials")
    assert len((await owner.client.get("/v1/auth/sessions")).json()["items"]) == 1


async def test_a_session_in_another_workspace_lasts_no_longer_than_the_one_it_came_from(
    api: Api, owner: Caller
) -> None:
    made = (await owner.client.post("/v1/workspaces", json={"name": "Second"})).json()
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_session SET expires_at = now() + interval '1 day'"))
    tokens = (await owner.client.post("/v1/auth/switch", json={"workspace_id": made["id"]})).json()
    sessions = (await api.client(tokens["access_token"]).get("/v1/auth/sessions")).json()["items"]
    assert len({session["expires_at"] for session in sessions}) == 1
    assert len(sessions) >= 2
