"""What may stand in the headers of an outgoing request, and how those of an answer are read."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from multidict import CIMultiDict, CIMultiDictProxy

from engine.infra.http_errors import InvalidHeaderError

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

# They frame the message or steer the connection, which other runs use as well, or name another target than the URL.
RESERVED = frozenset(
    {
        *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")


def check_headers(headers: Headers) -> CIMultiDict[str]:
    """The headers, ready to be sent; raises InvalidHeaderError for one that would break the message."""
    checked: CIMultiDict[str] = CIMultiDict()
    # A list first, for asking an abstract class costs more than all the rest.
    pairs = headers if type(headers) is list else headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        fault = _fault_of_name(name)
        if fault is not None:
            raise InvalidHeaderError(fault)
        # The first test decides nearly always, and costs a fraction of the second.
        if not (value.isascii() and value.isprintable()) and _VALUE.fullmatch(value) is None:
            raise InvalidHeaderError(f"The header {name} holds a line break or another control character")
        # The library keeps several values of a header only where the name is spelled alike.
        spelling = next(known for known in checked if known.lower() == name.lower()) if name in checked else name
        checked.add(spelling, value)
    return checked


@lru_cache(maxsize=1024)
def _fault_of_name(name: str) -> str | None:
    if _NAME.fullmatch(name) is None:
        return f"{name!r} is no name of a header"
    if name.lower() in RESERVED:
        return f"The header {name} is set by the client itself"
    return None


def read_headers(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """The headers of an answer by lower-case name; those that come several times are joined by a comma."""
    read: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        text = value if value.isascii() else readable(value)
        read[key] = f"{read[key]}, {text}" if key in read else text
    return read


def readable(value: str) -> str:
    """A header value whose bytes are no UTF-8 read as Latin-1: the lone surrogates in it fit into no JSON."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value
