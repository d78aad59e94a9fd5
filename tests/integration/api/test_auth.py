import asyncio
import base64
import time
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import text

from app.auth import signing_keys
from app.auth.permissions import PERMISSIONS, Permission, Role
from app.auth.tokens import AccessClaims, load_private_key, make_key_pair, sign_token
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running


async def _log_in(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/v1/auth/login", json={"email": email, "password": password})


@pytest.mark.parametrize("role", list(Role))
async def test_me_tells_user_workspace_role_and_permissions(api: Api, role: Role) -> None:
    caller = await api.sign_in(role)
    me = (await caller.client.get("/v1/auth/me")).json()
    assert me["user"] == {"id": str(caller.user_id), "email": caller.email, "name": role.value.title()}
    assert me["workspace"]["id"] == str(caller.workspace_id)
    assert me["role"] == role.value
    assert me["permissions"] == sorted(PERMISSIONS[role])
    assert me["has_password"] is True


def test_each_role_holds_what_the_next_one_has() -> None:
    for stronger, weaker in pairwise(Role):
        assert PERMISSIONS[stronger] > PERMISSIONS[weaker]
    assert PERMISSIONS[Role.OWNER] == set(Permission)


async def test_email_is_taken_in_any_case(api: Api, owner: Caller) -> None:
    assert (await _log_in(api.client(), owner.email.upper(), PASSWORD)).status_code == 200


async def test_a_wrong_password_and_an_unknown_user_are_answered_alike(api: Api, owner: Caller) -> None:
    wrong = await _log_in(api.client(), owner.email, "wrong password")
    unknown = await _log_in(api.client(), "nobody@example.com", "wrong password")
    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    ignored = {"request_id"}
    assert {k: v for k, v in wrong.json().items() if k not in ignored} == {
        k: v for k, v in unknown.json().items() if k not in ignored
    }


async def test_a_deactivated_user_is_out(api: Api, owner: Caller) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET is_active = false"))
    assert (await _log_in(api.client(), owner.email, PASSWORD)).status_code == 401
    used = {"refresh_token": owner.tokens["refresh_token"]}
    assert (await api.client().post("/v1/auth/refresh", json=used)).status_code == 401
    assert (await owner.client.get("/v1/auth/me")).status_code == 401


async def test_a_cheaper_hash_is_renewed_at_sign_in(api: Api, owner: Caller) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET password_hash = :hash"), {"hash": cheap})
    assert (await _log_in(api.client(), owner.email, PASSWORD)).status_code == 200
    async with api.database.begin() as connection:
        kept = await connection.scalar(text("SELECT password_hash FROM user_account"))
    assert "$m=19456,t=2,p=1$" in kept
    assert (await _log_in(api.client(), owner.email, PASSWORD)).status_code == 200


async def test_failures_of_one_account_are_throttled_and_others_are_not(api: Api, owner: Caller) -> None:
    other = await api.sign_in(Role.VIEWER)
    answers = [await _log_in(api.client(), owner.email, "wrong password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 15 * 60
    assert (await _log_in(api.client(), owner.email, PASSWORD)).status_code == 429
    assert (await _log_in(api.client(), other.email, PASSWORD)).status_code == 200
    assert (await _log_in(api.client(address="192.0.2.7"), owner.email, PASSWORD)).status_code == 200


@pytest.mark.without_faults("a try that the database failed leaves its place in the burst to nobody")
async def test_a_burst_of_failures_gets_no_more_tries_than_a_row(api: Api, owner: Caller) -> None:
    answers = await asyncio.gather(*(_log_in(api.client(), owner.email, "wrong password") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


async def test_the_addresses_of_one_subscriber_are_counted_as_one(api: Api, owner: Caller) -> None:
    subscriber = [api.client(address=f"2001:db8:1:2::{number}") for number in range(1, 7)]
    answers = [await _log_in(client, owner.email, "wrong password") for client in subscriber]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    neighbour = api.client(address="2001:db8:1:3::1")
    assert (await _log_in(neighbour, owner.email, "wrong password")).status_code == 401


async def test_a_success_ends_the_row_of_failures(api: Api, owner: Caller) -> None:
    for _ in range(2):
        for _ in range(4):
            assert (await _log_in(api.client(), owner.email, "wrong password")).status_code == 401
        assert (await _log_in(api.client(), owner.email, PASSWORD)).status_code == 200


async def test_the_throttle_counts_in_memory_without_redis(settings: Settings, clean_database: str) -> None:
    async with running(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1")) as api:
        answers = [await _log_in(api.client(), "nobody@example.com", "wrong password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_refreshing_rotates_the_token(api: Api, owner: Caller) -> None:
    answer = await api.client().post("/v1/auth/refresh", json={"refresh_token": owner.tokens["refresh_token"]})
    assert answer.status_code == 200
    renewed = answer.json()
    assert renewed["refresh_token"] != owner.tokens["refresh_token"]
    assert (await api.client(renewed["access_token"]).get("/v1/auth/me")).status_code == 200
    again = await api.client().post("/v1/auth/refresh", json={"refresh_token": renewed["refresh_token"]})
    assert again.status_code == 200


async def test_a_reused_refresh_token_revokes_its_family(api: Api, owner: Caller) -> None:
    used = {"refresh_token": owner.tokens["refresh_token"]}
    renewed = (await api.client().post("/v1/auth/refresh", json=used)).json()
    reuse = await api.client().post("/v1/auth/refresh", json=used)
    assert (reuse.status_code, reuse.json()["code"]) == (401, "invalid_refresh_token")
    newest = await api.client().post("/v1/auth/refresh", json={"refresh_token": renewed["refresh_token"]})
    assert newest.status_code == 401
    assert (await api.client(renewed["access_token"]).get("/v1/auth/me")).status_code == 401


async def test_of_two_refreshes_at_once_one_wins(api: Api, owner: Caller) -> None:
    used = {"refresh_token": owner.tokens["refresh_token"]}
    answers = await asyncio.gather(*(api.client().post("/v1/auth/refresh", json=used) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_refresh_tokens_are_kept_as_hashes_only(api: Api, owner: Caller) -> None:
    async with api.database.begin() as connection:
        kept = (await connection.execute(text("SELECT token_hash FROM refresh_token"))).scalars().all()
    assert len(kept) == 1
    assert owner.tokens["refresh_token"].encode() not in kept[0]


async def test_signing_out_ends_all_tokens_of_the_session(api: Api, owner: Caller) -> None:
    second = (await _log_in(api.client(), owner.email, PASSWORD)).json()
    assert (await owner.client.get("/v1/auth/me")).status_code == 200
    assert (await owner.client.post("/v1/auth/logout")).status_code == 204
    answer = await owner.client.get("/v1/auth/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    refreshed = await api.client().post("/v1/auth/refresh", json={"refresh_token": owner.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await api.client(second["access_token"]).get("/v1/auth/me")).status_code == 200


async def test_tokens_survive_a_restart(api: Api, owner: Caller, settings: Settings) -> None:
    async with running(settings, beside_another=True) as restarted:
        client = restarted.client(owner.tokens["access_token"])
        assert (await client.get("/v1/auth/me")).status_code == 200
        used = {"refresh_token": owner.tokens["refresh_token"]}
        assert (await client.post("/v1/auth/refresh", json=used)).status_code == 200


async def test_a_change_of_the_secret_key_keeps_tokens_and_signs_with_a_new_key(
    api: Api, owner: Caller, settings: Settings
) -> None:
    changed = msgspec.structs.replace(settings, secret_key=base64.b64encode(b"x" * 32).decode())
    async with running(changed) as restarted:
        assert (await restarted.client(owner.tokens["access_token"]).get("/v1/auth/me")).status_code == 200
        renewed = (await _log_in(restarted.client(), owner.email, PASSWORD)).json()
        assert (await restarted.client(renewed["access_token"]).get("/v1/auth/me")).status_code == 200


async def test_the_private_key_is_sealed(api: Api, owner: Caller) -> None:
    async with api.database.begin() as connection:
        row = (await connection.execute(text("SELECT kid, public_key, sealed_private_key FROM signing_key"))).one()
    assert row.sealed_private_key[0] == 1
    assert len(row.sealed_private_key) > 32
    assert row.public_key not in row.sealed_private_key


async def test_a_change_of_role_needs_no_new_token(api: Api, owner: Caller) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE membership SET role = 'viewer'"))
    assert (await owner.client.get("/v1/auth/me")).json()["role"] == "viewer"


async def test_who_is_no_member_any_more_is_out(api: Api, owner: Caller) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text("DELETE FROM membership"))
    used = {"refresh_token": owner.tokens["refresh_token"]}
    assert (await api.client().post("/v1/auth/refresh", json=used)).status_code == 401
    assert (await owner.client.get("/v1/auth/me")).status_code == 401


def _claims(caller: Caller, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "flowforge",
        "aud": "flowforge-api",
        "sub": str(caller.user_id),
        "wid": str(caller.workspace_id),
        "sid": _session_id(caller),
        "iat": now,
        "nbf": now,
        "exp": now + 900,
    }
    return {key: value for key, value in {**claims, **changes}.items() if value is not None}


def _payload(token: str) -> dict[str, Any]:
    segment = token.split(".")[1]
    decoded: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded


def _session_id(caller: Caller) -> str:
    return str(_payload(caller.tokens["access_token"])["sid"])


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"nbf": int(time.time()) + 3600},
        {"nbf": None},
        {"iss": "someone-else"},
        {"iss": None},
        {"aud": "another-api"},
        {"aud": None},
        {"sub": "no-uuid"},
        {"sub": None},
        {"sid": None},
        {"sid": str(new_id())},
        {"wid": str(new_id())},
        {"sub": str(new_id())},
    ],
    ids=lambda changes: "-".join(f"{key}={str(value)[:12]}" for key, value in changes.items()),
)
async def test_a_signed_token_with_wrong_claims_is_refused(api: Api, owner: Caller, changes: dict[str, Any]) -> None:
    key = await api.app.state.signing_keys.current()
    header = {"alg": "Ed25519", "kid": key.kid, "typ": "at+jwt"}
    right = jwt.encode(header, _claims(owner), key, algorithms=["Ed25519"])
    wrong = jwt.encode(header, _claims(owner, **changes), key, algorithms=["Ed25519"])
    assert (await api.client(right).get("/v1/auth/me")).status_code == 200
    assert (await api.client(wrong).get("/v1/auth/me")).status_code == 401


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(api: Api, owner: Caller) -> None:
    key = await api.app.state.signing_keys.current()
    secret = OctKey.import_key(key.as_dict(private=False)["x"])
    header = {"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}
    forged = jwt.encode(header, _claims(owner), secret, algorithms=["HS256"])
    assert (await api.client(forged).get("/v1/auth/me")).status_code == 401


@pytest.mark.without_faults("a refresh that is not heard of and comes again ends its session")
async def test_a_retired_key_verifies_and_signs_no_more(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await api.app.state.signing_keys.current()).kid
    assert (await owner.client.get("/v1/auth/me")).status_code == 200
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE signing_key SET retired_at = now()"))
    # Neither what was verified nor the keys that were read are kept any more.
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", -1.0)
    api.app.state.authenticator.forget_user(owner.user_id)
    assert (await owner.client.get("/v1/auth/me")).status_code == 401
    renewed = await api.client().post("/v1/auth/refresh", json={"refresh_token": owner.tokens["refresh_token"]})
    assert renewed.status_code == 200
    assert (await api.client(renewed.json()["access_token"]).get("/v1/auth/me")).status_code == 200
    assert (await api.app.state.signing_keys.current()).kid != before


async def test_tokens_are_signed_while_keys_cannot_be_read_again(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*, create: bool) -> None:
        raise ConnectionRefusedError(create)

    keys = api.app.state.signing_keys
    known = await keys.current()
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", -1.0)
    monkeypatch.setattr(keys, "_load", fail)
    assert (await keys.current()).kid == known.kid


async def test_a_token_signed_with_a_key_of_ones_own_is_refused(api: Api, owner: Caller) -> None:
    kid = (await api.app.state.signing_keys.current()).kid
    pair = make_key_pair(kid)
    claims = AccessClaims(
        user_id=owner.user_id,
        workspace_id=owner.workspace_id,
        session_id=UUID(_session_id(owner)),
        expires_at=int(time.time()) + 900,
    )
    forged = sign_token(load_private_key(kid, pair.public_key, pair.private_key), claims, time.time())
    assert (await api.client(forged).get("/v1/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "k", "typ": "at+jwt"},
        {"alg": "Ed25519", "kid": "k", "typ": "at+jwt", "jku": "https://evil.example/jwks"},
        {"alg": "Ed25519", "kid": "../../etc/passwd", "typ": "at+jwt"},
        {"alg": "Ed25519", "kid": 7, "typ": "at+jwt"},
        {"alg": "Ed25519", "typ": "at+jwt"},
        {"alg": "Ed25519", "kid": "k", "typ": "JWT"},
        [],
    ],
    ids=str,
)
async def test_a_token_with_another_header_is_refused(api: Api, owner: Caller, header: object) -> None:
    first = base64.urlsafe_b64encode(msgspec.json.encode(header)).decode().rstrip("=")
    _, payload, signature = owner.tokens["access_token"].split(".")
    answer = await api.client(f"{first}.{payload}.{signature}").get("/v1/auth/me")
    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "=.=.=", "x" * 5000, "é".encode().decode("latin-1")])
async def test_a_token_that_is_none_is_refused(api: Api, token: str) -> None:
    client = api.client()
    answer = await client.get("/v1/auth/me", headers={b"authorization": f"Bearer {token}".encode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Basic dXNlcjpwYXNz", "Token x"])
async def test_another_scheme_is_answered_with_the_right_one(api: Api, value: str) -> None:
    answer = await api.client().get("/v1/auth/me", headers={"authorization": value})
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_token")
    assert answer.headers["www-authenticate"] == "Bearer"
