"""The session of a browser: its refresh token is kept in a cookie, where no script can read it."""

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie

import httpx
import msgspec
import pytest
from sqlalchemy import text

from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running

BROWSER = {"x-flowforge-session": "cookie"}


def kept(answer: httpx.Response) -> Morsel[str]:
    """The one cookie that an answer sets."""
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return cookie


async def sign_in(api: Api, owner: Caller) -> tuple[httpx.AsyncClient, str]:
    """A client as a browser is one, and the name of its cookie."""
    browser = api.client()
    answer = await browser.post("/v1/auth/login", json={"email": owner.email, "password": PASSWORD}, headers=BROWSER)
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] == ""
    return browser, kept(answer).key


async def refresh(browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.post("/v1/auth/refresh", json={}, headers=BROWSER)


async def test_the_refresh_token_of_a_browser_is_in_a_cookie_that_no_script_reads(api: Api, owner: Caller) -> None:
    answer = await api.client().post(
        "/v1/auth/login", json={"email": owner.email, "password": PASSWORD}, headers=BROWSER
    )
    cookie = kept(answer)
    assert (cookie.key, cookie["path"], cookie["samesite"]) == ("flowforge-8000", "/", "strict")
    assert cookie["httponly"]
    assert not cookie["secure"]
    assert int(cookie["max-age"]) == 7 * 24 * 3600
    assert cookie.value not in answer.text


async def test_the_cookie_brings_new_tokens_and_is_exchanged_itself(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    before = browser.cookies[name]
    answer = await refresh(browser)
    assert answer.status_code == 200
    assert browser.cookies[name] != before
    assert (await api.client(answer.json()["access_token"]).get("/v1/auth/me")).status_code == 200


async def test_the_cookie_counts_for_nothing_without_the_header(api: Api, owner: Caller) -> None:
    browser, _ = await sign_in(api, owner)
    answer = await browser.post("/v1/auth/refresh", json={})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/refresh_token")
    assert (await refresh(browser)).status_code == 200


async def test_without_a_cookie_a_browser_has_to_sign_in(api: Api, owner: Caller) -> None:
    answer = await refresh(api.client())
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")


async def test_a_cookie_that_comes_again_at_once_is_good_as_its_answer_may_be_lost(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    first = browser.cookies[name]
    assert (await refresh(browser)).status_code == 200
    newest = browser.cookies[name]
    browser.cookies.clear()
    browser.cookies.set(name, first)
    assert (await refresh(browser)).status_code == 200
    browser.cookies.clear()
    browser.cookies.set(name, newest)
    assert (await refresh(browser)).status_code == 200


async def test_a_cookie_that_comes_again_much_later_ends_its_session(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    first = browser.cookies[name]
    assert (await refresh(browser)).status_code == 200
    newest = browser.cookies[name]
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE refresh_token SET used_at = used_at - interval '11 seconds'"))
    for token in (first, newest):
        browser.cookies.clear()
        browser.cookies.set(name, token)
        assert (await refresh(browser)).status_code == 401


async def test_signing_out_takes_the_cookie_back(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    access = (await refresh(browser)).json()["access_token"]
    answer = await browser.post("/v1/auth/logout", headers={**BROWSER, "authorization": f"Bearer {access}"})
    assert answer.status_code == 204
    assert kept(answer)["max-age"] == "0"
    assert name not in browser.cookies
    assert (await refresh(browser)).status_code == 401


@pytest.fixture
async def behind_https(settings: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    async with running(msgspec.structs.replace(settings, public_url="https://flows.example")) as api:
        yield api


async def test_over_https_the_cookie_is_bound_to_it_and_to_the_host(behind_https: Api) -> None:
    person = {"email": "olga@example.com", "password": PASSWORD, "name": "Olga", "workspace": "Main"}
    answer = await behind_https.client().post("/v1/setup", json=person, headers=BROWSER)
    assert answer.status_code == 201
    cookie = kept(answer)
    assert (cookie.key, cookie["path"], cookie["domain"]) == ("__Host-flowforge", "/", "")
    assert cookie["secure"]
