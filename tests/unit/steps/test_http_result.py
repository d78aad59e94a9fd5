"""What an answer means: body, status and Retry-After, hostile ones included."""

import base64
from typing import Any

import msgspec
import pytest

from engine.infra.http_client import HttpResponse
from engine.steps.base import StepFailure
from engine.steps.http_request import HttpConfig
from engine.steps.http_result import describe_status, is_expected, read_body, read_retry_after


def answer(body: bytes, content_type: str | None = "application/json", status: int = 200) -> HttpResponse:
    headers = {} if content_type is None else {"content-type": content_type}
    return HttpResponse(status, headers, body, 5, "https://shop.example/orders")


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        (b'{"a": [1, 2.5, null, true]}', "application/json", {"a": [1, 2.5, None, True]}),
        (b"[]", "application/json; charset=utf-8", []),
        (b"7", "application/problem+json", 7),
        (b'"x"', "text/json", "x"),
        (b"\xef\xbb\xbf{}", "application/json", {}),
        ('{"a": "ü"}'.encode("utf-16"), "application/json; charset=utf-16", {"a": "ü"}),
        ('{"a": "ü"}'.encode("latin-1"), "application/json;charset=ISO-8859-1", {"a": "ü"}),
        (b'{"a": "\\u0000"}', "application/json", {"a": "\x00"}),
        (b"", "application/json", None),
        (b"", "text/plain", None),
        ("Grüße".encode(), "text/plain", "Grüße"),
        ("Grüße".encode("latin-1"), "text/plain; charset=latin-1", "Grüße"),
        ("日本".encode("shift-jis"), 'text/html; charset="Shift_JIS"', "日本"),
        (b"Gr\xfc\xdfe", "text/plain", "Gr\ufffd\ufffde"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"<a/>", "application/atom+xml", "<a/>"),
        (b"a=1", "application/x-www-form-urlencoded", "a=1"),
        (b'{"a":1}\n{"a":2}', "application/x-ndjson", '{"a":1}\n{"a":2}'),
        ("Grüße".encode(), None, "Grüße"),
        (b"\xff\xfe", None, {"base64": base64.b64encode(b"\xff\xfe").decode()}),
        (b"\x89PNG", "image/png", {"base64": "iVBORw=="}),
        (b"text", "application/octet-stream", {"base64": "dGV4dA=="}),
    ],
)
def test_body_by_its_type(body: bytes, content_type: str | None, value: Any) -> None:
    assert read_body(answer(body, content_type)) == value


@pytest.mark.parametrize(
    "charset", ["nonsense", "punycode", "idna", "unicode_escape", "utf-7", "hex", "zip", "a\x00b", ""]
)
def test_charset_that_is_none_or_dangerous_is_read_as_utf_8(charset: str) -> None:
    assert read_body(answer("ü\\u0041".encode(), f"text/plain; charset={charset}")) == "ü\\u0041"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"<html>not json</html>",
        b"{'a': 1}",
        b"NaN",
        b"[1e400]",
        b'{"a": "\xff"}',
        b'"\\ud800"',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"[" * 65 + b"]" * 65,
        b"1" * 5_000,
        b"1" * 310,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_declared_json_that_cannot_be_read_fails_for_good(body: bytes) -> None:
    with pytest.raises(StepFailure) as raised:
        read_body(answer(body))
    failure = raised.value
    assert (failure.code, failure.retryable, failure.status) == ("invalid_json_response", False, 200)
    assert "shop.example" in failure.message
    assert len(msgspec.json.encode(failure.details)) < 10_000


@pytest.mark.parametrize(
    "body",
    [b"[" * 64 + b"]" * 64, b"[" + b"[]," * 5_000 + b"[]]", b'{"a": "' + b"[" * 500 + b'"}'],
    ids=["64 levels", "wide", "brackets in a text"],
)
def test_json_that_is_not_deep_is_taken(body: bytes) -> None:
    assert read_body(answer(body)) == msgspec.json.decode(body)


def test_integers_beyond_64_bits_become_doubles() -> None:
    body = b'{"a": [18446744073709551615, -9223372036854775808, 18446744073709551616], "b": 1' + b"0" * 30 + b"}"
    value = read_body(answer(body))
    assert value == {"a": [2**64 - 1, -(2**63), 2.0**64], "b": 1e30}
    assert [type(item) for item in value["a"]] == [int, int, float]
    assert msgspec.json.decode(msgspec.json.encode(value)) == value


@pytest.mark.parametrize(
    ("expected", "status", "is_success"),
    [
        *((None, status, True) for status in (200, 201, 204, 299, 301, 304)),
        *((None, status, False) for status in (101, 400, 404, 429, 500, 503, 999)),
        *((404, 404, True), (404, 200, False), ("4xx", 418, True), ("4xx", 500, False)),
        *(([200, "4xx"], 200, True), ([200, "4xx"], 404, True), ([200, "4xx"], 201, False), ([], 200, False)),
    ],
)
def test_status_that_counts_as_success(expected: Any, status: int, is_success: bool) -> None:
    given = {} if expected is None else {"expect_status": expected}
    config = msgspec.convert({"method": "GET", "url": "https://shop.example/", **given}, HttpConfig)
    assert is_expected(config, status) is is_success


@pytest.mark.parametrize(
    ("status", "is_retryable"),
    [*((status, False) for status in (101, 200, 400, 401, 403, 404, 408, 422)), (429, True), (500, True), (503, True)],
)
def test_status_that_may_go_away(status: int, is_retryable: bool) -> None:
    failure = describe_status(answer(b"sorry", "text/plain", status), "shop.example")
    assert (failure.code, failure.cause, failure.status) == ("http_status", "status", status)
    assert failure.retryable is is_retryable
    assert str(status) in failure.message
    assert failure.details["body"] == "sorry"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "shop.example answered 200 OK"),
        ({"expect_status": 204}, "shop.example answered 200 OK; expected 204"),
        ({"expect_status": "4xx"}, "shop.example answered 200 OK; expected 4xx"),
        ({"expect_status": [201, "4xx", 500]}, "shop.example answered 200 OK; expected 201, 4xx or 500"),
        ({"expect_status": []}, "shop.example answered 200 OK; expected no status at all"),
        (
            {"expect_status": list(range(301, 400))},
            "shop.example answered 200 OK; expected 301, 302, 303, 304, 305, 306, 307, 308, 309, 310 or …",
        ),
    ],
)
def test_failure_tells_the_status_that_was_expected(given: dict[str, Any], message: str) -> None:
    config = msgspec.convert({"method": "GET", "url": "https://shop.example/", **given}, HttpConfig)
    assert not given or not is_expected(config, 200)
    assert describe_status(answer(b""), "shop.example", config.expect_status).message == message


def test_failure_keeps_the_beginning_of_the_body_only() -> None:
    failure = describe_status(answer("ü".encode() * 500_000, "text/plain", 500), "shop.example")
    assert failure.details["body"] == "ü" * 2_000
    binary = describe_status(answer(b"\xff" * 5_000, "image/png", 500), "shop.example")
    assert len(msgspec.json.encode(binary.details)) < 10_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 120 "}, 120),
        ({"retry-after": "99999999999999999999"}, 86_400),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "rubbish"}, 86_400),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 99 Oct 2026 99:99:99 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 +99999999999999999999"}, None),
    ],
)
def test_retry_after_is_read_as_number_and_as_date(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds
