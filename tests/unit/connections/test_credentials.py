"""What a connection's secret makes of a request, and where it may go."""

import base64

import pytest
from yarl import URL

from engine.infra.credentials import (
    ApiKeySecret,
    BasicSecret,
    BearerSecret,
    ClientCredentials,
    HeadersSecret,
    Secret,
    find_faults,
    is_host_allowed,
    make_credential,
    normalise_allowed_host,
)

PAIR = base64.b64encode(b"ann:passw0rd").decode()
OAUTH = ClientCredentials(token_url="https://a.example/token", client_id="c", client_secret="client-s")


@pytest.mark.parametrize(
    ("secret", "headers", "secrets"),
    [
        (
            BasicSecret(username="ann", password="passw0rd"),
            {"Authorization": f"Basic {PAIR}"},
            {"passw0rd", "ann:passw0rd", PAIR},
        ),
        (BearerSecret(token="t0ken"), {"Authorization": "Bearer t0ken"}, {"t0ken"}),
        (ApiKeySecret(header="X-Key", value="k3y"), {"X-Key": "k3y"}, {"k3y"}),
        (
            ApiKeySecret(header="Authorization", value="Token k3y"),
            {"Authorization": "Token k3y"},
            {"Token k3y", "k3y"},
        ),
        (
            HeadersSecret(headers={"Authorization": f"Basic {PAIR}", "X-B": "2nd"}),
            {"Authorization": f"Basic {PAIR}", "X-B": "2nd"},
            {f"Basic {PAIR}", PAIR, "ann:passw0rd", "passw0rd", "2nd"},
        ),
        (OAUTH, {}, {"client-s", "c:client-s"}),
    ],
)
def test_a_secret_gives_headers_and_tells_what_must_not_come_back(
    secret: Secret, headers: dict[str, str], secrets: set[str]
) -> None:
    credential = make_credential(secret)
    assert credential.headers == headers
    assert set(credential.secrets) == secrets


@pytest.mark.parametrize("password", ["", "x"])
def test_a_key_in_the_place_of_a_user_name_is_secret_too(password: str) -> None:
    credential = make_credential(BasicSecret(username="sk_l1ve_k3y", password=password))
    assert "sk_l1ve_k3y" in credential.secrets


def test_an_access_token_is_secret_like_its_client() -> None:
    credential = make_credential(OAUTH, "acc355")
    assert credential.headers == {"Authorization": "Bearer acc355"}
    assert {"acc355", "client-s"} <= set(credential.secrets)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("API.Example.com.", "api.example.com"),
        ("*.Example.com", "*.example.com"),
        ("api.example.com:8443", "api.example.com:8443"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:DB8::1]:443", "[2001:db8::1]:443"),
    ],
)
def test_hosts_are_kept_in_one_spelling(written: str, kept: str) -> None:
    assert normalise_allowed_host(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "*",
        "*.com*",
        "a.*.example",
        "https://a.example",
        "a.example/x",
        "u@a.example",
        "a b",
        "a.example:0",
        "a:70000",
        "a.example?x",
        "a.example#x",
        "a.example\\x",
        "%61.example",
        "a.example:\u0663",
        "...",
        "*...",
        "a.example\0",
    ],
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normalise_allowed_host(written)


@pytest.mark.parametrize(
    ("url", "allowed", "is_allowed"),
    [
        ("https://api.example.com/x", ["api.example.com"], True),
        ("https://API.example.com./x", ["api.example.com"], True),
        ("https://api.example.com.evil.example/", ["api.example.com"], False),
        ("https://evil-api.example.com/", ["api.example.com"], False),
        ("https://a.b.example.com/", ["*.example.com"], True),
        ("https://example.com/", ["*.example.com"], False),
        ("https://evilexample.com/", ["*.example.com"], False),
        ("https://api.example.com/", ["api.example.com:443"], True),
        ("https://api.example.com:8443/", ["api.example.com:443"], False),
        ("https://api.example.com:8443/", ["api.example.com"], True),
        ("https://[2001:db8::1]/", ["[2001:db8::1]"], True),
        ("https://[2001:db8::1]:444/", ["[2001:db8::1]:443"], False),
        ("https://anything.example/", [], True),
    ],
)
def test_credentials_go_to_the_hosts_that_are_named(url: str, allowed: list[str], is_allowed: bool) -> None:
    assert is_host_allowed(URL(url), allowed) is is_allowed


@pytest.mark.parametrize("name", ["User-Agent", "accept-language"])
def test_no_secret_stands_in_a_header_that_follows_redirects(name: str) -> None:
    (fault,) = find_faults(ApiKeySecret(header=name, value="k3y-of-theirs"))
    assert (fault[0], "follows every redirect" in fault[2]) == ("/header", True)
    (fault,) = find_faults(HeadersSecret(headers={name: "k3y-of-theirs", "X-Key": "k3y"}))
    assert fault[0] == f"/headers/{name}"
