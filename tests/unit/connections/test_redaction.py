"""A secret that a target gives back is taken out, however it is spelled."""

import base64
import html
import json
import time
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.infra.redaction import MARK, SHORTEST_SECRET, Redactor
from tests.product import in_time

SECRET = 'pa55/w0rd+"ü" <more>'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        json.dumps(json.dumps(SECRET, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
        # As Go, .NET, PHP and Gson write it where it may stand in HTML.
        json.dumps(SECRET, ensure_ascii=False)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e"),
        "pa55/w0rd\\u002B\\u0022\\u00FC\\u0022 \\u003Cmore\\u003E",
        "pa55\\/w0rd+\\u0022\\u00fc\\u0022 \\u003cmore\\u003e",
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        "pa55/w0rd&#43;&#34;ü&#34; &lt;more&gt;",
        "pa55&#x2F;w0rd+&quot;ü&quot; &lt;more&gt;",
        quote(quote(SECRET, safe=""), safe=""),
        quote(quote(SECRET, safe="").lower(), safe="").lower(),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
    ],
)
def test_every_spelling_is_taken_out(spelled: str) -> None:
    assert Redactor([SECRET]).clean_text(f"a {spelled} b") == f"a {MARK} b"


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_a_secret_inside_longer_base64_is_taken_out(before: bytes, after: bytes) -> None:
    secret = "b34r3r-t0ken-0f-the-sh0p"
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    cleaned = Redactor([secret]).clean_text(encoded)
    assert MARK in cleaned
    # Of what is left beside the mark, nothing but the edges tells of the secret.
    assert len(cleaned) <= len(encoded) - len(base64.b64encode(secret.encode())) + len(MARK) + 8


@given(st.text(min_size=SHORTEST_SECRET, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_json_value_keeps_a_secret(secret: str, before: str, after: str) -> None:
    text = before + secret + after
    value: Any = {"list": [text, {text: 1, "deep": [[text]]}], text: None, "plain": True}
    cleaned = Redactor([secret]).clean(value)

    def texts(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [*node, *(text for item in node.values() for text in texts(item))]
        if isinstance(node, list):
            return [text for item in node for text in texts(item)]
        return [node] if isinstance(node, str) else []

    left = [text.replace(MARK, "\0") for text in texts(cleaned)]
    assert not any(secret in text for text in left)
    assert cleaned["plain"] is True


def test_a_secret_that_comes_back_as_a_number_is_taken_out() -> None:
    cleaned = Redactor(["12345678"]).clean({"a": 12345678, "b": 912345678.5, "c": 1234567, "d": True, "e": None})
    assert cleaned == {"a": MARK, "b": MARK, "c": 1234567, "d": True, "e": None}


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be"])
def test_bytes_are_cleaned_in_the_usual_encodings(codec: str) -> None:
    raw = b"\x00\x01" + SECRET.encode(codec) + b"\xff\xff"
    assert Redactor([SECRET]).clean_bytes(raw) == b"\x00\x01" + MARK.encode(codec) + b"\xff\xff"


def test_a_secret_that_holds_another_one_is_taken_out_whole() -> None:
    redactor = Redactor(["t0ken", "user:t0ken"])
    assert redactor.clean_text("user:t0ken, t0ken") == f"{MARK}, {MARK}"


@given(st.binary(max_size=4), st.binary(max_size=4))
def test_a_secret_inside_base64_inside_an_address_is_taken_out(before: bytes, after: bytes) -> None:
    secret = "b34r3r/t0ken+of>the?sh0p"
    encoded = quote(base64.b64encode(before + secret.encode() + after).decode(), safe="")
    assert MARK in Redactor([secret]).clean_text(f"https://a.example/?next={encoded}")


def test_what_holds_no_secret_is_the_same_value() -> None:
    value = {"orders": [1, 2.5, "x"], "name": "pa55"}
    assert Redactor([SECRET]).clean(value) is value


def test_what_is_too_short_to_be_told_from_other_text_stays() -> None:
    assert Redactor(["abc", ""]).clean_text("abcdef") == "abcdef"


def test_a_body_of_a_mebibyte_without_secrets_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor([SECRET, "another-0ne"])
    monkeypatch.setattr(redactor, "_walk", lambda _value: pytest.fail("it was walked through"))
    value = {"items": ["x" * 100] * 10_000}
    assert redactor.clean(value) is value
    assert len(msgspec.json.encode(value)) > 1_000_000


def test_one_secret_among_many_does_not_keep_the_process_busy() -> None:
    secrets = [f"{number:03d}-" + "s3cr3t<&'" * 200 for number in range(80)]
    redactor = Redactor(secrets)
    value: dict[str, Any] = {f"f{number}": "nothing" for number in range(60_000)} | {"echo": secrets[7]}

    def measure() -> float:
        started = time.thread_time()
        assert redactor.clean(value) == {**value, "echo": MARK}
        return time.thread_time() - started

    # Each value held against each spelling takes many times that.
    in_time(measure, 2.0)
