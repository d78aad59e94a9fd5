"""Members and invitations: how people come, what they become, how they go."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.auth.permissions import Role, is_above
from engine.infra.ids import new_id
from tests.integration.api.callers import PASSWORD, Api, Caller

NEW = {"email": "grace@example.com", "role": "editor"}
JOIN = {"name": "Grace", "password": "a password of her own"}


async def invite(caller: Caller, **changes: Any) -> dict[str, Any]:
    answer = await caller.client.post("/v1/invitations", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def accept(api: Api, made: dict[str, Any], **body: Any) -> httpx.Response:
    return await api.client().post("/v1/invitations/accept", json={"token": made["token"], **(body or JOIN)})


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def members_of(caller: Caller) -> dict[str, str]:
    items = (await caller.client.get("/v1/members")).json()["items"]
    return {item["email"]: item["role"] for item in items}


async def test_somebody_new_joins_by_a_link(api: Api, owner: Caller) -> None:
    made = await invite(owner, email="Grace@Example.com")
    assert made["url"].endswith(f"/invitation#{made['token']}")
    listed = (await owner.client.get("/v1/invitations")).json()["items"]
    assert [(item["id"], item["email"], item["role"]) for item in listed] == [
        (made["id"], "grace@example.com", "editor")
    ]
    assert "token" not in listed[0]
    tokens = (await accept(api, made)).json()
    me = (await api.client(tokens["access_token"]).get("/v1/auth/me")).json()
    assert (me["user"]["name"], me["role"], me["workspace"]["id"]) == ("Grace", "editor", str(owner.workspace_id))
    assert await members_of(owner) == {owner.email: "owner", "grace@example.com": "editor"}
    again = await api.client().post("/v1/auth/login", json={"email": NEW["email"], "password": JOIN["password"]})
    assert again.status_code == 200
    assert (await owner.client.get("/v1/invitations")).json()["items"] == []


async def test_who_has_an_account_joins_with_its_password_and_keeps_the_other_workspace(
    api: Api, owner: Caller
) -> None:
    other = await api.sign_in(Role.OWNER)
    made = await invite(owner, email=other.email, role="viewer")
    assert problem(await accept(api, made, password="a guess of mine")) == (401, "invalid_credentials")
    tokens = (await accept(api, made, password=PASSWORD)).json()
    joined = api.client(tokens["access_token"])
    assert (await joined.get("/v1/auth/me")).json()["workspace"]["id"] == str(owner.workspace_id)
    mine = (await joined.get("/v1/workspaces")).json()["items"]
    assert {(item["id"], item["role"], item["is_current"]) for item in mine} == {
        (str(owner.workspace_id), "viewer", True),
        (str(other.workspace_id), "owner", False),
    }


async def test_a_link_is_good_for_one_use(api: Api, owner: Caller) -> None:
    made = await invite(owner)
    answers = await asyncio.gather(*(accept(api, made) for _ in range(4)))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert problem(await accept(api, made)) == (410, "invitation_gone")
    assert len(await members_of(owner)) == 2


async def test_links_that_are_void(api: Api, owner: Caller) -> None:
    replaced = await invite(owner)
    current = await invite(owner)
    assert problem(await accept(api, replaced)) == (410, "invitation_gone")
    assert (await owner.client.delete(f"/v1/invitations/{current['id']}")).status_code == 204
    assert problem(await accept(api, current)) == (410, "invitation_gone")
    assert (await owner.client.delete(f"/v1/invitations/{current['id']}")).status_code == 404
    expired = await invite(owner)
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE invitation SET expires_at = now() - interval '1 second'"))
    assert problem(await accept(api, expired)) == (410, "invitation_gone")
    assert problem(await accept(api, {"token": "made up"})) == (410, "invitation_gone")


@pytest.mark.without_faults("a lost answer has used the link up")
@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"password": "a password of her own"}, "/name", "required"),
        ({"name": "Grace", "password": "short"}, "/password", "length"),
        ({"name": " ", "password": "a password of her own"}, "/name", "format"),
    ],
)
async def test_what_a_newcomer_must_give_is_told_and_the_link_stays_good(
    api: Api, owner: Caller, body: dict[str, Any], pointer: str, code: str
) -> None:
    made = await invite(owner)
    answer = await accept(api, made, **body)
    assert answer.status_code == 400, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert (await accept(api, made)).status_code == 200


async def look(api: Api, token: str) -> httpx.Response:
    return await api.client().post("/v1/invitations/read", json={"token": token})


@pytest.mark.without_faults("a lost answer has used the link up")
async def test_who_holds_a_link_reads_what_it_offers(api: Api, owner: Caller) -> None:
    made = await invite(owner)
    offer = (await look(api, made["token"])).json()
    workspace = (await owner.client.get("/v1/auth/me")).json()["workspace"]["name"]
    assert offer == {
        "email": NEW["email"],
        "workspace": workspace,
        "role": "editor",
        "expires_at": made["expires_at"],
        "has_account": False,
        "has_password": False,
    }
    other = await api.sign_in(Role.OWNER)
    known = (await look(api, (await invite(owner, email=other.email))["token"])).json()
    assert (known["has_account"], known["has_password"]) == (True, True)
    # Looking uses nothing up.
    assert (await accept(api, made)).status_code == 200


async def test_a_link_that_is_void_says_why(api: Api, owner: Caller) -> None:
    used = await invite(owner, email="used@example.com")
    assert (await accept(api, used)).status_code == 200
    replaced = await invite(owner, email="replaced@example.com")
    await invite(owner, email="replaced@example.com")
    revoked = await invite(owner, email="revoked@example.com")
    assert (await owner.client.delete(f"/v1/invitations/{revoked['id']}")).status_code == 204
    expired = await invite(owner, email="expired@example.com")
    async with api.database.begin() as connection:
        await connection.execute(
            text("UPDATE invitation SET expires_at = now() - interval '1 second' WHERE id = :id"), {"id": expired["id"]}
        )
    answers = [await look(api, made["token"]) for made in (used, replaced, revoked, expired, {"token": "made up"})]
    assert {problem(answer) for answer in answers} == {(410, "invitation_gone")}
    assert [answer.json()["reason"] for answer in answers] == ["used", "revoked", "revoked", "expired", "unknown"]


async def seen(caller: Caller) -> dict[str, str | None]:
    items = (await caller.client.get("/v1/members", params={"last_seen": "true"})).raise_for_status().json()["items"]
    return {item["email"]: item["last_seen_at"] for item in items}


@pytest.mark.without_faults("a lost answer has used the token up")
async def test_admins_see_when_members_were_last_seen_here(api: Api, owner: Caller) -> None:
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    elsewhere = await api.sign_in(Role.OWNER)
    before = await seen(owner)
    assert set(before) == {owner.email, viewer.email}
    refresh = {"refresh_token": viewer.tokens["refresh_token"]}
    (await api.client().post("/v1/auth/refresh", json=refresh)).raise_for_status()
    after = await seen(owner)
    assert str(after[viewer.email]) > str(before[viewer.email])
    assert after[owner.email] == before[owner.email]
    async with api.database.begin() as connection:
        await connection.execute(
            text("UPDATE user_session SET workspace_id = :other WHERE user_id = :id"),
            {"other": elsewhere.workspace_id, "id": viewer.user_id},
        )
    assert (await seen(owner))[viewer.email] is None, "what they do elsewhere is told nobody here"


async def test_colleagues_do_not_see_who_was_seen_when(api: Api, owner: Caller) -> None:
    editor = await api.sign_in(Role.EDITOR, owner.workspace_id)
    answer = await editor.client.get("/v1/members", params={"last_seen": "true"})
    assert problem(answer) == (403, "missing_permission")
    plain = (await editor.client.get("/v1/members")).raise_for_status().json()["items"]
    assert {item["last_seen_at"] for item in plain} == {None}


async def test_who_is_a_member_is_not_invited_again(owner: Caller) -> None:
    answer = await owner.client.post("/v1/invitations", json={"email": owner.email, "role": "viewer"})
    assert problem(answer) == (409, "already_member")


@pytest.mark.parametrize("role", list(Role))
async def test_nobody_invites_above_their_own_role(api: Api, role: Role) -> None:
    admin = await api.sign_in(Role.ADMIN)
    answer = await admin.client.post("/v1/invitations", json={**NEW, "role": role.value})
    assert answer.status_code == (403 if is_above(role, Role.ADMIN) else 201)


async def test_passwords_of_an_invited_account_are_guessed_a_few_times_only(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.OWNER)
    made = await invite(owner, email=other.email)
    guesses = [await accept(api, made, password="a guess of mine") for _ in range(6)]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429]
    assert int(guesses[-1].headers["retry-after"]) > 0


async def test_a_role_is_changed_by_owners_only(api: Api, owner: Caller) -> None:
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    path = f"/v1/members/{viewer.user_id}"
    assert problem(await admin.client.patch(path, json={"role": "editor"})) == (403, "missing_permission")
    changed = await owner.client.patch(path, json={"role": "editor"})
    assert (changed.status_code, changed.json()["role"]) == (200, "editor")
    assert (await viewer.client.get("/v1/auth/me")).json()["role"] == "editor"


async def test_a_workspace_keeps_an_owner(api: Api, owner: Caller) -> None:
    path = f"/v1/members/{owner.user_id}"
    assert problem(await owner.client.patch(path, json={"role": "viewer"})) == (409, "last_owner")
    assert problem(await owner.client.delete(path)) == (409, "last_owner")
    second = await api.sign_in(Role.OWNER, owner.workspace_id)
    steps_down = [
        caller.client.patch(f"/v1/members/{caller.user_id}", json={"role": "viewer"}) for caller in (owner, second)
    ]
    answers = await asyncio.gather(*steps_down)
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_who_is_removed_is_out_at_once(api: Api, owner: Caller) -> None:
    editor = await api.sign_in(Role.EDITOR, owner.workspace_id)
    assert (await editor.client.get("/v1/auth/me")).status_code == 200
    assert (await owner.client.delete(f"/v1/members/{editor.user_id}")).status_code == 204
    assert problem(await editor.client.get("/v1/auth/me")) == (401, "invalid_token")
    renewed = await api.client().post("/v1/auth/refresh", json={"refresh_token": editor.tokens["refresh_token"]})
    assert problem(renewed) == (401, "invalid_refresh_token")
    assert (await owner.client.delete(f"/v1/members/{editor.user_id}")).status_code == 404


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.OPERATOR, Role.VIEWER])
async def test_everybody_may_leave_and_is_out_at_once(api: Api, owner: Caller, role: Role) -> None:
    caller = await api.sign_in(role, owner.workspace_id)
    assert (await caller.client.post(f"/v1/workspaces/{owner.workspace_id}/leave")).status_code == 204
    assert problem(await caller.client.get("/v1/auth/me")) == (401, "invalid_token")
    assert await members_of(owner) == {owner.email: "owner"}
    (entry,) = (await owner.client.get("/v1/audit?action=member.removed")).json()["items"]
    assert (entry["actor"]["user_id"], entry["target"]["id"]) == (str(caller.user_id),) * 2


async def test_the_last_owner_cannot_leave(api: Api, owner: Caller) -> None:
    path = f"/v1/workspaces/{owner.workspace_id}/leave"
    assert problem(await owner.client.post(path)) == (409, "last_owner")
    await api.sign_in(Role.OWNER, owner.workspace_id)
    assert (await owner.client.post(path)).status_code == 204


async def test_one_leaves_the_workspace_that_one_is_in_and_as_a_person(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.OWNER)
    assert (await other.client.post(f"/v1/workspaces/{owner.workspace_id}/leave")).status_code == 404
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    key = (await admin.client.post("/v1/api-keys", json={"name": "ci", "role": "viewer"})).json()
    by_key = await api.client(key["secret"]).post(f"/v1/workspaces/{owner.workspace_id}/leave")
    assert problem(by_key) == (409, "no_session")
    assert len(await members_of(owner)) == 2


async def test_admins_remove_everybody_but_owners(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    assert problem(await admin.client.delete(f"/v1/members/{owner.user_id}")) == (403, "missing_permission")
    assert (await admin.client.delete(f"/v1/members/{viewer.user_id}")).status_code == 204


@pytest.mark.parametrize("role", [Role.EDITOR, Role.OPERATOR, Role.VIEWER])
async def test_others_read_members_and_change_nothing(api: Api, owner: Caller, role: Role) -> None:
    caller = await api.sign_in(role, owner.workspace_id)
    assert (await members_of(caller))[owner.email] == "owner"
    answers = [
        await caller.client.patch(f"/v1/members/{caller.user_id}", json={"role": "owner"}),
        await caller.client.delete(f"/v1/members/{owner.user_id}"),
        await caller.client.post("/v1/invitations", json=NEW),
        await caller.client.get("/v1/invitations"),
        await caller.client.delete(f"/v1/invitations/{new_id()}"),
    ]
    assert {problem(answer) for answer in answers} == {(403, "missing_permission")}


async def test_another_workspace_is_out_of_reach(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.OWNER)
    made = await invite(owner)
    assert (await other.client.get("/v1/invitations")).json()["items"] == []
    assert (await other.client.delete(f"/v1/invitations/{made['id']}")).status_code == 404
    assert (await other.client.patch(f"/v1/members/{owner.user_id}", json={"role": "viewer"})).status_code == 404
    assert (await other.client.delete(f"/v1/members/{owner.user_id}")).status_code == 404
    assert await members_of(other) == {other.email: "owner"}


async def test_with_a_member_go_their_keys_and_their_open_invitations(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    key = (await admin.client.post("/v1/api-keys", json={"name": "ci", "role": "viewer"})).json()
    made = await invite(admin)
    assert (await owner.client.delete(f"/v1/members/{admin.user_id}")).status_code == 204
    assert problem(await accept(api, made)) == (410, "invitation_gone")
    back = await invite(owner, email=admin.email, role="admin")
    assert (await accept(api, back, password=PASSWORD)).status_code == 200
    assert problem(await api.client(key["secret"]).get("/v1/auth/me")) == (401, "invalid_token")


async def test_a_demoted_members_invitations_are_taken_back(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = await invite(admin, role="admin")
    changed = await owner.client.patch(f"/v1/members/{admin.user_id}", json={"role": "editor"})
    assert changed.status_code == 200
    assert problem(await accept(api, made)) == (410, "invitation_gone")
