"""Taking secrets out of what a target gives back, in whatever spelling it gives them back.

A target that echoes a request, or tells of it in an error, must not bring a secret into outputs, errors or logs.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

import msgspec

MARK: Final = "[redacted]"
# Anything shorter stands in every other text by chance.
SHORTEST_SECRET: Final = 4
# Of base64 within longer base64, the characters that the secret alone decides.
SHORTEST_BASE64: Final = 6
# What makers of HTML write in other words: of text alone, of attributes too, and each by a habit of its own.
_TEXT_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HTML_HABITS: Final[tuple[dict[str, str], ...]] = (
    {},
    *({'"': "&quot;", "'": apostrophe} for apostrophe in ("&#x27;", "&#39;", "&#039;", "&apos;", "'")),
    {'"': "&#34;", "'": "&#39;"},
    {'"': "&#34;", "'": "&#39;", "+": "&#43;"},
    {'"': "&quot;", "'": "&#39;", "/": "&#x2F;", "`": "&#x60;", "=": "&#x3D;"},
)
# What makers of JSON escape beyond what they must, so that it can stand in HTML.
_JSON_HABITS: Final = ("<>&", "<>&'", "<>&'=", "<>&'+`")
# What encoders leave as it is: RFC 3986, paths, encodeURIComponent, encodeURI, form encoders.
_SAFE_CHARACTERS: Final = ("", "/", "!'()*~", "!'()*~;/?:@&=+$,#", "*")


class Redactor:
    """Replaces secrets in texts, bytes and JSON values by a mark."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets if len(secret) >= SHORTEST_SECRET for spelling in _spell(secret)}
        # The longest first: what holds another one is replaced whole.
        self._spellings = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))

    def clean_text(self, text: str) -> str:
        """The text without secrets."""
        return _take_out(text, self._spellings)

    def clean_bytes(self, raw: bytes) -> bytes:
        """The bytes without secrets, in UTF-8 and UTF-16."""
        for spelling, mark in self._encoded:
            if spelling in raw:
                raw = raw.replace(spelling, mark)
        return raw

    def clean(self, value: Any) -> Any:
        """The JSON value without secrets: in texts, in names, and as numbers."""
        # Mostly there are none: a look through the whole as JSON costs a fraction of a walk.
        written = msgspec.json.encode(value)
        # What is nowhere in the whole is in none of its parts: there are a hundred spellings of a secret.
        found = [spelling for spelling, text in zip(self._spellings, self._written, strict=True) if text in written]
        return self._walk(value, found) if found else value

    def _walk(self, value: Any, spellings: Sequence[str]) -> Any:
        match value:
            case str():
                return _take_out(value, spellings)
            case dict():
                return {_take_out(name, spellings): self._walk(item, spellings) for name, item in value.items()}
            case list():
                return [self._walk(item, spellings) for item in value]
            case bool() | None:
                return value
            case int() | float():
                text = msgspec.json.encode(value).decode()
                return MARK if _take_out(text, spellings) != text else value
            case _:
                return value

    @cached_property
    def _encoded(self) -> list[tuple[bytes, bytes]]:
        codecs = ("utf-8", "utf-16-le", "utf-16-be")
        return [(spelling.encode(codec), MARK.encode(codec)) for spelling in self._spellings for codec in codecs]

    @cached_property
    def _written(self) -> list[bytes]:
        return [msgspec.json.encode(spelling)[1:-1] for spelling in self._spellings]


def _take_out(text: str, spellings: Sequence[str]) -> str:
    for spelling in spellings:
        if spelling in text:
            text = text.replace(spelling, MARK)
    return text


def _spell(secret: str) -> Iterator[str]:
    """The ways in which a secret may come back."""
    for text in {secret, secret.lower(), secret.upper()}:
        yield text
    for safe in _SAFE_CHARACTERS:
        quoted = quote(secret, safe=safe)
        for text in {quoted, quoted.replace("%20", "+")}:
            yield text
            # The digits behind a percent sign are written in either case.
            yield _lower_escapes(text)
    # An address within an address.
    yield quote(quote(secret, safe=""), safe="")
    yield _lower_escapes(quote(_lower_escapes(quote(secret, safe="")), safe=""))
    for habit in _HTML_HABITS:
        yield "".join(habit.get(one) or _TEXT_ENTITIES.get(one, one) for one in secret)
    for written in _write_json(secret):
        yield written
        yield written.replace("/", "\\/")
        # JSON within JSON.
        yield msgspec.json.encode(written).decode()[1:-1]
    raw = secret.encode()
    yield raw.hex()
    yield raw.hex().upper()
    for whole in {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}:
        yield whole
        yield quote(whole, safe="")
        yield whole.replace("+", "&#43;")
        yield whole.replace("+", "\\u002B")
    yield from _inside_base64(raw)


def _inside_base64(raw: bytes) -> Iterator[str]:
    """The base64 of a secret within something longer: three texts, after where it begins."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        # The first and the last characters hold bits of what stands beside it.
        begin = (offset * 8 + 5) // 6
        end = (offset + len(raw)) * 8 // 6
        text = encoded[begin:end].decode()
        if len(text) >= SHORTEST_BASE64:
            yield text
            yield text.replace("+", "-").replace("/", "_")
            yield quote(text, safe="")


def _write_json(secret: str) -> Iterator[str]:
    """The secret within a text of JSON, as the different makers of JSON write it."""
    usual = msgspec.json.encode(secret).decode()[1:-1]
    for escape in ("\\u{:04x}", "\\u{:04X}"):
        for written in (usual, _ascii_json(secret, escape)):
            yield written
            for habit in _JSON_HABITS:
                table = str.maketrans({character: escape.format(ord(character)) for character in habit})
                yield written.translate(table)
                yield written.replace('\\"', escape.format(ord('"'))).translate(table)


def _ascii_json(secret: str, escape: str) -> str:
    return "".join(
        msgspec.json.encode(character).decode()[1:-1] if character.isascii() else _escape_units(character, escape)
        for character in secret
    )


def _escape_units(character: str, escape: str) -> str:
    raw = character.encode("utf-16-be")
    return "".join(escape.format(int.from_bytes(raw[index : index + 2])) for index in range(0, len(raw), 2))


def _lower_escapes(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)
