import asyncio

import httpx
import msgspec
import pytest

from engine.infra.settings import Settings
from tests.integration.api.callers import Api, running

SETUP = {
    "email": "Ada@Example.com",
    "password": "correct horse battery staple",
    "name": "Ada Lovelace",
    "workspace": "Analytical Engines",
}


async def test_setup_is_needed_until_it_is_done(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/v1/setup")).json() == {"needed": True}
    assert (await anonymous.post("/v1/setup", json=SETUP)).status_code == 201
    assert (await anonymous.get("/v1/setup")).json() == {"needed": False}


async def test_setup_signs_in_the_owner_of_the_new_workspace(api: Api, anonymous: httpx.AsyncClient) -> None:
    tokens = (await anonymous.post("/v1/setup", json=SETUP)).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    me = (await api.client(tokens["access_token"]).get("/v1/auth/me")).json()
    assert me["user"]["email"] == "ada@example.com"
    assert me["workspace"]["name"] == "Analytical Engines"
    assert me["role"] == "owner"


async def test_a_second_setup_is_refused(anonymous: httpx.AsyncClient) -> None:
    await anonymous.post("/v1/setup", json=SETUP)
    answer = await anonymous.post("/v1/setup", json={**SETUP, "email": "eve@example.com"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "setup_done"


async def test_of_setups_at_once_one_wins(api: Api) -> None:
    answers = await asyncio.gather(
        *(api.client().post("/v1/setup", json={**SETUP, "email": f"user{i}@example.com"}) for i in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"password": "too short"}, "/password", "length"),
        ({"password": "x" * 129}, "/password", "length"),
        ({"email": "nobody"}, "/email", "format"),
        ({"email": "ada@example.com\n"}, "/email", "format"),
        ({"name": "nul\x00"}, "/name", "format"),
        ({"name": "   "}, "/name", "format"),
        ({"workspace": 7}, "/workspace", "type"),
        ({"surprise": 1}, "/surprise", "unknown_field"),
    ],
)
async def test_faults_of_a_setup_are_listed(
    anonymous: httpx.AsyncClient, change: dict[str, object], pointer: str, code: str
) -> None:
    answer = await anonymous.post("/v1/setup", json={**SETUP, **change})
    assert answer.status_code == 400
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


async def test_all_faults_of_a_body_are_listed_at_once(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/v1/setup", json={"email": "nobody", "password": "short", "workspace": "W"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name", "/email", "/password"]


@pytest.mark.parametrize("change", [{"host": "0.0.0.0"}, {"public_url": "https://flows.example"}], ids=str)
@pytest.mark.without_faults("they are refused where others reach the API")
async def test_without_a_token_nobody_sets_up_what_others_reach(
    settings: Settings, clean_database: str, clean_redis: str, change: dict[str, str]
) -> None:
    async with running(msgspec.structs.replace(settings, test_database_faults="", **change)) as api:
        for body in (SETUP, {**SETUP, "setup_token": ""}):
            answer = await api.client().post("/v1/setup", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid_setup_token")
            assert "FLOWFORGE_SETUP_TOKEN" in answer.json()["detail"]
        assert (await api.client().get("/v1/setup")).json() == {"needed": True}


async def test_the_setup_token_is_asked_for_where_it_is_set(
    settings: Settings, clean_database: str, clean_redis: str
) -> None:
    async with running(msgspec.structs.replace(settings, setup_token="s3cret")) as api:
        client = api.client()
        for body in (SETUP, {**SETUP, "setup_token": "wrong"}):
            answer = await client.post("/v1/setup", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid_setup_token")
        assert (await client.post("/v1/setup", json={**SETUP, "setup_token": "s3cret"})).status_code == 201
