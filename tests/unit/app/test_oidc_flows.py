"""What a sign-in through a provider is remembered by while it is under way."""

import re

import msgspec
import pytest

from app.auth.oidc.errors import SignInFailed
from app.auth.oidc.flows import LIFETIME_SECONDS, PURPOSE, Flow, FlowCookies, begin_flow, read_next
from engine.infra.secrets import SecretBox

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER_KEY = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
ISSUER = "https://id.example.com"
NOW = 1_800_000_000.0


def cookies(now: float = NOW, key: str = KEY, purpose: str = PURPOSE) -> FlowCookies:
    return FlowCookies(SecretBox(key, purpose), lambda: now)


def test_a_flow_comes_back_as_it_was_begun() -> None:
    flow = begin_flow(ISSUER, "/runs", NOW)
    text = cookies().seal(flow)
    assert cookies().open(text, ISSUER) == flow
    assert flow.next == "/runs"
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert not any(part in text for part in (flow.state, flow.nonce, flow.verifier))


@pytest.mark.parametrize(
    ("age", "is_good"), [(0, True), (LIFETIME_SECONDS, True), (LIFETIME_SECONDS + 1, False), (-10, True), (-11, False)]
)
def test_a_flow_is_good_for_ten_minutes(age: int, is_good: bool) -> None:
    text = cookies().seal(begin_flow(ISSUER, None, NOW))
    assert opens(cookies(NOW + age), text) == is_good


def test_a_flow_of_another_installation_purpose_or_provider_is_none() -> None:
    flow = begin_flow(ISSUER, None, NOW)
    assert not opens(cookies(key=OTHER_KEY), cookies().seal(flow))
    assert not opens(cookies(), cookies(purpose="something-else").seal(flow))
    assert not opens(cookies(), cookies().seal(msgspec.structs.replace(flow, issuer="https://other.example")))


@pytest.mark.parametrize("text", ["", "x", "é", "e" * 5000, "eyJhIjoxfQ=="])
def test_what_was_never_sealed_is_none(text: str) -> None:
    assert not opens(cookies(), text)


def test_the_longest_page_fits_into_a_cookie() -> None:
    longest = "/" + "é" * 999
    flow = begin_flow("https://" + "i" * 100, longest, NOW)
    assert flow.next == longest
    assert opens(cookies(), cookies().seal(flow), flow)


def opens(read: FlowCookies, text: str, flow: Flow | None = None) -> bool:
    try:
        return read.open(text, flow.issuer if flow else ISSUER) is not None
    except SignInFailed as failed:
        assert failed.failure == "oidc_flow_missing"
        return False


@pytest.mark.parametrize("page", ["/", "/runs?status=failed&q=a%20b#top", "/workflows/é"])
def test_a_page_of_the_web_app_is_kept(page: str) -> None:
    assert read_next(page) == page


@pytest.mark.parametrize(
    "page",
    [None, "", "runs", "//e.example", "/\\e.example", "https://e.example", "/a\nb", "/a b", "/a\\b", "/" + "x" * 1000],
)
def test_everything_else_leads_to_the_first_page(page: str | None) -> None:
    assert read_next(page) == "/"
