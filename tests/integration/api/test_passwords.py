"""Passwords as people choose them: of any characters, compared as they came, and none that is tried first."""

import httpx
import pytest

from app.auth.common_passwords import DIGEST_BYTES, _known
from tests.integration.api.callers import PASSWORD, Api, Caller

COMMON = "Password1234"


def faults(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


async def change(caller: Caller, new: str, current: str = PASSWORD) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    return await caller.client.post("/v1/auth/password", json=body)


async def log_in(api: Api, caller: Caller, password: str) -> int:
    body = {"email": caller.email, "password": password}
    return (await api.client().post("/v1/auth/login", json=body)).status_code


@pytest.mark.without_faults("an invitation is accepted once, whether or not its caller hears of that")
async def test_a_password_that_is_tried_first_is_taken_nowhere(api: Api) -> None:
    person = {"email": "olga@example.com", "password": COMMON, "name": "Olga", "workspace": "Main"}
    assert faults(await api.client().post("/v1/setup", json=person)) == [("/password", "too_common")]
    person["password"] = person["email"].upper()
    assert faults(await api.client().post("/v1/setup", json=person)) == [("/password", "too_common")]
    assert (await api.client().get("/v1/setup")).json() == {"needed": True}
    owner = await api.sign_in()
    assert faults(await change(owner, COMMON)) == [("/new_password", "too_common")]
    assert await log_in(api, owner, PASSWORD) == 200
    invited = {"email": "grace@example.com", "role": "viewer"}
    made = (await owner.client.post("/v1/invitations", json=invited)).json()
    joining = {"token": made["token"], "name": "Grace", "password": COMMON}
    refused = await api.client().post("/v1/invitations/accept", json=joining)
    assert faults(refused) == [("/password", "too_common")]
    joining["password"] = "a password of her own"
    assert (await api.client().post("/v1/invitations/accept", json=joining)).status_code == 200


def test_the_list_holds_three_thousand_of_any_case() -> None:
    known = _known()
    assert len(known) == 3_000
    assert {len(digest) for digest in known} == {DIGEST_BYTES}


@pytest.mark.without_faults("a change that is not heard of has changed the current password")
@pytest.mark.parametrize(
    "password",
    ["            ", "пароль с пробелами", "🔑" * 12, "tab\tnew\nline\x00null", "'; DROP TABLE x", "x" * 64, "ü" * 128],
    ids=[
        "blanks",
        "another script",
        "pictures",
        "control characters",
        "punctuation",
        "64 characters",
        "128 characters",
    ],
)
async def test_characters_of_any_kind_make_a_password(api: Api, owner: Caller, password: str) -> None:
    assert (await change(owner, password)).status_code == 204
    assert await log_in(api, owner, password) == 200


@pytest.mark.without_faults("a change that is not heard of has changed the current password")
async def test_a_password_is_compared_whole_and_as_it_came(api: Api, owner: Caller) -> None:
    password = "Caf\u00e9 " + "x" * 123
    assert (await change(owner, password)).status_code == 204
    near = [password[:-1], password + "x", password.swapcase(), password.replace("\u00e9", "e\u0301")]
    assert [await log_in(api, owner, each) for each in near] == [401] * 4
    assert await log_in(api, owner, password) == 200
    assert faults(await change(owner, "x" * 129, password)) == [("/new_password", "length")]
