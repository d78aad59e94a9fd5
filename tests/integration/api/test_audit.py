"""The audit log: what is done and refused is entered with who, from where, before and after."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app import dependencies
from app.audit.entries import Action
from app.auth.permissions import Role
from engine.infra.ids import new_id
from tests.integration.api.audits import PATH, find, list_actions, read, set_variable
from tests.integration.api.belongings import furnish
from tests.integration.api.callers import PASSWORD, Api, Caller
from tests.integration.api.hooks import DEFINITION, open_hook


async def test_a_sign_in_is_entered_with_who_from_where_and_under_which_request(api: Api, owner: Caller) -> None:
    client = api.client(address="192.0.2.9")
    answer = await client.post(
        "/v1/auth/login", json={"email": owner.email, "password": PASSWORD}, headers={"x-request-id": "mine"}
    )
    answer.raise_for_status()
    entry = (await read(owner, action="session.began"))[0]
    assert entry["actor"]["email"] == owner.email
    assert (entry["actor"]["user_id"], entry["actor"]["api_key_id"]) == (str(owner.user_id), None)
    assert (entry["address"], entry["request_id"], entry["outcome"]) == ("192.0.2.9", "mine", "done")
    sessions = (await api.client(answer.json()["access_token"]).get("/v1/auth/sessions")).json()["items"]
    assert entry["target"]["id"] == next(each["id"] for each in sessions if each["is_current"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(entry["at"])) < timedelta(minutes=10)


async def test_wrong_passwords_are_entered_and_tell_neither_who_nor_what_was_tried(api: Api, owner: Caller) -> None:
    client = api.client(address="192.0.2.9")
    for email in (owner.email, "nobody@example.com"):
        answer = await client.post("/v1/auth/login", json={"email": email, "password": "a wrong guess"})
        assert answer.status_code == 401
    change = {"current_password": "another guess", "new_password": "a password of one's own"}
    assert (await owner.client.post("/v1/auth/password", json=change)).status_code == 401
    await api.app.state.refusals.settle()
    refused = await read(owner, outcome="refused")
    assert await list_actions(owner, outcome="refused") == ["password.refused", "session.refused"]
    assert {entry["target"]["id"] for entry in refused} == {str(owner.user_id)}
    assert refused[-1]["target"] == {"type": "user", "id": str(owner.user_id), "name": owner.email}
    assert refused[-1]["address"] == "192.0.2.9"
    assert {entry["actor"]["user_id"] for entry in refused} == {None}
    assert "guess" not in json.dumps(refused)


@pytest.mark.without_faults("an entry whose commit is not heard of is written again")
async def test_denied_access_is_entered_once_a_minute_for_each_caller_and_call(api: Api, owner: Caller) -> None:
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    for _ in range(3):
        assert (await viewer.client.get("/v1/api-keys")).status_code == 403
    assert (await viewer.client.get(PATH)).status_code == 403
    await api.app.state.refusals.settle()
    entries = await read(owner, action="access.denied")
    assert [entry["target"]["id"] for entry in entries] == ["GET /v1/audit", "GET /v1/api-keys"]
    assert entries[1]["after"] == {"permission": "api_keys:write", "role": "viewer"}
    assert (entries[1]["actor"]["email"], entries[1]["outcome"]) == (viewer.email, "refused")


async def test_what_a_service_denies_beside_the_table_of_access_is_entered(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "owner"})
    program = api.client(made.json()["secret"])
    answers = [
        await admin.client.post("/v1/api-keys", json={"name": "mine", "role": "owner"}),
        await admin.client.post("/v1/invitations", json={"email": "a@example.com", "role": "owner"}),
        await admin.client.delete(f"/v1/members/{owner.user_id}"),
        await program.post("/v1/workspaces", json={"name": "Second"}),
        await api.client(admin.tokens["access_token"], "192.0.2.9").get("/metrics"),
        await api.client((await api.sign_in(Role.VIEWER, owner.workspace_id)).tokens["access_token"], "192.0.2.9").get(
            "/metrics"
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 200, 403]
    await api.app.state.refusals.settle()
    entries = {entry["target"]["id"]: entry for entry in await read(owner, action="access.denied")}
    assert entries.keys() == {
        "POST /v1/api-keys",
        "POST /v1/invitations",
        "DELETE /v1/members/{user_id}",
        "POST /v1/workspaces",
        "GET /metrics",
    }
    reason = answers[0].json()["detail"]
    key = entries["POST /v1/api-keys"]
    assert key["after"] == {"permission": None, "role": "admin", "reason": reason}
    assert (key["actor"]["email"], key["outcome"]) == (admin.email, "refused")
    assert entries["POST /v1/workspaces"]["actor"]["api_key_name"] == "ci"
    assert entries["GET /metrics"]["after"] == {"permission": "metrics:read", "role": "viewer"}


@pytest.mark.without_faults("an entry whose commit is not heard of is written again")
async def test_what_the_throttle_refuses_is_entered_once_a_minute(api: Api, owner: Caller) -> None:
    client = api.client(address="192.0.2.9")
    guess = {"email": owner.email, "password": "a wrong guess"}
    answers = [await client.post("/v1/auth/login", json=guess) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    stranger = [await client.post("/v1/auth/login", json={**guess, "email": "nobody@example.com"}) for _ in range(6)]
    assert stranger[-1].status_code == 429
    change = {"current_password": "another guess", "new_password": "a password of one's own"}
    changes = [await owner.client.post("/v1/auth/password", json=change) for _ in range(7)]
    assert [answer.status_code for answer in changes] == [401] * 5 + [429] * 2
    await api.app.state.refusals.settle()
    refused = await read(owner, outcome="refused")
    throttled = [entry for entry in refused if entry["after"] == {"reason": "throttled"}]
    assert [entry["action"] for entry in throttled] == ["password.refused", "session.refused"]
    assert throttled[1]["target"] == {"type": "user", "id": str(owner.user_id), "name": owner.email}
    assert (throttled[1]["address"], throttled[1]["actor"]["user_id"]) == ("192.0.2.9", None)
    assert len(refused) == 12


async def test_members_and_roles_are_entered_with_what_was_before(api: Api, owner: Caller) -> None:
    member = await api.sign_in(Role.VIEWER, owner.workspace_id)
    (await owner.client.patch(f"/v1/members/{member.user_id}", json={"role": "editor"})).raise_for_status()
    (await owner.client.delete(f"/v1/members/{member.user_id}")).raise_for_status()
    removed, changed = await read(owner, action="member")
    assert (changed["action"], changed["before"], changed["after"]) == (
        "member.role_changed",
        {"role": "viewer"},
        {"role": "editor"},
    )
    assert (removed["action"], removed["before"]) == ("member.removed", {"role": "editor"})
    assert changed["target"] == {"type": "member", "id": str(member.user_id), "name": member.email}


@pytest.mark.without_faults("an invitation is accepted once, whether or not its caller hears of that")
async def test_invitations_are_entered_from_the_making_to_the_joining(api: Api, owner: Caller) -> None:
    body = {"email": "grace@example.com", "role": "editor"}
    made = (await owner.client.post("/v1/invitations", json=body)).raise_for_status().json()
    newcomer = {"token": made["token"], "name": "Grace", "password": "a password of her own"}
    (await api.client().post("/v1/invitations/accept", json=newcomer)).raise_for_status()
    other = (await owner.client.post("/v1/invitations", json={**body, "email": "x@example.com"})).json()
    (await owner.client.delete(f"/v1/invitations/{other['id']}")).raise_for_status()
    entries = await read(owner)
    assert [(entry["action"], entry["actor"]["email"]) for entry in entries[:5]] == [
        ("invitation.revoked", owner.email),
        ("invitation.created", owner.email),
        ("session.began", "grace@example.com"),
        ("member.joined", "grace@example.com"),
        ("invitation.created", owner.email),
    ]
    assert entries[4]["after"]["role"] == "editor"
    assert (entries[0]["before"]["role"], entries[1]["after"]["role"]) == ("editor", "editor")
    assert made["token"] not in json.dumps(entries)


async def test_what_a_key_does_is_entered_under_its_name(api: Api, owner: Caller) -> None:
    made = (await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "editor"})).json()
    program = api.client(made["secret"])
    (await program.put("/v1/vars/region", json={"value": "eu"})).raise_for_status()
    (await owner.client.delete(f"/v1/api-keys/{made['id']}")).raise_for_status()
    revoked, by_key, created = await read(owner, limit=3)
    assert (created["action"], created["after"]["role"]) == ("api_key.created", "editor")
    assert by_key["actor"]["api_key_id"] == made["id"]
    assert (by_key["actor"]["api_key_name"], by_key["actor"]["email"]) == ("ci", owner.email)
    assert (revoked["action"], revoked["target"]["name"]) == ("api_key.revoked", "ci")
    assert revoked["before"] == {"role": "editor", "prefix": made["prefix"], "expires_at": None}


@pytest.mark.without_faults("an entry whose commit is not heard of is written again")
async def test_a_key_that_was_good_once_is_told_of_when_it_comes_again(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = [
        (await maker.client.post("/v1/api-keys", json={"name": name, "role": "viewer"})).json()
        for maker, name in ((owner, "revoked"), (owner, "expired"), (admin, "maker_gone"))
    ]
    (await owner.client.delete(f"/v1/api-keys/{made[0]['id']}")).raise_for_status()
    async with api.database.begin() as connection:
        expire = "UPDATE api_key SET expires_at = now() WHERE name = 'expired'"
        await connection.execute(text(expire))
        await connection.execute(text("DELETE FROM membership WHERE user_id = :id"), {"id": admin.user_id})
    for key in made * 2:
        assert (await api.client(key["secret"], "192.0.2.9").get("/v1/auth/me")).status_code == 401
    await api.app.state.refusals.settle()
    entries = (await read(owner, action="api_key.refused"))[::-1]
    assert [(entry["target"]["name"], entry["after"]["reason"]) for entry in entries] == [
        (name, name) for name in ("revoked", "expired", "maker_gone")
    ]
    assert {(entry["address"], entry["actor"]["user_id"], entry["outcome"]) for entry in entries} == {
        ("192.0.2.9", None, "refused")
    }
    assert [key["secret"] for key in made if key["secret"] in json.dumps(entries)] == []


async def test_with_a_removed_member_the_keys_are_told_that_end_too(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    key = (await admin.client.post("/v1/api-keys", json={"name": "ci", "role": "viewer"})).json()
    (await owner.client.delete(f"/v1/members/{admin.user_id}")).raise_for_status()
    assert (await find(owner, "member.removed"))["before"] == {"role": "admin", "api_keys": [key["id"]]}


async def test_workflows_and_triggers_are_entered_as_they_go_live_and_away(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    workflow = f"/v1/workflows/{hook.workflow_id}"
    (await owner.client.post(f"{workflow}/publish")).raise_for_status()
    await hook.change(enabled=False)
    (await owner.client.post(f"/v1/triggers/{hook.trigger_id}/rotate", json={"what": "url"})).raise_for_status()
    (await owner.client.delete(f"/v1/triggers/{hook.trigger_id}")).raise_for_status()
    for change in ({"enabled": False}, {"name": "Other"}, {"enabled": True}):
        etag = (await owner.client.get(workflow)).headers["etag"]
        (await owner.client.patch(workflow, json=change, headers={"if-match": etag})).raise_for_status()
    (await owner.client.delete(workflow)).raise_for_status()
    actions = (await list_actions(owner))[::-1]
    assert [action for action in actions if action.startswith(("workflow.", "trigger."))] == [
        "workflow.published",
        "trigger.created",
        "trigger.changed",
        "trigger.rotated",
        "trigger.deleted",
        "workflow.disabled",
        "workflow.enabled",
        "workflow.deleted",
    ]
    published = await find(owner, "workflow.published")
    assert (published["before"], published["after"]["version"]) == (None, 1)
    digest = hashlib.sha256(json.dumps(DEFINITION, separators=(",", ":")).encode()).hexdigest()
    assert published["after"]["sha256"] == digest
    disabled, deleted = await find(owner, "workflow.disabled"), await find(owner, "workflow.deleted")
    assert (disabled["before"], disabled["after"]) == ({"enabled": True}, {"enabled": False})
    assert (deleted["before"]["enabled"], deleted["before"]["sha256"], deleted["after"]) == (True, digest, None)
    changed = await find(owner, "trigger.changed")
    assert (changed["before"]["enabled"], changed["after"]["enabled"]) == (True, False)


async def test_cancelled_runs_and_decisions_are_entered(api: Api) -> None:
    home = await furnish(api)
    owner, run_id = home.owner, home.ids["run_id"]
    decision = {"decision": "rejected", "comment": "not yet"}
    (await owner.client.post(f"/v1/approvals/{home.ids['approval_id']}", json=decision)).raise_for_status()
    bulk = {"action": "cancel", "filter": {"ids": [run_id]}}
    (await owner.client.post("/v1/runs/bulk", json=bulk)).raise_for_status()
    (await owner.client.post(f"/v1/runs/{run_id}/cancel")).raise_for_status()
    decided, cancelled = await find(owner, "approval.decided"), await find(owner, "run.cancelled")
    assert (decided["before"], decided["after"]["decision"]) == ({"status": "pending"}, "rejected")
    assert cancelled["before"]["status"] in {"queued", "running", "waiting"}
    many = (await find(owner, "run.many_steered"))["after"]
    assert (many["action"], many["run_ids"]) == ("cancel", [run_id])
    assert cancelled["target"]["id"] == run_id


async def test_connections_are_entered_with_the_number_of_their_secret(owner: Caller) -> None:
    body = {"name": "shop", "type": "bearer", "secret": {"token": "s3cr3t-token"}, "allowed_hosts": ["shop.example"]}
    made = (await owner.client.post("/v1/connections", json=body)).raise_for_status().json()
    path = f"/v1/connections/{made['id']}"
    change = {"secret": {"token": "n3w-s3cr3t"}}
    headers = {"if-match": (await owner.client.get(path)).headers["etag"]}
    (await owner.client.patch(path, json=change, headers=headers)).raise_for_status()
    (await owner.client.delete(path)).raise_for_status()
    entries = (await read(owner, action="connection"))[::-1]
    assert [entry["action"] for entry in entries] == ["connection.created", "connection.changed", "connection.deleted"]
    shown = {"name": "shop", "type": "bearer", "allowed_hosts": ["shop.example"], "secret_version": 1}
    assert (entries[0]["before"], entries[0]["after"]) == (None, shown)
    assert entries[1]["after"] == {**shown, "secret_version": 2} == entries[2]["before"]
    assert "s3cr3t" not in json.dumps(entries)


async def test_no_secret_is_ever_entered(api: Api, owner: Caller) -> None:
    secret = "whsec_" + "c2VjcmV0" * 6
    hook = await open_hook(api, owner, {"auth": {"type": "standard_webhooks", "secret": secret}})
    await hook.change(config={"auth": {"type": "standard_webhooks", "secret": secret[:-8]}})
    rotated = await owner.client.post(f"/v1/triggers/{hook.trigger_id}/rotate", json={"what": "secret"})
    made = (await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "editor"})).json()
    await set_variable(owner, "region", "hunter2")
    change = {"current_password": PASSWORD, "new_password": "a password of one's own"}
    (await owner.client.post("/v1/auth/password", json=change)).raise_for_status()
    assert "password.changed" in {entry["action"] for entry in await read(owner)}
    async with api.database.begin() as connection:
        kept = b"".join((await connection.execute(text("SELECT entry FROM audit_entry"))).scalars())
    # The address of a hook opens it as a secret would.
    address = hook.path.rpartition("/")[2]
    said = (secret, secret[:-8], rotated.json()["secret"], made["secret"], "hunter2", PASSWORD, *change.values())
    assert [each for each in (*said, address) if each.encode() in kept] == []


async def test_what_is_not_done_is_not_entered(owner: Caller) -> None:
    before = await read(owner)
    answer = await owner.client.patch(f"/v1/members/{owner.user_id}", json={"role": "viewer"})
    assert answer.status_code == 409
    assert (await owner.client.delete("/v1/vars/nothing")).status_code == 404
    assert await read(owner) == before


async def test_a_repeated_request_is_entered_once(owner: Caller) -> None:
    for _ in range(2):
        body, headers = {"name": "ci", "role": "viewer"}, {"idempotency-key": "once"}
        (await owner.client.post("/v1/api-keys", json=body, headers=headers)).raise_for_status()
    assert len(await read(owner, action="api_key.created")) == 1


async def test_events_and_runs_are_no_business_of_the_audit_log(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    before = await read(owner)
    (await hook.post({"order": 7})).raise_for_status()
    (await owner.client.post(f"/v1/workflows/{hook.workflow_id}/runs", json={})).raise_for_status()
    assert await read(owner) == before


async def test_entries_are_found_by_what_they_say(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    await set_variable(owner, "region", "eu")
    await set_variable(admin, "Zone", "b")
    newest = (await read(owner))[0]
    for query in ({"user_id": str(admin.user_id), "action": "variable"}, {"q": '"ZONE"'}, {"target_id": "Zone"}):
        assert await read(owner, **query) == [newest], query
    assert await read(owner, since=newest["at"]) == [newest]
    assert newest not in await read(owner, until=newest["at"])
    without_zone = newest["at"].removesuffix("Z").removesuffix("+00:00")
    assert await read(owner, since=without_zone) == [newest]
    assert await read(owner, action="variable.deleted") == []


async def test_entries_come_in_pages(owner: Caller) -> None:
    for number in range(5):
        await set_variable(owner, f"v{number}", number)
    first = (await owner.client.get(PATH, params={"limit": 4})).json()
    rest = (await owner.client.get(PATH, params={"limit": 4, "cursor": first["next_cursor"]})).json()
    seqs = [entry["seq"] for entry in first["items"] + rest["items"]]
    assert len(first["items"]) == 4
    assert seqs == list(range(len(seqs), 0, -1))
    assert len(seqs) >= 6
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        (f"{PATH}?since=2027-01-01", "/query/since"),
        (f"{PATH}/export?until=-813", "/query/until"),
        (f"{PATH}?action=A", "/query/action"),
        (f"{PATH}?outcome=maybe", "/query/outcome"),
        (f"{PATH}/verify?seq=1", "/query/seq"),
        (f"{PATH}/verify?seq=1&hash=00", "/query/hash"),
    ],
)
async def test_what_is_wrong_with_a_question_is_told(owner: Caller, path: str, pointer: str) -> None:
    answer = await owner.client.get(path)
    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_cursor_of_another_list_is_refused(owner: Caller) -> None:
    workflows = [await owner.client.post("/v1/workflows", json={"name": "W", "definition": {}}) for _ in range(2)]
    assert {answer.status_code for answer in workflows} == {201}
    cursor = (await owner.client.get("/v1/workflows", params={"limit": 1})).json()["next_cursor"]
    answer = await owner.client.get(PATH, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_a_refusal_that_cannot_be_entered_keeps_no_other_back(api: Api, owner: Caller) -> None:
    # Of a workspace that is not there.
    api.app.state.refusals.note_wrong_password(new_id(), owner.user_id, Action.SESSION_REFUSED)
    api.app.state.refusals.note_wrong_password(owner.workspace_id, owner.user_id, Action.PASSWORD_REFUSED)
    await api.app.state.refusals.settle()
    assert await list_actions(owner, outcome="refused") == ["password.refused"]


async def test_what_a_call_does_last_keeps_nothing_of_it_alive(owner: Caller) -> None:
    for number in range(3):
        answer = await owner.client.put(f"/v1/vars/kept_{number}", json={"value": number})
        assert answer.is_success, answer.text
    assert len(dependencies._last_acts) == 0


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_that_there_is_not_is_refused(owner: Caller, name: str, moment: str) -> None:
    answer = await owner.client.get(PATH, params={name: moment})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/query/{name}")


async def test_a_used_token_that_comes_again_and_again_is_entered_once(api: Api, owner: Caller) -> None:
    login = await api.client().post("/v1/auth/login", json={"email": owner.email, "password": PASSWORD})
    used = {"refresh_token": login.raise_for_status().json()["refresh_token"]}
    (await api.client().post("/v1/auth/refresh", json=used)).raise_for_status()
    for _ in range(4):
        assert (await api.client().post("/v1/auth/refresh", json=used)).status_code == 401
    assert len(await read(owner, action=Action.TOKEN_REUSED)) == 1
