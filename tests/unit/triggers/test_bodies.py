"""What bodies of every kind become."""

import base64
import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from engine.triggers.bodies import MOST_FIELDS, MOST_LEVELS, MOST_STREAMS, Body, TooLongUnpacked, read_body, unpack

BOUNDARY = "----b0undary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers])
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        pytest.param("application/json; charset=utf-8", b' {"a": 1} ', {"a": 1}, id="json"),
        pytest.param("", b'"text"', "text", id="json without a type"),
        pytest.param("text/plain; charset=ISO-8859-1", b"Gr\xfc\xdfe", "Grüße", id="text of another charset"),
        pytest.param('text/plain; charset="utf-8"', "Grüße".encode(), "Grüße", id="a charset in quotes"),
        pytest.param("text/plain; charset=rot13", b"abc", "abc", id="a charset that is none"),
        pytest.param("text/plain; charset=idna", b"xn--a", "xn--a", id="a codec that is no charset"),
        pytest.param("application/x-www-form-urlencoded; charset=latin1", b"a=%FC", {"a": "ü"}, id="form"),
        pytest.param("application/xml", b"<a/>", "<a/>", id="xml"),
        pytest.param(
            "application/json; charset=iso-8859-1", b'{"n": "\xfc"}', {"n": "ü"}, id="json of another charset"
        ),
        pytest.param("application/json;charset=utf-16", '{"n": "ü"}'.encode("utf-16"), {"n": "ü"}, id="json in UTF-16"),
        pytest.param("application/json", b'\xef\xbb\xbf{"n": 1}', {"n": 1}, id="json behind a mark"),
    ],
)
def test_a_body_becomes_what_its_type_says(content_type: str, body: bytes, expected: Any) -> None:
    assert read_body(content_type, body).value == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("application/json; charset=latin1", b'{"n": \xfc', id="of another charset"),
        pytest.param("application/json", b"\xef\xbb\xbf{1}", id="behind a mark"),
        pytest.param("application/json; charset=utf-16", '{"n": 1'.encode("utf-16"), id="in UTF-16"),
        pytest.param("application/json; charset=utf-16", b'{"n": 1}\xff', id="not what it says"),
    ],
)
def test_what_is_no_json_in_its_charset_is_text(content_type: str, body: bytes) -> None:
    assert isinstance(read_body(content_type, body).value, str)


def test_json_that_is_recoded_is_as_deep_as_other_json() -> None:
    def value_of(levels: int) -> Any:
        return read_body("application/json; charset=utf-16", ("[" * levels + "]" * levels).encode("utf-16")).value

    assert isinstance(value_of(MOST_LEVELS), list)
    for levels in (MOST_LEVELS + 1, 100_000):
        assert isinstance(value_of(levels), str)


def test_only_json_is_kept_as_its_bytes() -> None:
    assert read_body("application/json", b"[1]") == Body([1], is_json=True)
    recoded = ("application/json; charset=utf-16", "[1]".encode("utf-16"))
    for content_type, body in (("text/plain", b'"half'), ("", b""), (TYPE, multipart()), ("a/b", b"\xff"), recoded):
        assert not read_body(content_type, body).is_json


def test_fields_and_files_of_a_multipart_form_become_an_object() -> None:
    body = multipart(
        part('name="title"', "Größe".encode()),
        part('name="tag"', b"a"),
        part('name="tag"', b"b"),
        part('name="empty"', b""),
        part('name="note"; filename="note.txt"', "Größe".encode(), "Content-Type: text/plain"),
        part('name="picture"; filename="p.png"', b"\x89PNG\xff\x00", "Content-Type: image/png"),
    )
    assert read_body(TYPE.replace("multipart", "Multipart"), body).value == {
        "title": "Größe",
        "tag": ["a", "b"],
        "empty": "",
        "note": {
            "filename": "note.txt",
            "content_type": "text/plain",
            "size": 7,
            "encoding": "text",
            "content": "Größe",
        },
        "picture": {
            "filename": "p.png",
            "content_type": "image/png",
            "size": 6,
            "encoding": "base64",
            "content": base64.b64encode(b"\x89PNG\xff\x00").decode(),
        },
    }


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(TYPE, b"no parts", id="no parts"),
        pytest.param(TYPE, multipart(part('name="a"', b"1"))[:-10], id="cut off"),
        pytest.param("multipart/form-data", multipart(part('name="a"', b"1")), id="no boundary"),
        pytest.param('multipart/form-data; boundary=""', multipart(), id="an empty boundary"),
        pytest.param(TYPE, multipart(*[part('name="a"', b"")] * (MOST_FIELDS + 1)), id="too many parts"),
        pytest.param("application/x-www-form-urlencoded", b"a=1&" * (MOST_FIELDS + 1), id="too many fields"),
    ],
)
def test_a_form_that_is_none_is_kept_as_text(content_type: str, body: bytes) -> None:
    assert read_body(content_type, body).value == body.decode()


@pytest.mark.parametrize("size", range(0, 400, 7))
def test_no_prefix_of_a_multipart_form_is_an_error(size: int) -> None:
    body = multipart(part('name="a"', b"1"), part('name="f"; filename="x"', b"\xff", "Content-Type: a/b"))
    assert isinstance(read_body(TYPE, body[:size]).value, str | dict | None)


JSON = b'{"n": 1}'


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("gzip", gzip.compress(JSON), id="gzip"),
        pytest.param(" X-GZIP", gzip.compress(JSON), id="gzip by another name"),
        pytest.param("deflate", zlib.compress(JSON), id="deflate"),
        pytest.param("gzip", gzip.compress(JSON[:3]) + gzip.compress(JSON[3:]), id="in two parts"),
        pytest.param("gzip", JSON, id="not packed, though it says so"),
        pytest.param("br", JSON, id="an encoding that is not known"),
        pytest.param("", JSON, id="none"),
    ],
)
def test_a_packed_body_is_unpacked(encoding: str, packed: bytes) -> None:
    assert unpack(encoding, packed, 100) == JSON


@pytest.mark.parametrize("spoilt", [gzip.compress(JSON)[:-9], gzip.compress(JSON) + b"x", b"\x1f\x8b"])
def test_a_body_that_is_packed_wrongly_stays_as_it_is(spoilt: bytes) -> None:
    assert unpack("gzip", spoilt, 100) == spoilt


def test_of_a_great_many_streams_none_is_unpacked() -> None:
    empty = gzip.compress(b"")
    assert unpack("gzip", empty * (MOST_STREAMS - 1) + gzip.compress(JSON), 100) == JSON
    # Each of them costs a copy of those behind it: a mebibyte of them would keep the process busy for seconds.
    many = empty * MOST_STREAMS + gzip.compress(JSON)
    assert unpack("gzip", many, 100) == many


def test_no_more_is_unpacked_than_a_body_may_have() -> None:
    assert len(unpack("gzip", gzip.compress(bytes(1000)), 1000)) == 1000
    for bomb in (gzip.compress(bytes(1001)), gzip.compress(bytes(50_000_000)), gzip.compress(bytes(600)) * 2):
        tracemalloc.start()
        with pytest.raises(TooLongUnpacked):
            unpack("gzip", bomb, 1000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000
