"""URLs, headers and redirects, without a network."""

import pytest
from multidict import CIMultiDict
from yarl import URL

from engine.infra.http_errors import InvalidHeaderError, InvalidRedirectError, InvalidUrlError
from engine.infra.http_headers import check_headers, readable
from engine.infra.http_redirects import Hop
from engine.infra.http_url import parse_url


@pytest.mark.parametrize(
    "text",
    [
        *("", "shop.example", "//shop.example/", "ftp://shop.example/", "file:///etc/passwd", "javascript:alert(1)"),
        *("http://", "http:///path", "http:shop.example", "http:\\\\shop.example", "https://?q=1"),
        *("http://user@shop.example/", "http://user:word@shop.example/", "http://:word@shop.example/"),
        *("http://shop.example:0x50/", "http://shop.example:65536/", "http://shop example/", "http://[::1/"),
        *("http://shop.example/\r\nX-Evil: 1", "http://shop.example/\x00", "http://shop\n.example/", "http://a%00b/"),
        *("http://[fe80::1%25eth0]/", "http://" + "a" * 254 + "/"),
    ],
)
def test_url_that_cannot_be_called_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError) as raised:
        parse_url(text)
    assert "word" not in raised.value.message.replace("password", "")


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("https://shop.example/orders?id=1", "https://shop.example/orders?id=1"),
        ("HTTP://Shop.Example:8080/a b", "http://shop.example:8080/a%20b"),
        ("https://müller.example/ü", "https://xn--mller-kva.example/%C3%BC"),
        ("http://my_service:8080/", "http://my_service:8080/"),
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    ],
)
def test_url_is_called_as_browsers_write_it(text: str, called: str) -> None:
    assert str(parse_url(text)) == called


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-Break", "a\r\nX-Evil: 1"), ("X-Break", "a\nb"), ("X-Break", "a\rb"), ("X-Zero", "a\x00b")),
        *(("X-Delete", "a\x7fb"), ("X-Lone", "a\ud800b"), ("X-Bell", "\x07")),
        *(("", "v"), ("X Space", "v"), ("X:Colon", "v"), ("X\r\nEvil", "v"), ("Ümlaut", "v"), ("X\x00", "v")),
        *(("Host", "other.example"), ("content-length", "0"), ("Transfer-Encoding", "chunked")),
        *(("Connection", "upgrade"), ("Upgrade", "websocket"), ("TE", "trailers"), ("Expect", "100-continue")),
    ],
)
def test_header_that_would_break_the_message_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidHeaderError):
        check_headers({name: value})


def test_headers_that_are_fine_are_kept_in_order() -> None:
    given = [("X-A", "1"), ("X-B", "a\tb"), ("X-A", "2"), ("X-Text", "Grüße 🎉"), ("X-Empty", "")]
    assert list(check_headers(given).items()) == given


def test_header_that_comes_twice_is_spelled_alike() -> None:
    assert list(check_headers([("X-A", "1"), ("x-a", "2")]).items()) == [("X-A", "1"), ("X-A", "2")]


def test_header_bytes_become_text_that_fits_into_json() -> None:
    assert readable(b"Gr\xc3\xbc".decode("utf-8", "surrogateescape")) == "Grü"
    assert readable(b"Gr\xfc".decode("utf-8", "surrogateescape")) == "Grü"


def hop(method: str = "GET", url: str = "https://shop.example/a/b?q=1", body: bytes | None = None) -> Hop:
    headers = CIMultiDict({"Authorization": "s", "Content-Type": "text/plain", "Accept": "*/*", "X-Own": "s"})
    return Hop(method, URL(url), headers, body)


@pytest.mark.parametrize(
    ("method", "status", "followed", "keeps_body"),
    [
        *(("GET", status, "GET", True) for status in (301, 302, 303, 307, 308)),
        *(("HEAD", status, "HEAD", True) for status in (301, 302, 303, 307, 308)),
        *(("POST", status, "GET", False) for status in (301, 302, 303)),
        *(("POST", status, "POST", True) for status in (307, 308)),
        *(("PUT", status, "PUT", True) for status in (301, 302, 307, 308)),
        ("PUT", 303, "GET", False),
        ("DELETE", 303, "GET", False),
    ],
)
def test_method_and_body_follow_as_in_browsers(method: str, status: int, followed: str, keeps_body: bool) -> None:
    is_bodiless = method in {"GET", "HEAD"}
    next_hop = hop(method, body=None if is_bodiless else b"x").follow(status, "/c")
    assert next_hop.method == followed
    if not is_bodiless:
        assert (next_hop.body == b"x") is keeps_body
        assert ("Content-Type" in next_hop.headers) is keeps_body
    assert next_hop.headers["Authorization"] == "s"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/c", "https://shop.example/c"),
        ("c?x=2", "https://shop.example/a/c?x=2"),
        ("?x=2", "https://shop.example/a/b?x=2"),
        ("//other.example/c", "https://other.example/c"),
        ("https://other.example:8443/c#part", "https://other.example:8443/c#part"),
    ],
)
def test_location_is_read_relative_to_where_it_came_from(location: str, url: str) -> None:
    assert str(hop().follow(302, location).url) == url


@pytest.mark.parametrize(
    ("from_url", "location"),
    [
        ("https://shop.example/", "https://other.example/"),
        ("https://shop.example/", "https://shop.example:8443/"),
        ("https://shop.example/", "https://sub.shop.example/"),
        ("http://shop.example/", "https://shop.example/"),
    ],
)
def test_another_origin_sees_harmless_headers_only(from_url: str, location: str) -> None:
    headers = hop(url=from_url).follow(307, location).headers
    assert dict(headers) == {"Content-Type": "text/plain", "Accept": "*/*"}


@pytest.mark.parametrize("location", ["ftp://shop.example/", "http://[::1", "https://a:b@shop.example/", "http://a b/"])
def test_location_that_cannot_be_called_is_refused(location: str) -> None:
    with pytest.raises(InvalidRedirectError):
        hop(url="http://shop.example/").follow(302, location)


def test_redirect_to_plain_http_is_refused() -> None:
    with pytest.raises(InvalidRedirectError, match="https to http"):
        hop().follow(302, "http://shop.example/")
