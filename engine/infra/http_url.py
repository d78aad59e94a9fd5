"""Which URLs the client calls."""

import re
from functools import lru_cache

from yarl import URL

from engine.infra.http_errors import InvalidUrlError

SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@lru_cache(maxsize=1024)
def parse_url(text: str) -> URL:
    """The URL, normalised as it will be called; raises InvalidUrlError with the reason."""
    # The parser would drop line breaks silently.
    if _CONTROL.search(text):
        raise InvalidUrlError("The URL holds a line break or another control character")
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidUrlError(f"The URL cannot be called: {error}") from None
    if url.scheme not in SCHEMES:
        raise InvalidUrlError("The URL must start with http:// or https://")
    if url.raw_user is not None or url.raw_password is not None:
        raise InvalidUrlError("The URL holds a user name or password: credentials belong into a connection or header")
    if not url.raw_host or _HOST.fullmatch(url.raw_host) is None:
        raise InvalidUrlError("The URL names no host that can be called")
    return url
