import json
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from app.bodies import MAX_DEPTH, check_depth, check_media_type, decode_body
from app.errors import InvalidRequest, MalformedBody, UnsupportedMediaType


class Inner(Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1)]


class Outer(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2)]
    inner: list[Inner]
    raw: Raw | UnsetType = UNSET
    note: str | UnsetType | None = UNSET


def _faults(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        decode_body(json.dumps(body).encode(), Outer)
    return [(problem.pointer, problem.code) for problem in caught.value.errors]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("/inner", "required"), ("/name", "required")]),
        ({"name": "x", "inner": []}, [("/name", "length")]),
        ({"name": 5, "inner": 5}, [("/name", "type"), ("/inner", "type")]),
        ({"name": "xy", "inner": [{"count": 1}, {"count": 0}]}, [("/inner/1/count", "range")]),
        ({"name": "xy", "inner": [{}]}, [("/inner/0", "required")]),
        ({"name": "xy", "inner": [{"count": 1, "a/b~c": 1}]}, [("/inner/0", "unknown_field")]),
        ({"name": "xy", "inner": [], "a/b~c": 1}, [("/a~1b~0c", "unknown_field")]),
        ({"name": "xy", "inner": [], "note": 7}, [("/note", "type")]),
        ([], [("", "type")]),
        (None, [("", "type")]),
    ],
    ids=str,
)
def test_one_fault_a_field_is_listed_with_its_pointer(body: Any, faults: list[tuple[str, str]]) -> None:
    assert _faults(body) == faults


def test_numbers_in_strings_are_no_numbers() -> None:
    assert _faults({"name": "xy", "inner": [{"count": "1"}]}) == [("/inner/0/count", "type")]


def test_what_is_left_out_is_unset_and_null_is_null() -> None:
    assert decode_body(b'{"name":"xy","inner":[]}', Outer).note is UNSET
    assert decode_body(b'{"name":"xy","inner":[],"note":null}', Outer).note is None


def test_raw_parts_keep_their_bytes() -> None:
    body = decode_body(b'{"name":"xy","inner":[],"raw":{ "b":1, "a" : "\\u0000" }}', Outer)
    assert bytes(body.raw) == b'{ "b":1, "a" : "\\u0000" }'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


@given(value=JSON, wrapping=st.integers(0, 2 * MAX_DEPTH))
def test_depth_is_measured_as_a_decoder_sees_it(value: Any, wrapping: int) -> None:
    for i in range(wrapping):
        value = [value] if i % 2 else {"k": value}
    raw = json.dumps(value).encode()
    if _depth(value) > MAX_DEPTH:
        with pytest.raises(MalformedBody):
            check_depth(raw)
    else:
        check_depth(raw)


@given(raw=st.binary(max_size=200) | st.text(alphabet='{}[]",:\\01u', max_size=300).map(str.encode))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    try:
        decode_body(raw, Outer)
    except (InvalidRequest, MalformedBody):
        return


@pytest.mark.parametrize(
    "raw",
    [
        *(b"[" * 1_000_000, b'{"a":' * 200_000, b'["' * 500_000, b"[]" * 500_000),
        b"[" * 100 + b'"' + b'\\"' * 500_000,
    ],
    ids=["lists", "objects", "texts", "pairs", "a text without an end"],
)
def test_brackets_by_the_million_are_refused_in_no_time(raw: bytes) -> None:
    with pytest.raises((InvalidRequest, MalformedBody)):
        decode_body(raw, Outer)


@pytest.mark.parametrize(
    "raw", [b'"%s"' % (b":" * 20_000), b"7" + b" " * 9 + b":" * 20_000, b"[%s]" % b",".join([b'{"a":1}'] * 20_000)]
)
def test_colons_by_the_thousand_are_no_keys(raw: bytes) -> None:
    with pytest.raises((InvalidRequest, MalformedBody)) as caught:
        decode_body(raw, Outer)
    assert "keys" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["application/json", "Application/JSON;charset=utf-8", "application/merge-patch+json"]
)
def test_json_is_taken(value: str) -> None:
    check_media_type({"content-type": value})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/json"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_anything_else_is_not(headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_media_type(headers)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (r'{"name": "\ud800"}', r"\ud800 at byte 10"),
        (r'{"name": "a\ud83dz\udE00"}', r"\ud83d at byte 11"),
        (r'{"name": "\uDC00\ud800"}', r"\uDC00 at byte 10"),
        (r'{"name": "\ud83d\ude00 \\ud83d \ud83d\n"}', r"\ud83d at byte 31"),
        (r'{"name": "\ud83d\ud83d\ude00"}', r"\ud83d at byte 10"),
    ],
)
def test_half_of_a_character_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        decode_body(text.encode(), Outer)
    assert f"{told} is half of a character (a lone surrogate)" in caught.value.detail


@pytest.mark.parametrize("text", [r'{"name": "\ud83d\ude00"', r'{"name": "\\ud800}', '{"name": "\\u12"}', "{"])
def test_other_faults_are_told_as_they_are(text: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        decode_body(text.encode(), Outer)
    assert "half of a character" not in caught.value.detail


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Choosing(Struct):
    kind: Literal["a", "b"] | None = None
    colours: Annotated[list[Colour], Meta(max_length=3)] | UnsetType = UNSET
    by_name: dict[str, Colour] = {}
    inner: "Choosing | None" = None


@pytest.mark.parametrize(
    ("body", "pointer", "choices"),
    [
        ({"kind": "c"}, "/kind", "a, b"),
        ({"colours": ["red", "green"]}, "/colours/1", "red, blue"),
        ({"by_name": {"x": "green"}}, "/by_name", "red, blue"),
        ({"inner": {"inner": {"kind": "c"}}}, "/inner/inner/kind", "a, b"),
    ],
)
def test_a_value_that_is_none_of_a_few_is_told_with_those_that_are(
    body: dict[str, Any], pointer: str, choices: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_body(json.dumps(body).encode(), Choosing)
    (problem,) = caught.value.errors
    assert (problem.pointer, problem.code) == (pointer, "choice")
    assert problem.message.endswith(f"; there are {choices}")
