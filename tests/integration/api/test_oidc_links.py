"""Linking a provider to an account that is there already: by its owner alone, and until they take it off again."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from sqlalchemy import text

from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running
from tests.integration.api.false_provider import CLIENT_ID, CLIENT_SECRET, FalseProvider
from tests.integration.api.sign_ins import FLOW_COOKIE, SESSION_COOKIE, Browser, Landing

pytestmark = pytest.mark.without_faults("a sign-in ends where a statement fails, and is begun anew by a person")


@pytest.fixture
async def api(settings: Settings, provider: FalseProvider, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API with a provider that makes accounts for operators, and decides on their roles."""
    with_provider = msgspec.structs.replace(
        settings,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_provision=True,
        oidc_role_claim="groups",
        oidc_roles="ops=operator",
        http_allow_private=urlsplit(provider.issuer).netloc,
    )
    async with running(with_provider) as opened:
        yield opened


async def ask(browser: Browser, owner: Caller, password: str = PASSWORD, **more: str) -> httpx.Response:
    """Ask for the way to the provider, as a page of the web app does."""
    headers = {"authorization": f"Bearer {owner.tokens['access_token']}"}
    return await browser.client.post("/v1/auth/oidc/link", json={"password": password, **more}, headers=headers)


async def begin(browser: Browser, owner: Caller, provider: FalseProvider, **more: str) -> str:
    """Leave for the provider to link it: the state."""
    answer = (await ask(browser, owner, **more)).raise_for_status()
    asked = dict(parse_qsl(urlsplit(str(answer.json()["url"])).query))
    provider.nonce = asked["nonce"]
    return asked["state"]


async def link(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    state = await begin(browser, owner, provider)
    assert (await browser.come_back(code="a-code", state=state)).is_signed_in


async def test_an_account_is_linked_by_its_owner_and_then_opens(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    provider.say(email=owner.email, email_verified=True)
    assert (await provider.sign_in(api)).error == "oidc_account_exists"
    browser = Browser(api)
    state = await begin(browser, owner, provider, next="/sign-ins")
    assert await browser.come_back(code="a-code", state=state) == Landing(None, True, "/sign-ins")
    # The session that asked goes on, and no other one has begun.
    assert SESSION_COOKIE not in browser.client.cookies
    assert FLOW_COOKIE not in browser.client.cookies
    signed_in = Browser(api)
    assert (await provider.sign_in(api, signed_in)).is_signed_in
    me = await signed_in.read_me()
    # Its role stays as it was, whatever the claim says.
    assert (me["user"]["id"], me["role"]) == (str(owner.user_id), "owner")
    entries = (await owner.client.get("/v1/audit", params={"action": "identity"})).json()["items"]
    assert [(each["action"], each["actor"]["email"]) for each in entries] == [("identity.linked", owner.email)]


async def test_linking_asks_for_the_password_and_a_session(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    refused = await ask(browser, owner, "a wrong password")
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    key = (await owner.client.post("/v1/api-keys", json={"name": "ci", "role": "owner"})).json()["secret"]
    by_key = await api.client(key).post("/v1/auth/oidc/link", json={"password": PASSWORD})
    assert (by_key.status_code, by_key.json()["code"]) == (409, "no_session")
    assert (await api.client(key).get("/v1/auth/identities")).json()["code"] == "no_session"
    assert FLOW_COOKIE not in browser.client.cookies
    await api.app.state.refusals.settle()
    entries = (await owner.client.get("/v1/audit", params={"action": "password.refused"})).json()["items"]
    assert len(entries) == 1


async def test_a_session_that_has_ended_meanwhile_links_nothing(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    browser = Browser(api)
    state = await begin(browser, owner, provider)
    assert (await owner.client.post("/v1/auth/logout")).status_code == 204
    assert (await browser.come_back(code="a-code", state=state)).error == "oidc_flow_missing"
    async with api.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM user_identity")) == 0


async def test_an_identity_opens_one_account(api: Api, owner: Caller, provider: FalseProvider) -> None:
    await link(api, owner, provider)
    await link(api, owner, provider)
    other = await api.sign_in()
    browser = Browser(api)
    state = await begin(browser, other, provider)
    assert (await browser.come_back(code="a-code", state=state)).error == "oidc_identity_taken"


async def test_what_was_linked_is_listed_and_taken_off_again(api: Api, owner: Caller, provider: FalseProvider) -> None:
    provider.say(email="olga@example.com")
    await link(api, owner, provider)
    (identity,) = (await owner.client.get("/v1/auth/identities")).json()["items"]
    assert (identity["issuer"], identity["email"]) == (provider.issuer, "olga@example.com")
    assert identity["is_provisioned"] is False
    other = await api.sign_in()
    path = f"/v1/auth/identities/{identity['id']}"
    assert (await other.client.delete(path)).status_code == 404
    assert (await owner.client.delete(path)).status_code == 204
    assert (await owner.client.delete(path)).status_code == 404
    assert (await owner.client.get("/v1/auth/identities")).json()["items"] == []
    assert (await provider.sign_in(api)).error == "oidc_no_role"


async def test_the_last_way_into_an_account_stays(api: Api, owner: Caller, provider: FalseProvider) -> None:
    provider.say(email="grace@example.com", email_verified=True, groups=["ops"])
    browser = Browser(api)
    assert (await provider.sign_in(api, browser)).is_signed_in
    token = (await browser.refresh()).json()["access_token"]
    grace = api.client(token)
    (identity,) = (await grace.get("/v1/auth/identities")).json()["items"]
    refused = await grace.delete(f"/v1/auth/identities/{identity['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_sign_in")
    assert (await provider.sign_in(api)).is_signed_in
    # Who has no password cannot give it.
    assert (await grace.post("/v1/auth/oidc/link", json={"password": PASSWORD})).status_code == 401


async def test_a_provider_that_is_away_is_told_before_the_browser_leaves(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    provider.statuses = {"/.well-known/openid-configuration": 503}
    answer = await ask(Browser(api), owner)
    assert (answer.status_code, answer.json()["code"]) == (503, "oidc_provider_unavailable")
    assert "retry-after" in answer.headers
