"""Accepting an invitation through a provider: for whom it was made, once, and without a password."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from app.auth.permissions import Role
from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, Caller, running
from tests.integration.api.false_provider import CLIENT_ID, CLIENT_SECRET, FalseProvider
from tests.integration.api.sign_ins import FLOW_COOKIE, Browser, Landing

pytestmark = pytest.mark.without_faults("a sign-in ends where a statement fails, and is begun anew by a person")

GRACE = "grace@example.com"


@pytest.fixture
async def api(settings: Settings, provider: FalseProvider, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API with a provider that gives nobody an account by itself."""
    with_provider = msgspec.structs.replace(
        settings,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        http_allow_private=urlsplit(provider.issuer).netloc,
    )
    async with running(with_provider) as opened:
        yield opened


async def invite(owner: Caller, email: str = GRACE, role: str = "editor") -> str:
    made = await owner.client.post("/v1/invitations", json={"email": email, "role": role})
    token: str = made.raise_for_status().json()["token"]
    return token


async def leave(browser: Browser, provider: FalseProvider, token: str) -> str:
    """Leave for the provider to join by an invitation: the state."""
    answer = await browser.client.post("/v1/auth/oidc/invitation", json={"token": token, "next": "/runs"})
    asked = dict(parse_qsl(urlsplit(str(answer.raise_for_status().json()["url"])).query))
    provider.nonce = asked["nonce"]
    return asked["state"]


async def accept(api: Api, provider: FalseProvider, token: str, browser: Browser | None = None) -> Landing:
    browser = browser or Browser(api)
    return await browser.come_back(code="a-code", state=await leave(browser, provider, token))


async def test_somebody_new_joins_without_a_password_and_signs_in_from_then_on(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    assert (await provider.sign_in(api)).error == "oidc_no_account"
    token = await invite(owner)
    browser = Browser(api)
    assert await accept(api, provider, token, browser) == Landing(None, True, "/runs")
    me = await browser.read_me()
    assert (me["role"], me["workspace"]["id"]) == ("editor", str(owner.workspace_id))
    assert me["has_password"] is False
    again = await api.client().post("/v1/invitations/read", json={"token": await invite(await api.sign_in(Role.OWNER))})
    assert (again.json()["has_account"], again.json()["has_password"]) == (True, False)
    assert FLOW_COOKIE not in browser.client.cookies
    assert (await provider.sign_in(api)).is_signed_in
    (entry, *_) = (await owner.client.get("/v1/audit", params={"action": "member.joined"})).json()["items"]
    assert (entry["actor"]["email"], entry["after"]) == (GRACE, {"role": "editor", "issuer": provider.issuer})


async def test_an_invitation_is_good_once(api: Api, owner: Caller, provider: FalseProvider) -> None:
    token = await invite(owner)
    early, late = Browser(api), Browser(api)
    late_state = await leave(late, provider, token)
    late_nonce = provider.nonce
    assert (await accept(api, provider, token, early)).is_signed_in
    provider.nonce = late_nonce
    assert (await late.come_back(code="a-code", state=late_state)).error == "invitation_gone"
    for gone in (token, "made-up"):
        refused = await api.client().post("/v1/auth/oidc/invitation", json={"token": gone})
        assert (refused.status_code, refused.json()["code"]) == (410, "invitation_gone")


async def test_an_invitation_is_for_nobody_else(api: Api, owner: Caller, provider: FalseProvider) -> None:
    token = await invite(owner)
    for claims, error in (
        ({"email": "mallory@example.com", "email_verified": True}, "oidc_other_email"),
        ({}, "oidc_other_email"),
        ({"email": GRACE, "email_verified": False}, "oidc_email_unverified"),
    ):
        provider.say(**claims)
        assert (await accept(api, provider, token)).error == error
    provider.say(email="Grace@Example.com", email_verified=True)
    assert (await accept(api, provider, token)).is_signed_in


async def test_an_account_with_a_password_is_linked_first(api: Api, owner: Caller, provider: FalseProvider) -> None:
    host = await api.sign_in()
    token = await invite(host, owner.email)
    provider.say(email=owner.email, email_verified=True)
    assert (await accept(api, provider, token)).error == "oidc_account_exists"
    headers = {"authorization": f"Bearer {owner.tokens['access_token']}"}
    browser = Browser(api)
    begun = await browser.client.post("/v1/auth/oidc/link", json={"password": PASSWORD}, headers=headers)
    asked = dict(parse_qsl(urlsplit(str(begun.json()["url"])).query))
    provider.nonce = asked["nonce"]
    assert (await browser.come_back(code="a-code", state=asked["state"])).is_signed_in
    joined = Browser(api)
    assert (await accept(api, provider, token, joined)).is_signed_in
    me = await joined.read_me()
    assert (me["user"]["id"], me["workspace"]["id"]) == (str(owner.user_id), str(host.workspace_id))


async def test_who_was_removed_comes_back_by_an_invitation(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    assert (await accept(api, provider, await invite(owner), browser)).is_signed_in
    user_id = (await browser.read_me())["user"]["id"]
    assert (await owner.client.delete(f"/v1/members/{user_id}")).status_code == 204
    assert (await provider.sign_in(api)).error == "oidc_no_access"
    assert (await accept(api, provider, await invite(owner, role="viewer"), browser)).is_signed_in
    assert (await browser.read_me())["role"] == "viewer"
