"""Whether there is a provider of sign-ins, and how whoever runs FlowForge learns what is wrong with it."""

from urllib.parse import urlsplit

import msgspec

from cli.signing_in import look_at_provider
from engine.infra.settings import Settings
from tests.integration.api.callers import running
from tests.integration.api.false_provider import CLIENT_ID, CLIENT_SECRET, FalseProvider
from tests.integration.api.sign_ins import Browser


async def test_without_a_provider_there_is_none(settings: Settings, clean_database: str, clean_redis: str) -> None:
    async with running(settings) as api:
        assert (await api.client().get("/v1/auth/providers")).json() == {"items": [], "next_cursor": None}
        browser = Browser(api)
        assert (await browser.leave_in_vain()).error == "oidc_not_configured"
        assert (await browser.come_back(code="a-code", state="any")).error == "oidc_not_configured"


async def test_doctor_tells_whether_the_provider_can_be_used(settings: Settings, provider: FalseProvider) -> None:
    with_provider = msgspec.structs.replace(
        settings,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        http_allow_private=urlsplit(provider.issuer).netloc,
    )
    assert await look_at_provider(with_provider) == (
        "ok",
        f"{provider.issuer} answers; it leads browsers back to http://127.0.0.1:8000/v1/auth/oidc/callback",
    )
    provider.published = []
    for more, told in (
        ({}, "no key that can be used"),
        ({"http_allow_private": ""}, "FLOWFORGE_HTTP_ALLOW_PRIVATE"),
        ({"oidc_scopes": "email"}, "FLOWFORGE_OIDC_SCOPES"),
    ):
        seen = await look_at_provider(msgspec.structs.replace(with_provider, **more))
        assert seen is not None
        assert seen[0] == "fail"
        assert told in seen[1]
    assert await look_at_provider(Settings()) is None
