"""Sign-in through a real OpenID provider, from the link on the sign-in page to the session of the browser."""

from collections.abc import AsyncIterator, Iterator
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from sqlalchemy import text

from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running
from tests.integration.api.identity_provider import CLIENT_SECRET, cancel_there, identity_provider, sign_in_there
from tests.integration.api.sign_ins import FLOW_COOKIE, LOGIN, SESSION_COOKIE, Browser, Landing

pytestmark = [
    pytest.mark.without_faults("a sign-in ends where a statement fails, and is begun anew by a person"),
    # The first one may have to fetch the provider.
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with identity_provider() as found:
        yield found


@pytest.fixture
async def api(settings: Settings, issuer: str, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API, whose provider gives accounts and roles to people of example.com."""
    with_provider = msgspec.structs.replace(
        settings,
        oidc_issuer=issuer,
        oidc_client_id="flowforge",
        oidc_client_secret=CLIENT_SECRET,
        oidc_name="Example",
        oidc_domains="example.com",
        oidc_provision=True,
        oidc_role_claim="groups",
        oidc_roles="devs=editor",
        http_allow_private=urlsplit(issuer).netloc,
    )
    async with running(with_provider) as opened:
        yield opened


async def open_link(browser: Browser, **query: str) -> str:
    """The provider's address that the link of the sign-in page leads to."""
    answer = await browser.client.get(LOGIN, params=query)
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def sign_in(browser: Browser, subject: str, **query: str) -> Landing:
    back = await sign_in_there(await open_link(browser, **query), subject)
    return await browser.come_back(**dict(parse_qsl(urlsplit(back).query)))


async def test_somebody_new_signs_in_and_has_the_session_that_a_password_gives(api: Api, owner: Caller) -> None:
    browser = Browser(api)
    assert await sign_in(browser, "grace", next="/runs?status=failed") == Landing(None, True, "/runs?status=failed")
    me = await browser.read_me()
    assert me["user"] | {"id": ""} == {"id": "", "email": "grace@example.com", "name": "Grace Hopper"}
    assert (me["role"], me["workspace"]["id"]) == ("editor", str(owner.workspace_id))
    before = browser.client.cookies[SESSION_COOKIE]
    access = (await browser.refresh()).json()["access_token"]
    assert browser.client.cookies[SESSION_COOKIE] != before
    without_header = await browser.client.post("/v1/auth/refresh", json={})
    assert without_header.status_code == 400
    headers = {"authorization": f"Bearer {access}", "x-flowforge-session": "cookie"}
    assert (await browser.client.post("/v1/auth/logout", headers=headers)).status_code == 204
    assert (await browser.refresh()).status_code == 401


async def test_the_cookies_are_for_this_browser_alone_and_no_token_is_in_an_address(api: Api, owner: Caller) -> None:
    browser = Browser(api)
    begun = await browser.client.get(LOGIN)
    flow = SimpleCookie(begun.headers["set-cookie"])[FLOW_COOKIE]
    assert (flow["path"], flow["samesite"], flow["httponly"], flow["max-age"]) == ("/", "lax", True, "600")
    back = await sign_in_there(begun.headers["location"], "grace")
    landed = await browser.client.get(f"{urlsplit(back).path}?{urlsplit(back).query}")
    cookies = {
        name: morsel for line in landed.headers.get_list("set-cookie") for name, morsel in SimpleCookie(line).items()
    }
    assert cookies[FLOW_COOKIE]["max-age"] == "0"
    session = cookies[SESSION_COOKIE]
    assert (session["path"], session["samesite"], session["httponly"]) == ("/", "strict", True)
    assert landed.headers["location"] == "/signin?signed_in=oidc"
    assert landed.headers["cache-control"] == "no-store"


async def test_the_same_person_comes_back_to_the_same_account(api: Api, owner: Caller) -> None:
    first, second = Browser(api), Browser(api)
    await sign_in(first, "grace")
    await sign_in(second, "grace")
    assert (await first.read_me())["user"] == (await second.read_me())["user"]


async def test_a_code_is_good_once(api: Api, owner: Caller) -> None:
    browser = Browser(api)
    back = dict(parse_qsl(urlsplit(await sign_in_there(await open_link(browser), "grace")).query))
    assert (await browser.come_back(**back)).is_signed_in
    asked = await browser.leave()
    again = await browser.come_back(**{**back, "state": asked["state"]})
    assert again == Landing("oidc_code_refused", False, None)


async def test_who_cancels_at_the_provider_is_told_so(api: Api, owner: Caller) -> None:
    browser = Browser(api)
    back = await cancel_there(await open_link(browser, next="/runs"))
    assert await browser.come_back(**dict(parse_qsl(urlsplit(back).query))) == Landing("oidc_denied", False, "/runs")


async def test_who_is_of_another_domain_gets_no_account(api: Api, owner: Caller) -> None:
    assert await sign_in(Browser(api), "mallory") == Landing("oidc_domain_refused", False, None)
    async with api.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM user_account")) == 1


async def test_an_account_of_the_providers_has_no_password(api: Api, owner: Caller) -> None:
    await sign_in(Browser(api), "grace")
    tried = await api.client().post("/v1/auth/login", json={"email": "grace@example.com", "password": PASSWORD})
    assert (tried.status_code, tried.json()["code"]) == (401, "invalid_credentials")


async def test_what_happens_is_entered_in_the_audit_log(api: Api, owner: Caller, issuer: str) -> None:
    await sign_in(Browser(api), "grace")
    entries = (await owner.client.get("/v1/audit")).json()["items"]
    found = {(entry["action"], entry["actor"]["email"]): entry["after"] for entry in entries}
    assert found["member.joined", "grace@example.com"] == {"role": "editor", "issuer": issuer}
    assert found["session.began", "grace@example.com"] == {"issuer": issuer}


@pytest.mark.parametrize(("client_id", "secret"), [("flowforge-post", CLIENT_SECRET), ("flowforge-public", "")])
async def test_other_kinds_of_clients_sign_in_as_well(
    api: Api, client_id: str, secret: str, clean_database: str
) -> None:
    await api.sign_in()
    other = msgspec.structs.replace(api.settings, oidc_client_id=client_id, oidc_client_secret=secret)
    async with running(other) as opened:
        assert (await sign_in(Browser(opened), "grace")).is_signed_in


async def test_the_sign_in_page_learns_of_the_provider(api: Api) -> None:
    answer = await api.client().get("/v1/auth/providers")
    url = "http://127.0.0.1:8000/v1/auth/oidc/login"
    assert answer.json() == {"items": [{"name": "Example", "url": url}], "next_cursor": None}
