"""API keys: made once, shown once, as strong as their maker at most, and gone within seconds."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from app.api_keys.secrets import hash_key, is_well_formed, make_key
from app.auth import authenticator
from app.auth.permissions import PERMISSIONS, Role, is_above
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller

PATH = "/v1/api-keys"


async def make(caller: Caller, role: Role = Role.EDITOR, **more: Any) -> dict[str, Any]:
    answer = await caller.client.post(PATH, json={"name": "ci", "role": role.value, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def use(api: Api, made: dict[str, Any]) -> httpx.Response:
    return await api.client(made["secret"]).get("/v1/auth/me")


@pytest.mark.parametrize("role", list(Role))
async def test_a_key_acts_in_its_workspace_with_its_role(api: Api, owner: Caller, role: Role) -> None:
    made = await make(owner, role)
    me = (await use(api, made)).json()
    assert (me["role"], me["workspace"]["id"]) == (role.value, str(owner.workspace_id))
    assert me["permissions"] == sorted(PERMISSIONS[role])


async def test_its_secret_is_shown_once_and_kept_nowhere(api: Api, owner: Caller) -> None:
    made = await make(owner)
    assert is_well_formed(made["secret"])
    assert made["secret"].startswith(made["prefix"])
    listed = (await owner.client.get(PATH)).json()["items"]
    assert listed == [{key: value for key, value in made.items() if key != "secret"}]
    async with api.database.begin() as connection:
        row = (await connection.execute(text("SELECT * FROM api_key"))).one()
    assert row.key_hash == hash_key(made["secret"])
    assert made["secret"] not in str(row)


async def test_an_answer_kept_for_its_repetition_is_sealed(api: Api, owner: Caller) -> None:
    body, headers = {"name": "ci", "role": "viewer"}, {"idempotency-key": "one"}
    first = await owner.client.post(PATH, json=body, headers=headers)
    again = await owner.client.post(PATH, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    async with api.database.begin() as connection:
        kept = await connection.scalar(text("SELECT body FROM idempotency_key"))
    assert first.json()["secret"].encode() not in kept


@pytest.mark.parametrize("maker", [Role.ADMIN, Role.OWNER])
@pytest.mark.parametrize("role", list(Role))
async def test_nobody_makes_a_key_above_their_own_role(api: Api, maker: Role, role: Role) -> None:
    caller = await api.sign_in(maker)
    answer = await caller.client.post(PATH, json={"name": "ci", "role": role.value})
    assert answer.status_code == (403 if is_above(role, maker) else 201)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.OPERATOR, Role.VIEWER])
async def test_who_may_not_manage_keys_sees_none(api: Api, owner: Caller, role: Role) -> None:
    made = await make(owner)
    other = await api.sign_in(role, owner.workspace_id)
    answers = [
        await other.client.get(PATH),
        await other.client.post(PATH, json={"name": "ci", "role": "viewer"}),
        await other.client.delete(f"{PATH}/{made['id']}"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "missing_permission")}


async def test_a_key_falls_with_its_makers_role(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = await make(admin, Role.ADMIN)
    async with api.database.begin() as connection:
        await connection.execute(
            text("UPDATE membership SET role = 'operator' WHERE user_id = :id"), {"id": admin.user_id}
        )
    assert (await use(api, made)).json()["role"] == "operator"


async def test_a_key_ends_with_its_makers_membership(api: Api, owner: Caller) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = await make(admin, Role.VIEWER)
    async with api.database.begin() as connection:
        await connection.execute(text("DELETE FROM membership WHERE user_id = :id"), {"id": admin.user_id})
    assert (await use(api, made)).status_code == 401


async def test_a_revoked_key_is_refused_at_once_and_listed_no_more(api: Api, owner: Caller) -> None:
    made = await make(owner)
    assert (await use(api, made)).status_code == 200
    assert (await owner.client.delete(f"{PATH}/{made['id']}")).status_code == 204
    refused = await use(api, made)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    assert (await owner.client.get(PATH)).json()["items"] == []
    assert (await owner.client.delete(f"{PATH}/{made['id']}")).status_code == 404


async def test_an_expired_key_is_refused(api: Api, owner: Caller) -> None:
    made = await make(owner, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE api_key SET expires_at = now() - interval '1 second'"))
    assert (await use(api, made)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"role": "viewer"}, "/name", "required"),
        ({"name": "ci"}, "/role", "required"),
        ({"name": "", "role": "viewer"}, "/name", "length"),
        ({"name": "ci", "role": "root"}, "/role", "choice"),
        ({"name": "ci", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}, "/expires_at", "range"),
        ({"name": "ci", "role": "viewer", "expires_at": "soon"}, "/expires_at", "format"),
        ({"name": "ci", "role": "viewer", "expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at", "range"),
        ({"name": "ci", "role": "viewer", "secret": "mine"}, "/secret", "unknown_field"),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_told(
    owner: Caller, body: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await owner.client.post(PATH, json=body)
    assert answer.status_code == 400, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


async def test_keys_of_another_workspace_are_unknown(api: Api, owner: Caller) -> None:
    made, other = await make(owner), await api.sign_in(Role.OWNER)
    assert (await other.client.get(PATH)).json()["items"] == []
    assert (await other.client.delete(f"{PATH}/{made['id']}")).status_code == 404
    assert (await use(api, made)).status_code == 200


async def test_what_only_looks_like_a_key_is_refused(api: Api, owner: Caller) -> None:
    secret = (await make(owner))["secret"]
    flipped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for wrong in (flipped, secret[:-1], "ff_", "ff_live_" + "0" * 57, make_key().secret):
        answer = await api.client(wrong).get("/v1/auth/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), wrong


@pytest.fixture
def statements(api: Api) -> Iterator[list[str]]:
    """What the API asks the database from now on, over connections that wait for it."""
    engine, seen = api.app.state.database.sync_engine, []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.without_faults("it counts statements")
async def test_what_cannot_be_a_key_costs_no_look_into_the_database(api: Api, statements: list[str]) -> None:
    for wrong in ("ff_", "ff_live_" + "0" * 57, make_key().secret[:-1] + "!"):
        assert (await api.client(wrong).get("/v1/auth/me")).status_code == 401
    assert statements == []


@pytest.mark.without_faults("it counts statements")
async def test_a_key_that_nobody_made_costs_one_look_however_often_it_comes(api: Api, statements: list[str]) -> None:
    made_up = api.client(make_key().secret)
    for _ in range(5):
        assert (await made_up.get("/v1/auth/me")).status_code == 401
    assert len(statements) == 1


@pytest.mark.without_faults("it counts statements")
async def test_a_revoked_key_costs_one_look_however_often_it_comes(
    api: Api, owner: Caller, statements: list[str]
) -> None:
    made = await make(owner)
    assert (await owner.client.delete(f"{PATH}/{made['id']}")).status_code == 204
    statements.clear()
    assert {(await use(api, made)).status_code for _ in range(5)} == {401}
    assert len(statements) == 1


async def test_keys_that_are_made_after_a_flood_of_wrong_ones_are_good_at_once(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "MAX_VOID", 3)
    for _ in range(10):
        assert (await api.client(make_key().secret).get("/v1/auth/me")).status_code == 401
        assert (await use(api, await make(owner))).status_code == 200
    assert len(api.app.state.authenticator._void) == 3


async def test_a_key_of_somebody_who_is_back_is_good_at_once(api: Api, owner: Caller) -> None:
    made = await make(owner)
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET is_active = false"))
    assert (await use(api, made)).status_code == 401
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET is_active = true"))
    assert (await use(api, made)).status_code == 200


async def test_the_last_use_is_told_to_the_minute(api: Api, owner: Caller) -> None:
    made = await make(owner)
    assert made["last_used_at"] is None
    await asyncio.gather(*(use(api, made) for _ in range(5)))
    (listed,) = (await owner.client.get(PATH)).json()["items"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(listed["last_used_at"])) < timedelta(minutes=5)


async def test_a_key_cannot_sign_out(api: Api, owner: Caller) -> None:
    answer = await api.client((await make(owner))["secret"]).post("/v1/auth/logout")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_session")


async def test_idempotency_keys_of_a_user_and_of_their_key_are_apart(api: Api, owner: Caller) -> None:
    program = api.client((await make(owner))["secret"])
    headers = {"idempotency-key": str(new_id())}
    mine = await owner.client.post("/v1/workflows", json={"name": "A", "definition": {}}, headers=headers)
    its = await program.post("/v1/workflows", json={"name": "B", "definition": {}}, headers=headers)
    assert (mine.status_code, its.status_code) == (201, 201)


async def test_many_keys_come_in_pages(owner: Caller) -> None:
    made = [(await make(owner, name=f"key {number}"))["id"] for number in range(5)]
    first = (await owner.client.get(PATH, params={"limit": 3})).json()
    rest = (await owner.client.get(PATH, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [key["id"] for key in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
