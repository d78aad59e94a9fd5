"""The session of a browser: its refresh token is kept in a cookie, where no script can read it."""

import asyncio
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie

import httpx
import msgspec
import pytest
from sqlalchemy import text

from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running

BROWSER = {"x-flowforge-session": "cookie"}
OLGA = {"email": "olga@example.com", "password": PASSWORD, "name": "Olga", "workspace": "Main"}


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


async def refresh_with(browser: httpx.AsyncClient, name: str, cookie: str) -> httpx.Response:
    browser.cookies.clear()
    browser.cookies.set(name, cookie, domain="flowforge.test", path="/")
    return await refresh(browser)


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


@pytest.mark.parametrize("site", ["cross-site", "same-site", "made-up"])
async def test_the_cookie_counts_for_nothing_where_the_page_is_of_another_origin(
    api: Api, owner: Caller, site: str
) -> None:
    browser, name = await sign_in(api, owner)
    before = browser.cookies[name]
    answer = await browser.post("/v1/auth/refresh", json={}, headers={**BROWSER, "sec-fetch-site": site})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/refresh_token")
    assert browser.cookies[name] == before
    for own in ("same-origin", "none"):
        answer = await browser.post("/v1/auth/refresh", json={}, headers={**BROWSER, "sec-fetch-site": own})
        assert answer.status_code == 200


async def test_without_a_cookie_a_browser_has_to_sign_in(api: Api, owner: Caller) -> None:
    answer = await refresh(api.client())
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")


async def test_a_cookie_that_comes_again_at_once_is_good_as_its_answer_may_be_lost(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    first = browser.cookies[name]
    assert (await refresh(browser)).status_code == 200
    newest = browser.cookies[name]
    assert (await refresh_with(browser, name, first)).status_code == 200
    assert browser.cookies[name] == newest
    assert (await refresh(browser)).status_code == 200


async def test_a_cookie_that_comes_again_behind_its_successors_brings_the_newest(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    first = browser.cookies[name]
    for _ in range(3):
        assert (await refresh(browser)).status_code == 200
    newest = browser.cookies[name]
    assert (await refresh_with(browser, name, first)).status_code == 200
    assert browser.cookies[name] == newest


async def test_fifty_tabs_that_ask_at_once_get_one_and_the_same_cookie(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    first, tabs = browser.cookies[name], [api.client() for _ in range(50)]
    answers = await asyncio.gather(*(refresh_with(tab, name, first) for tab in tabs))
    assert {answer.status_code for answer in answers} == {200}
    assert len({tab.cookies[name] for tab in tabs}) == 1


async def test_who_took_a_cookie_within_its_leeway_is_found_out(api: Api, owner: Caller) -> None:
    browser, name = await sign_in(api, owner)
    thief, first = api.client(), browser.cookies[name]
    assert (await refresh(browser)).status_code == 200
    assert (await refresh_with(thief, name, first)).status_code == 200
    assert (await refresh(thief)).status_code == 200
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE refresh_token SET used_at = used_at - interval '11 seconds'"))
    assert [(await refresh(who)).status_code for who in (browser, thief)] == [401, 401]


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
    async with running(
        msgspec.structs.replace(
            settings, public_url="https://flows.example", setup_token="s3cret", test_database_faults=""
        )
    ) as api:
        yield api


async def test_over_https_the_cookie_is_bound_to_it_and_to_the_host(behind_https: Api) -> None:
    person = {**OLGA, "setup_token": "s3cret"}
    answer = await behind_https.client().post("/v1/setup", json=person, headers=BROWSER)
    assert answer.status_code == 201
    cookie = kept(answer)
    assert (cookie.key, cookie["path"], cookie["domain"]) == ("__Host-flowforge", "/", "")
    assert cookie["secure"]


async def test_an_older_browser_tells_another_origin_by_its_address(behind_https: Api) -> None:
    person = {**OLGA, "setup_token": "s3cret"}
    cookie = kept(await behind_https.client().post("/v1/setup", json=person, headers=BROWSER))
    headers = {**BROWSER, "cookie": f"{cookie.key}={cookie.value}"}
    for origin, status in (("https://evil.example", 400), ("null", 400), ("https://flows.example", 200)):
        answer = await behind_https.client().post("/v1/auth/refresh", json={}, headers={**headers, "origin": origin})
        assert answer.status_code == status, origin
