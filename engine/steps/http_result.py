"""What an answer means for an `http` step: its output, or a failure."""

import base64
import codecs
import re
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from engine.infra.http_client import HttpResponse
from engine.infra.redaction import Redactor
from engine.steps.base import StepFailure
from engine.steps.http_request import HttpConfig, Status

MAX_JSON_DEPTH = 64
# A target may ask for any wait; a step that came back after years would serve nobody.
LONGEST_RETRY_AFTER_SECONDS = 86_400.0
EXCERPT_CHARACTERS = 2_000
TOO_MANY_REQUESTS = 429
FIRST_SERVER_ERROR = 500
# A message is to be read: of a longer list of expected statuses it tells the beginning.
MOST_EXPECTED_TOLD = 10

_TEXT_TYPES = re.compile(
    r"text/.*|application/(.*\+)?xml|application/(x-)?(javascript|ndjson|yaml|www-form-urlencoded)"
)
_JSON_TYPES = re.compile(r"(application|text)/(.*\+)?json")
# Codecs of Python that decode bytes to text in time and space in proportion to their size.
_CHARSETS = re.compile(
    r"utf-?(8|16|32)(-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|shift_jis\w*|euc_\w+|iso2022_\w+|big5\w*|gb\w+|hz"
)
# An integer that may not fit into 64 bits: few bodies have one, and only those are searched.
_LONG_INTEGER = re.compile(rb"\d{19}")
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1


def is_expected(config: HttpConfig, status: int) -> bool:
    """Whether a status counts as success: 2xx and 3xx, unless `expect_status` says otherwise."""
    expected = config.expect_status
    if expected is UNSET:
        return 200 <= status < 400  # noqa: PLR2004 - HTTP's own classes
    entries = expected if isinstance(expected, list) else [expected]
    return any(status == entry if isinstance(entry, int) else str(status)[0] == entry[0] for entry in entries)


def describe_status(
    response: HttpResponse,
    host: str,
    expected: Status | list[Status] | UnsetType = UNSET,
    redactor: Redactor | None = None,
) -> StepFailure:
    """The failure of an answer whose status is no success, with what was `expected` and the beginning of its body.

    The redactor takes secrets out of the body before it is cut, which could leave the half of one.
    """
    status = response.status
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    charset = _parse_content_type(response.headers.get("content-type", ""))[1]
    excerpt = _read_beginning(response, charset, redactor)
    return StepFailure(
        "http_status",
        f"{host} answered {status} {phrase}".rstrip() + _tell_expected(expected),
        cause="status",
        status=status,
        retry_after=read_retry_after(response.headers),
        retryable=status == TOO_MANY_REQUESTS or status >= FIRST_SERVER_ERROR,
        details={"body": excerpt, "content_type": response.headers.get("content-type")},
    )


def _read_beginning(response: HttpResponse, charset: str, redactor: Redactor | None) -> str:
    """The beginning of the body as text."""
    if redactor is None:
        return response.body[: EXCERPT_CHARACTERS * 4].decode(charset, "replace")[:EXCERPT_CHARACTERS]
    return redactor.clean_text(response.body.decode(charset, "replace"))[:EXCERPT_CHARACTERS]


def _tell_expected(expected: Status | list[Status] | UnsetType) -> str:
    """What `expect_status` asks for, where the step has one: without it, the status speaks for itself."""
    if expected is UNSET:
        return ""
    entries = [str(entry) for entry in (expected if isinstance(expected, list) else [expected])]
    if len(entries) > MOST_EXPECTED_TOLD:
        entries = [*entries[:MOST_EXPECTED_TOLD], "…"]
    *first, last = entries or ["no status at all"]
    return f"; expected {', '.join(first)} or {last}" if first else f"; expected {last}"


def read_retry_after(headers: dict[str, str]) -> float | None:
    """The seconds that `Retry-After` asks to wait, as a number or a date; or None."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER_SECONDS)
    due_at = _read_date(text)
    if due_at is None:
        return None
    # The target's own clock, where it tells the time, makes up for a difference to ours.
    now = _read_date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((due_at - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def read_body(response: HttpResponse, redactor: Redactor | None = None) -> Any:
    """The body as a JSON value.

    Nothing gives null; JSON its value; text a string; anything else `{"base64": "…"}`, which the `body` of another
    `http` step takes as it is. Where the target names no type, UTF-8 counts as text. Integers that do not fit into 64
    bits become doubles. Raises StepFailure for what is declared as JSON and is none. The redactor takes secrets out of
    what is no text afterwards.
    """
    if not response.body:
        return None
    content_type, charset, kind = _parse_content_type(response.headers.get("content-type", ""))
    if kind == "json":
        return _read_json(response, charset, redactor)
    if kind == "text":
        return response.body.decode(charset, "replace")
    if not content_type:
        try:
            return response.body.decode()
        except UnicodeDecodeError:
            pass
    raw = response.body if redactor is None else redactor.clean_bytes(response.body)
    return {"base64": base64.b64encode(raw).decode()}


@lru_cache(maxsize=256)
def _parse_content_type(header: str) -> tuple[str, str, str]:
    """The media type in lower case, the name of a codec for its text, and whether it is `json`, `text` or neither."""
    message = Message()
    message["Content-Type"] = header
    try:
        charset = codecs.lookup(str(message.get_param("charset", "utf-8"))).name
    except (LookupError, ValueError):
        charset = "utf-8"
    if _CHARSETS.fullmatch(charset) is None:
        charset = "utf-8"
    media_type = header.partition(";")[0].strip().lower()
    kind = "json" if _JSON_TYPES.fullmatch(media_type) else "text" if _TEXT_TYPES.fullmatch(media_type) else ""
    return media_type, charset, kind


def _read_json(response: HttpResponse, charset: str, redactor: Redactor | None) -> Any:
    body = response.body
    try:
        if charset != "utf-8":
            body = body.decode(charset).encode()
        value = msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    except RecursionError:
        raise _invalid_json(response, "it is nested too deeply", redactor) from None
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise _invalid_json(response, str(error), redactor) from None
    if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH and _is_too_deep(value):
        raise _invalid_json(response, f"it is nested more than {MAX_JSON_DEPTH} levels deep", redactor)
    if not _LONG_INTEGER.search(body):
        return value
    try:
        return _shrink_integers(value)
    except OverflowError:
        raise _invalid_json(response, "it has a number that no double holds", redactor) from None


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _shrink_integers(value: Any) -> Any:
    """The value with integers beyond 64 bits as doubles: nothing after this could write them."""
    if isinstance(value, dict):
        return {name: _shrink_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shrink_integers(item) for item in value]
    if type(value) is int and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        return float(value)
    return value


def _invalid_json(response: HttpResponse, reason: str, redactor: Redactor | None) -> StepFailure:
    return StepFailure(
        "invalid_json_response",
        f"{urlsplit(response.url).hostname} declares its body as JSON, but it cannot be read: {reason}",
        status=response.status,
        details={"body": _read_beginning(response, "utf-8", redactor)},
    )
