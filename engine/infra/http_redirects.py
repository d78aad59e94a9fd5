"""How a redirect is followed: where to, with which method, and with how little of the first request."""

from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from engine.infra.http_errors import InvalidRedirectError, InvalidUrlError
from engine.infra.http_headers import readable
from engine.infra.http_url import parse_url

MOVED = frozenset({301, 302})
SEE_OTHER = 303
KEEP_METHOD = frozenset({307, 308})
REDIRECT_STATUSES = MOVED | {SEE_OTHER} | KEEP_METHOD
# What another origin gets to see. Everything else may be a credential, by whatever name it goes.
HARMLESS_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "content-encoding", "content-language", "content-type"),
        *("idempotency-key", "traceparent", "user-agent", "x-flowforge-attempt"),
    }
)


class Hop(Struct, frozen=True):
    """One request of a chain of redirects."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None

    def follow(self, status: int, location: str) -> "Hop":
        """The next request, as browsers make it; raises InvalidRedirectError."""
        url = self._join(location)
        method, body = self.method, self.body
        headers = self.headers
        if url.origin() != self.url.origin():
            headers = CIMultiDict((name, value) for name, value in headers.items() if name.lower() in HARMLESS_HEADERS)
        if (status == SEE_OTHER and method != "HEAD") or (status in MOVED and method == "POST"):
            method, body = "GET", None
            headers = CIMultiDict(
                (name, value) for name, value in headers.items() if not name.lower().startswith("content-")
            )
        return Hop(method, url, headers, body)

    def _join(self, location: str) -> URL:
        origin = self.url.host
        try:
            url = parse_url(str(self.url.join(URL(readable(location)))))
        except (ValueError, InvalidUrlError):
            raise InvalidRedirectError(f"{origin} redirects to an address that cannot be called") from None
        if self.url.scheme == "https" and url.scheme == "http":
            raise InvalidRedirectError(f"{origin} redirects from https to http, which is not followed")
        return url
