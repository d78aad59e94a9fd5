"""What the body of a request becomes: JSON as its value, forms as objects, anything else as text."""

import base64
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
from multipart import (  # type: ignore[import-untyped]  # it says nothing of its types
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MOST_FIELDS = 10_000
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
# So many packed streams may follow each other: each costs a copy of all that is left.
MOST_STREAMS = 100
# As deep as JSON may be everywhere. What is recoded here was not looked at before.
MOST_LEVELS = 64
_MARK = "\ufeff"
# Those that text comes in, and that are read in one pass.
CHARSETS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "iso-8859-2", "iso-8859-15", "koi8-r", "utf-16"}
    | {
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "shift_jis",
        "euc-jp",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "euc-kr",
    }
)
_JSON_TYPE = re.compile(r"|application/(?:[\w.+-]+\+)?json")
_PARAMETER = re.compile(r';\s*([\w-]{1,40})\s*=\s*(?:"([^"]{0,200})"|([^\s;"]{1,200}))')


class Body(NamedTuple):
    """The value of a body; `is_json`: its bytes are the JSON of that value."""

    value: Any
    is_json: bool = False


class TooLongUnpacked(Exception):
    """What was packed is longer than a body may be."""


def unpack(encoding: str, body: bytes, most: int) -> bytes:
    """The body as it was before its Content-Encoding; as it is where that is neither gzip nor deflate, or not true.

    More than `MOST_STREAMS` streams are taken for none.

    Raises TooLongUnpacked where it is longer than `most` bytes, without making more of them.
    """
    if encoding.strip().lower() not in PACKED:
        return body
    unpacked, rest = b"", body
    try:
        for _ in range(MOST_STREAMS):
            # Of either kind, as its first bytes say; several may follow each other.
            stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
            unpacked += stream.decompress(rest, most + 1 - len(unpacked))
            if len(unpacked) > most:
                raise TooLongUnpacked
            if not stream.eof:
                return body
            rest = stream.unused_data
            if not rest:
                return unpacked
    except zlib.error:
        return body
    return body


def may_be_json(content_type: str) -> bool:
    """Whether a body of this type is read as JSON, where it is that."""
    return _read_type(content_type)[0] not in (FORM, MULTIPART)


def says_json(content_type: str) -> bool:
    """Whether the sender says that it is JSON, or nothing at all."""
    return bool(_JSON_TYPE.fullmatch(_read_type(content_type)[0]))


def read_body(content_type: str, body: bytes, *, is_text: bool = False) -> Body:
    """JSON as its value, a form as an object, anything else as text; null where there is none.

    `is_text`: it shall not be read as JSON.
    """
    if not body:
        return Body(None)
    kind, parameters = _read_type(content_type)
    charset = _charset(parameters)
    text = partial(body.decode, charset, errors="replace")
    try:
        if kind == FORM:
            return Body(_read_form(text(), charset))
        if kind == MULTIPART:
            return Body(_read_multipart(parameters.get("boundary", ""), body))
        return Body(text()) if is_text else Body(msgspec.json.decode(body), is_json=True)
    except (msgspec.DecodeError, MultipartError, ValueError):
        # Not what it says that it is, or with too many fields.
        recoded = None if is_text or kind in (FORM, MULTIPART) else _read_recoded(body, charset)
        return recoded or Body(text())


def _read_recoded(body: bytes, charset: str) -> Body | None:
    """JSON in a charset of its own, or behind a byte order mark, as some senders write it; None where it is none."""
    try:
        value = msgspec.json.decode(body.decode(charset).removeprefix(_MARK))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if _is_deep(value) else Body(value)


def _is_deep(value: Any) -> bool:
    """Whether arrays and objects are nested over `MOST_LEVELS` deep."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for one in level for inner in _list_inner(one)]
    return any(isinstance(one, dict | list) for one in level)


def _list_inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


@lru_cache(maxsize=256)
def _read_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """The media type in lower case, and its parameters by names in lower case."""
    kind, _, _ = content_type.partition(";")
    return kind.strip().lower(), {
        name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(content_type)
    }


def _charset(parameters: Mapping[str, str]) -> str:
    charset = parameters.get("charset", "utf-8").lower()
    return charset if charset in CHARSETS else "utf-8"


def _read_form(text: str, charset: str) -> dict[str, Any]:
    fields = parse_qs(text, keep_blank_values=True, encoding=charset, max_num_fields=MOST_FIELDS)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _read_multipart(boundary: str, body: bytes) -> dict[str, Any]:
    """Fields as texts, files as objects; a repeated name as a list. Raises MultipartError, ValueError."""
    fields: dict[str, list[Any]] = {}
    with PushMultipartParser(boundary, content_length=len(body), max_segment_count=MOST_FIELDS) as parser:
        # The body is at hand as a whole: one call takes it in, and the empty one tells that nothing follows.
        for name, value in _read_parts([*parser.parse(body), *parser.parse(b"")]):
            fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _read_parts(parts: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    segment: MultipartSegment | None = None
    content = bytearray()
    for part in parts:
        if isinstance(part, MultipartSegment):
            segment, content = part, bytearray()
        elif part:
            content += part
        elif segment is not None:
            yield segment.name, _describe_part(segment, bytes(content))
            segment = None


def _describe_part(segment: MultipartSegment, content: bytes) -> Any:
    if segment.filename is None:
        return content.decode(_charset({"charset": segment.charset or "utf-8"}), errors="replace")
    described = {"filename": segment.filename, "content_type": segment.content_type, "size": len(content)}
    try:
        return {**described, "encoding": "text", "content": content.decode()}
    except UnicodeDecodeError:
        return {**described, "encoding": "base64", "content": base64.b64encode(content).decode()}
