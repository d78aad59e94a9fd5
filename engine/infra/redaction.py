"""Taking secrets out of what a target gives back, in whatever spelling it gives them back.

A target that echoes a request, or tells of it in an error, must not bring a secret into outputs, errors or logs.
"""

import base64
import html
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

import msgspec

MARK: Final = "[redacted]"
# Anything shorter stands in every other text by chance.
SHORTEST_SECRET: Final = 4
# Of base64 within longer base64, the characters that the secret alone decides.
SHORTEST_BASE64: Final = 6
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
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MARK)
        return text

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
        return self._walk(value) if any(spelling in written for spelling in self._written) else value

    def _walk(self, value: Any) -> Any:
        match value:
            case str():
                return self.clean_text(value)
            case dict():
                return {self.clean_text(name): self._walk(item) for name, item in value.items()}
            case list():
                return [self._walk(item) for item in value]
            case bool() | None:
                return value
            case int() | float():
                text = msgspec.json.encode(value).decode()
                return MARK if self.clean_text(text) != text else value
            case _:
                return value

    @cached_property
    def _encoded(self) -> list[tuple[bytes, bytes]]:
        codecs = ("utf-8", "utf-16-le", "utf-16-be")
        return [(spelling.encode(codec), MARK.encode(codec)) for spelling in self._spellings for codec in codecs]

    @cached_property
    def _written(self) -> list[bytes]:
        return [msgspec.json.encode(spelling)[1:-1] for spelling in self._spellings]


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
    yield html.escape(secret)
    yield html.escape(secret).replace("&#x27;", "&#39;")
    for written in {msgspec.json.encode(secret).decode()[1:-1], _ascii_json(secret)}:
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


def _ascii_json(secret: str) -> str:
    return "".join(
        msgspec.json.encode(character).decode()[1:-1] if character.isascii() else _escape_units(character)
        for character in secret
    )


def _escape_units(character: str) -> str:
    raw = character.encode("utf-16-be")
    return "".join(f"\\u{raw[index : index + 2].hex()}" for index in range(0, len(raw), 2))


def _lower_escapes(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)
