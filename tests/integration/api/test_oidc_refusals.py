"""What a sign-in through a provider is not: every answer that does not belong to it, or proves nothing."""

import base64
import hmac
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import text

from app.auth.oidc.accounts import AccountService
from app.auth.oidc.documents import REST_SECONDS
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.false_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    FalseProvider,
    make_good,
    make_key,
)
from tests.integration.api.sign_ins import FLOW_COOKIE, SESSION_COOKIE, Browser, Landing

pytestmark = pytest.mark.without_faults("a sign-in ends where a statement fails, and is begun anew by a person")

Spoil = Callable[[FalseProvider], None]


@pytest.fixture
def private_target() -> Iterator[socket.socket]:
    """Somebody who listens where the operator has opened nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture
def with_provider(settings: Settings, provider: FalseProvider) -> Settings:
    return msgspec.structs.replace(
        settings,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_provision=True,
        oidc_default_role="viewer",
        http_allow_private=urlsplit(provider.issuer).netloc,
    )


@pytest.fixture
async def api(with_provider: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API, whose provider gives accounts to everybody."""
    async with running(with_provider) as opened:
        yield opened


class Clock:
    """It stands still until a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def claim(**claims: Any) -> Spoil:
    def spoil(provider: FalseProvider) -> None:
        provider.claims |= claims

    return spoil


def as_hmac(find_secret: Callable[[FalseProvider], bytes]) -> Spoil:
    """The token that a good provider gives, signed with something that is known."""

    def spoil(provider: FalseProvider) -> None:
        header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').decode().rstrip("=")
        signed = f"{header}.{provider.make_token().split('.')[1]}"
        mac = hmac.digest(find_secret(provider), signed.encode(), "sha256")
        provider.token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return spoil


def unsigned(provider: FalseProvider) -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    provider.token = f"{header}.{provider.make_token().split('.')[1]}."


def altered(provider: FalseProvider) -> None:
    header, _, signature = provider.make_token().split(".")
    claims = {"iss": provider.issuer, "aud": CLIENT_ID, "sub": "root", "nonce": provider.nonce, "exp": 9e9, "iat": 1}
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=")
    provider.token = f"{header}.{body}.{signature}"


def signed_by_a_stranger(provider: FalseProvider) -> None:
    provider.key = make_key("stranger")


def signed_by_a_namesake(provider: FalseProvider) -> None:
    # Another key under a name that the provider has published.
    provider.header = {"kid": "first"}
    provider.key = make_key("stranger")


def said(text: str) -> Spoil:
    def spoil(provider: FalseProvider) -> None:
        provider.token = text

    return spoil


PROOFLESS: dict[str, Spoil] = {
    "another nonce": claim(nonce="another"),
    "no nonce": claim(nonce=None),
    "another issuer": claim(iss="https://elsewhere.example"),
    "no issuer": claim(iss=None),
    "another audience": claim(aud="somebody-else"),
    "audiences without an authorised party": claim(aud=[CLIENT_ID, "somebody-else"]),
    "another authorised party": claim(azp="somebody-else"),
    "expired": claim(exp=int(time.time()) - 60),
    "no expiry": claim(exp=None),
    "of the future": claim(iat=int(time.time()) + 7200),
    "an empty subject": claim(sub=""),
    "a number for a subject": claim(sub=7),
    "a subject with a NUL": claim(sub="gra\x00ce"),
    "of another access token": claim(at_hash="bm90IGl0"),
    "alg none": unsigned,
    "altered claims": altered,
    "HS256 with the client's secret": as_hmac(lambda _: CLIENT_SECRET.encode()),
    "HS256 with the public key": as_hmac(lambda provider: provider.key.as_pem(private=False)),
    "a key of nobody's": signed_by_a_stranger,
    "a key under another's name": signed_by_a_namesake,
    "no token": said("no.token"),
    "no ASCII": said("é.é.é"),
    "too long": said("x" * 70_000),
}


async def test_a_token_that_proves_nothing_signs_nobody_in(api: Api, owner: Caller, provider: FalseProvider) -> None:
    landed = {}
    for name, spoil in PROOFLESS.items():
        make_good(provider)
        browser = Browser(api)
        asked = await browser.leave()
        provider.nonce = asked["nonce"]
        spoil(provider)
        landed[name] = await browser.come_back(code="a-code", state=asked["state"])
        assert SESSION_COOKIE not in browser.client.cookies, name
    assert landed == dict.fromkeys(PROOFLESS, Landing("oidc_id_token_invalid", False, None))
    async with api.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM user_account")) == 1
    make_good(provider)
    assert (await provider.sign_in(api)).is_signed_in


async def test_each_kind_of_asymmetric_key_signs_in(api: Api, owner: Caller, provider: FalseProvider) -> None:
    keys = [make_key(algorithm, algorithm) for algorithm in ("RS256", "PS256", "Ed25519")]
    provider.published = [{"kty": "XX"}, make_key("first"), *keys]
    for key in keys:
        provider.key = key
        assert (await provider.sign_in(api)).is_signed_in, key.get("alg")


async def test_the_provider_is_asked_for_a_code_bound_to_this_sign_in(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    browser = Browser(api)
    asked = await browser.leave()
    provider.nonce = asked["nonce"]
    assert {name: asked[name] for name in ("response_type", "client_id", "code_challenge_method", "scope")} == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "code_challenge_method": "S256",
        "scope": "openid email profile",
    }
    assert (await browser.come_back(code="the-code", state=asked["state"])).is_signed_in
    request = provider.read_token_request()
    assert (request["grant_type"], request["code"]) == ("authorization_code", "the-code")
    assert request["redirect_uri"] == asked["redirect_uri"] == "http://127.0.0.1:8000/v1/auth/oidc/callback"
    assert create_s256_code_challenge(request["code_verifier"]) == asked["code_challenge"]
    other = await browser.leave()
    assert not {asked["state"], asked["nonce"], asked["code_challenge"]} & set(other.values())


async def test_an_answer_to_another_sign_in_is_refused_and_the_right_one_still_counts(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    browser = Browser(api)
    asked = await browser.leave(next="/runs")
    provider.nonce = asked["nonce"]
    for state in ("another", "", "é"):
        landed = await browser.come_back(code="a-code", state=state)
        assert landed == Landing("oidc_state_mismatch", False, "/runs")
    assert provider.count("/token") == 0
    assert (await browser.come_back(code="a-code", state=asked["state"])).is_signed_in


async def test_a_sign_in_is_good_once(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    asked = await browser.leave()
    provider.nonce = asked["nonce"]
    cookie = browser.client.cookies[FLOW_COOKIE]
    assert (await browser.come_back(code="a-code", state=asked["state"])).is_signed_in
    assert FLOW_COOKIE not in browser.client.cookies
    assert await browser.come_back(code="a-code", state=asked["state"]) == Landing("oidc_flow_missing", False, None)
    browser.client.cookies.set(FLOW_COOKIE, cookie)
    assert await browser.come_back(code="a-code", state=asked["state"]) == Landing("oidc_flow_used", False, None)
    assert provider.count("/token") == 1


async def test_a_sign_in_that_another_browser_has_begun_is_none(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    theirs, ours = Browser(api), Browser(api)
    asked = await theirs.leave()
    assert await ours.come_back(code="a-code", state=asked["state"]) == Landing("oidc_flow_missing", False, None)
    await ours.leave()
    assert await ours.come_back(code="a-code", state=asked["state"]) == Landing("oidc_state_mismatch", False, None)
    assert provider.count("/token") == 0


async def test_a_cookie_that_was_altered_is_none(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    asked = await browser.leave()
    sealed = browser.client.cookies[FLOW_COOKIE]
    for cookie in (sealed[:-8] + "AAAAAAAA", "x", "{}", "e" * 5000):
        browser.client.cookies.set(FLOW_COOKIE, cookie)
        assert await browser.come_back(code="a-code", state=asked["state"]) == Landing("oidc_flow_missing", False, None)


async def test_what_a_provider_adds_to_its_answer_is_let_pass(api: Api, owner: Caller, provider: FalseProvider) -> None:
    browser = Browser(api)
    asked = await browser.leave()
    provider.nonce = asked["nonce"]
    answer = {"code": "a-code", "state": asked["state"], "iss": provider.issuer}
    assert (await browser.come_back(**answer, session_state="x.y", hd="example.com")).is_signed_in


@pytest.mark.parametrize("more", [{"iss": "https://elsewhere.example"}, {}], ids=["another one's", "nobody's"])
async def test_an_answer_of_another_issuer_is_refused(
    api: Api, owner: Caller, provider: FalseProvider, more: dict[str, str]
) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    browser = Browser(api)
    asked = await browser.leave()
    landed = await browser.come_back(code="a-code", state=asked["state"], **more)
    assert landed == Landing("oidc_id_token_invalid", False, None)
    assert provider.count("/token") == 0


ERRORS: list[tuple[dict[str, str], str]] = [
    ({"error": "access_denied", "error_description": "<b>no</b>"}, "oidc_denied"),
    ({"error": "temporarily_unavailable"}, "oidc_provider_unavailable"),
    ({"error": "<script>alert(1)</script>"}, "oidc_provider_invalid"),
    ({}, "oidc_provider_invalid"),
    ({"code": ""}, "oidc_provider_invalid"),
]


async def test_an_error_of_the_providers_is_told_by_a_code_of_ours(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    browser = Browser(api)
    for answer, error in ERRORS:
        asked = await browser.leave()
        assert await browser.come_back(state=asked["state"], **answer) == Landing(error, False, None), answer
    assert provider.count("/token") == 0


async def test_a_sign_in_leads_to_no_page_of_elsewhere(api: Api, owner: Caller, provider: FalseProvider) -> None:
    for page in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "runs"):
        browser = Browser(api)
        asked = await browser.leave(next=page)
        provider.nonce = asked["nonce"]
        assert await browser.come_back(code="a-code", state=asked["state"]) == Landing(None, True, None), page


async def test_a_provider_that_is_away_is_told_and_comes_back(api: Api, owner: Caller, provider: FalseProvider) -> None:
    provider.statuses = {"/.well-known/openid-configuration": 503}
    assert await Browser(api).leave_in_vain(next="/runs") == Landing("oidc_provider_unavailable", False, "/runs")
    provider.statuses = {"/token": 502}
    assert (await provider.sign_in(api)).error == "oidc_provider_unavailable"
    provider.statuses = {"/keys": 500}
    assert (await provider.sign_in(api)).error == "oidc_provider_unavailable"
    provider.statuses = {"/token": 401}
    assert (await provider.sign_in(api)).error == "oidc_provider_invalid"
    provider.statuses = {}
    assert (await provider.sign_in(api)).is_signed_in


async def test_metadata_that_cannot_be_trusted_lead_nowhere(api: Api, owner: Caller, provider: FalseProvider) -> None:
    untrusted: list[dict[str, Any]] = [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint": None},
    ]
    for metadata in untrusted:
        provider.metadata = metadata
        assert await Browser(api).leave_in_vain() == Landing("oidc_provider_invalid", False, None), metadata


async def test_a_private_provider_is_not_called_unless_the_operator_has_opened_it(
    with_provider: Settings, provider: FalseProvider, clean_database: str, clean_redis: str
) -> None:
    async with running(msgspec.structs.replace(with_provider, http_allow_private="")) as api:
        assert (await Browser(api).leave_in_vain()).error == "oidc_provider_unavailable"
    assert provider.target.received == []


async def test_an_address_that_the_provider_names_is_guarded_as_its_own_is(
    api: Api, owner: Caller, provider: FalseProvider, private_target: socket.socket
) -> None:
    for place in ("token_endpoint", "jwks_uri"):
        provider.metadata = {place: f"http://127.0.0.1:{private_target.getsockname()[1]}/"}
        async with running(api.settings, beside_another=True) as another:
            assert (await provider.sign_in(another)).error == "oidc_provider_unavailable", place
    with pytest.raises(BlockingIOError):
        # Nobody has connected.
        private_target.accept()


async def test_a_sign_in_that_breaks_on_our_side_ends_on_the_sign_in_page_as_well(
    api: Api, owner: Caller, provider: FalseProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours, with a secret in it")

    with monkeypatch.context() as broken:
        broken.setattr(AccountService, "open", fail)
        assert await provider.sign_in(api) == Landing("internal_error", False, None)
    async with api.database.begin() as connection:
        await connection.execute(text("ALTER TABLE used_oidc_flow RENAME TO gone"))
    try:
        assert await provider.sign_in(api) == Landing("database_not_migrated", False, None)
    finally:
        async with api.database.begin() as connection:
            await connection.execute(text("ALTER TABLE gone RENAME TO used_oidc_flow"))
    assert (await provider.sign_in(api)).is_signed_in


async def test_metadata_and_keys_are_asked_for_once_and_a_new_key_is_found(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    keys = api.app.state.oidc._provider._keys
    keys._clock = Clock()
    for _ in range(3):
        assert (await provider.sign_in(api)).is_signed_in
    assert (provider.count("/.well-known/openid-configuration"), provider.count("/keys")) == (1, 1)
    # So long after the keys were asked for last, a key that is not among them is looked for.
    keys._clock.now += REST_SECONDS
    provider.key = make_key("second")
    provider.published = [make_key("first"), provider.key]
    assert (await provider.sign_in(api)).is_signed_in
    assert provider.count("/keys") == 2
    provider.header = {"kid": "made-up"}
    for _ in range(3):
        assert (await provider.sign_in(api)).error == "oidc_id_token_invalid"
    assert provider.count("/keys") == 2


async def test_an_address_whose_sign_ins_fail_again_and_again_has_to_wait(
    api: Api, owner: Caller, provider: FalseProvider
) -> None:
    throttle = api.app.state.throttle
    for number in range(100):
        await throttle.admit(f"somebody-{number}", "192.0.2.9")
    assert (await provider.sign_in(api, address="192.0.2.9")).error == "too_many_requests"
    assert provider.count("/token") == 0
    assert (await provider.sign_in(api, address="192.0.2.10")).is_signed_in
