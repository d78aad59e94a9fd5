"""What the list of sign-ins tells of each, so that its user knows their own from a stranger's."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.auth.devices import read_user_agent
from tests.integration.api.callers import PASSWORD, Api, Caller

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
THIEF = "curl/8.5.0"


async def sign_in(client: httpx.AsyncClient, caller: Caller, user_agent: str) -> dict[str, Any]:
    body = {"email": caller.email, "password": PASSWORD}
    answer = await client.post("/v1/auth/login", json=body, headers={"user-agent": user_agent})
    tokens: dict[str, Any] = answer.raise_for_status().json()
    return tokens


async def newest(caller: Caller) -> dict[str, Any]:
    listed = (await caller.client.get("/v1/auth/sessions")).raise_for_status().json()["items"]
    found: dict[str, Any] = listed[0]
    return found


async def test_a_sign_in_tells_from_where_and_with_what_it_was_made(api: Api, owner: Caller) -> None:
    await sign_in(api.client(address="203.0.113.9"), owner, FIREFOX)
    session = await newest(owner)
    assert (session["address"], session["user_agent"], session["is_current"]) == ("203.0.113.9", FIREFOX, False)
    assert session["last_used_at"] >= session["created_at"]


async def test_a_sign_in_tells_who_used_it_last_and_when(api: Api, owner: Caller) -> None:
    tokens = await sign_in(api.client(address="203.0.113.9"), owner, FIREFOX)
    before = await newest(owner)
    body = {"refresh_token": tokens["refresh_token"]}
    thief = api.client(address="198.51.100.7")
    (await thief.post("/v1/auth/refresh", json=body, headers={"user-agent": THIEF})).raise_for_status()
    after = await newest(owner)
    assert after["id"] == before["id"]
    assert (after["address"], after["user_agent"]) == ("198.51.100.7", THIEF)
    assert after["last_used_at"] > before["last_used_at"]
    assert after["created_at"] == before["created_at"]


async def test_of_a_sign_in_from_before_nothing_is_known(api: Api, owner: Caller) -> None:
    connection = await asyncpg.connect(api.settings.database_url)
    await connection.execute("UPDATE user_session SET address = NULL, user_agent = NULL")
    await connection.close()
    session = await newest(owner)
    assert (session["address"], session["user_agent"]) == (None, None)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (FIREFOX.encode(), FIREFOX),
        (b"x" * 1_000, "x" * 300),
        ("Brows\u00e9r\x1b[31m\x7f".encode("latin-1"), "Browsr[31m"),
        (b"\t\n ", None),
        (b"", None),
    ],
    ids=["a browser's", "a long one", "signs that are no letters of ASCII", "blanks", "nothing"],
)
def test_what_a_browser_says_of_itself_is_kept_on_one_line(told: bytes, shown: str | None) -> None:
    assert read_user_agent(told) == shown
