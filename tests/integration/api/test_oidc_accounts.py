"""Whose account a sign-in through a provider opens, who gets one, and which role they have."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.false_provider import CLIENT_ID, CLIENT_SECRET, FalseProvider
from tests.integration.api.sign_ins import Browser, Landing

pytestmark = pytest.mark.without_faults("a sign-in ends where a statement fails, and is begun anew by a person")


@pytest.fixture
def plain(settings: Settings, provider: FalseProvider) -> Settings:
    """A provider that gives nobody an account."""
    return msgspec.structs.replace(
        settings,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        http_allow_private=urlsplit(provider.issuer).netloc,
    )


@pytest.fixture
async def closed(plain: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API with a provider that gives nobody an account."""
    async with running(plain) as opened:
        yield opened


@pytest.fixture
async def api(plain: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API with a provider that gives accounts to whom it gives a role."""
    mapped = msgspec.structs.replace(
        plain,
        oidc_provision=True,
        oidc_role_claim="realm_access.roles",
        oidc_roles="owners=owner, admins=admin, devs=editor, cn=x=operator",
    )
    async with running(mapped) as opened:
        yield opened


def claim(provider: FalseProvider, *roles: str, **claims: object) -> None:
    """Grace with these roles."""
    grace = {"email": "grace@example.com", "email_verified": True, "name": "Grace"}
    provider.say(**{**grace, "realm_access": {"roles": list(roles)}, **claims})


async def sign_in(api: Api, provider: FalseProvider) -> Browser:
    browser = Browser(api)
    landed = await provider.sign_in(api, browser)
    assert landed.is_signed_in, landed
    return browser


async def read_user_id(browser: Browser) -> UUID:
    return UUID((await browser.read_me())["user"]["id"])


async def count_users(api: Api) -> int:
    async with api.database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM user_account")) or 0)


async def test_before_the_first_set_up_nobody_signs_in(api: Api, provider: FalseProvider) -> None:
    claim(provider, "owners")
    assert (await provider.sign_in(api)).error == "oidc_setup_needed"


async def test_nobody_gets_an_account_unless_the_operator_says_so(closed: Api, provider: FalseProvider) -> None:
    await closed.sign_in()
    assert await provider.sign_in(closed) == Landing("oidc_no_account", False, None)
    assert await count_users(closed) == 1


async def test_an_email_alone_opens_no_account(closed: Api, provider: FalseProvider) -> None:
    owner = await closed.sign_in()
    provider.say(email=owner.email.upper(), email_verified=True)
    assert (await provider.sign_in(closed)).error == "oidc_account_exists"
    for verified in (False, None, "no", 1):
        provider.say(email=owner.email, email_verified=verified)
        # Whether there is such an account is told to nobody whose email it may not be.
        assert (await provider.sign_in(closed)).error == "oidc_no_account"


async def test_an_identity_is_its_subject_whatever_its_email_is(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    claim(provider, "devs")
    user_id = await read_user_id(await sign_in(api, provider))
    claim(provider, "devs", email=owner.email, name="Somebody Else")
    assert await read_user_id(await sign_in(api, provider)) == user_id
    claim(provider, "devs", sub="another-subject")
    assert (await provider.sign_in(api)).error == "oidc_account_exists"


@pytest.mark.parametrize(
    ("roles", "role"),
    [(["devs"], "editor"), (["devs", "admins", "unknown"], "admin"), (["cn=x"], "operator"), (["owners"], "owner")],
)
async def test_somebody_new_gets_the_strongest_role_that_the_claim_gives(
    api: Api, owner: Caller, provider: FalseProvider, roles: list[str], role: str
) -> None:
    claim(provider, *roles)
    me = await (await sign_in(api, provider)).read_me()
    assert (me["role"], me["workspace"]["id"]) == (role, str(owner.workspace_id))


@pytest.mark.parametrize("roles", [[], ["unknown"], ["Devs"]], ids=str)
async def test_without_a_mapped_role_nobody_gets_an_account(
    api: Api, owner: Caller, provider: FalseProvider, roles: list[str]
) -> None:
    claim(provider, *roles)
    assert (await provider.sign_in(api)).error == "oidc_no_role"
    assert await count_users(api) == 1


async def test_the_operator_may_name_a_role_and_a_workspace_for_everybody_else(
    plain: Settings, provider: FalseProvider, closed: Api
) -> None:
    await closed.sign_in()
    other = await closed.sign_in()
    more = {"oidc_provision": True, "oidc_default_role": "viewer", "oidc_workspace": str(other.workspace_id)}
    async with running(msgspec.structs.replace(plain, **more)) as api:
        me = await (await sign_in(api, provider)).read_me()
    assert (me["role"], me["workspace"]["id"]) == ("viewer", str(other.workspace_id))


async def test_a_role_follows_the_claim_with_every_sign_in(api: Api, owner: Caller, provider: FalseProvider) -> None:
    claim(provider, "admins")
    browser = await sign_in(api, provider)
    user_id = await read_user_id(browser)
    assert (await browser.read_me())["role"] == "admin"
    claim(provider, "devs")
    # It takes hold for what is signed in already as well.
    await sign_in(api, provider)
    assert (await browser.read_me())["role"] == "editor"
    claim(provider)
    assert (await provider.sign_in(api)).error == "oidc_no_role"
    log = (await owner.client.get("/v1/audit", params={"user_id": str(user_id)})).json()["items"]
    told = [(entry["action"], entry["outcome"], entry["after"]) for entry in log]
    assert ("member.role_changed", "done", {"role": "editor", "issuer": provider.issuer}) in told
    assert ("session.refused", "refused", {"issuer": provider.issuer, "reason": "oidc_no_role"}) in told


async def test_the_last_owner_stays_one_whatever_the_claim_says(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    claim(provider, "owners")
    await sign_in(api, provider)
    assert (await owner.client.delete(f"/v1/members/{owner.user_id}")).status_code == 204
    claim(provider, "devs")
    assert (await (await sign_in(api, provider)).read_me())["role"] == "owner"


async def test_who_was_removed_or_switched_off_does_not_come_back_by_themselves(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    claim(provider, "devs")
    user_id = await read_user_id(await sign_in(api, provider))
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET is_active = false WHERE id = :id"), {"id": user_id})
    assert (await provider.sign_in(api)).error == "oidc_no_access"
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE user_account SET is_active = true"))
    await sign_in(api, provider)
    assert (await owner.client.delete(f"/v1/members/{user_id}")).status_code == 204
    assert (await provider.sign_in(api)).error == "oidc_no_access"


async def test_an_account_needs_an_email_that_the_provider_does_not_disown(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    for email in (None, "", "no address", "a\x00@example.com", 7, "x" * 250 + "@example.com"):
        claim(provider, "devs", email=email)
        assert (await provider.sign_in(api)).error == "oidc_email_missing"
    claim(provider, "devs", email_verified=False)
    assert (await provider.sign_in(api)).error == "oidc_email_unverified"
    claim(provider, "devs", email_verified=None)
    await sign_in(api, provider)


async def test_only_verified_addresses_of_the_named_domains_are_let_in(
    plain: Settings, provider: FalseProvider, closed: Api
) -> None:
    await closed.sign_in()
    more = {"oidc_provision": True, "oidc_default_role": "viewer", "oidc_domains": "Example.com, other.example"}
    async with running(msgspec.structs.replace(plain, **more)) as api:
        for claims, error in (
            ({"email": "grace@example.com.evil.example", "email_verified": True}, "oidc_domain_refused"),
            ({"email": "grace@sub.example.com", "email_verified": True}, "oidc_domain_refused"),
            ({"email": "grace@example.com", "email_verified": False}, "oidc_email_unverified"),
            ({"email": "grace@example.com"}, "oidc_email_unverified"),
            ({}, "oidc_email_missing"),
        ):
            provider.say(**claims)
            assert (await provider.sign_in(api)).error == error, claims
        provider.say(email="grace@EXAMPLE.com", email_verified="true")
        await sign_in(api, provider)
        # A known identity is held to it as well.
        provider.say(email="grace@elsewhere.example", email_verified=True)
        assert (await provider.sign_in(api)).error == "oidc_domain_refused"


async def test_what_the_token_does_not_tell_is_read_from_user_info(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    provider.metadata = {"userinfo_endpoint": f"{provider.issuer}/me"}
    provider.say()
    told = {"email": "grace@example.com", "realm_access": {"roles": ["devs"]}}
    provider.user_info = {"sub": "somebody-else", **told}
    assert (await provider.sign_in(api)).error == "oidc_id_token_invalid"
    # What is signed wins.
    provider.say(name="Grace", realm_access={"roles": ["cn=x"]})
    provider.user_info = {"sub": "grace", **told}
    me = await (await sign_in(api, provider)).read_me()
    assert (me["role"], me["user"]["name"]) == ("operator", "Grace")
    (*_, asked) = [received for received in provider.target.received if received.path == "/me"]
    assert asked.header("authorization") == "Bearer an-access-token"


async def test_of_two_first_sign_ins_at_once_both_open_the_one_account(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    claim(provider, "devs")
    browsers = [Browser(api) for _ in range(4)]
    asked = [await browser.leave() for browser in browsers]
    # Of all of them the answers are on their way at the same time.
    tokens = []
    for each in asked:
        provider.nonce = each["nonce"]
        tokens.append(provider.make_token())
    answers = dict(zip([f"code-{number}" for number in range(4)], tokens, strict=True))
    provider.answers = answers
    landed = await asyncio.gather(
        *(
            browser.come_back(code=code, state=each["state"])
            for browser, each, code in zip(browsers, asked, answers, strict=True)
        )
    )
    assert all(each.is_signed_in for each in landed), landed
    assert len({await read_user_id(browser) for browser in browsers}) == 1
    assert await count_users(api) == 2


async def test_a_name_is_made_fit_to_be_shown(api: Api, owner: Caller, provider: FalseProvider) -> None:
    for name, shown in (("Gra\x00ce\n", "Gra ce"), ("  ", "grace"), (7, "grace"), ("x" * 300, "x" * 200)):
        subject = new_id().hex
        claim(provider, "devs", sub=subject, email=f"grace@{subject}.example", name=name)
        me = await (await sign_in(api, provider)).read_me()
        assert me["user"]["name"] == shown


async def test_who_loses_a_role_loses_what_they_have_invited_to_with_it(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    claim(provider, "admins")
    browser = await sign_in(api, provider)
    token = (await browser.refresh()).json()["access_token"]
    made = await api.client(token).post("/v1/invitations", json={"email": "ada@example.com", "role": "admin"})
    assert made.status_code == 201
    claim(provider, "devs")
    await sign_in(api, provider)
    accepted = {"token": made.json()["token"], "name": "Ada", "password": "a password of her own"}
    assert (await api.client().post("/v1/invitations/accept", json=accepted)).json()["code"] == "invitation_gone"
    assert (await browser.read_me())["role"] == "editor"
