"""The one client for everything that FlowForge calls: steps, discovery, notifications."""

import ssl
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from msgspec import Struct
from multidict import CIMultiDictProxy

from engine.infra.deadlines import Deadlines
from engine.infra.egress import EgressPolicy
from engine.infra.http_connector import GuardedConnector, Lookup, SystemLookup
from engine.infra.http_errors import (
    ConnectionFailedError,
    InvalidUrlError,
    RequestTimeoutError,
    ResponseTooLargeError,
    TooManyRedirectsError,
    translate,
)
from engine.infra.http_exchange import Exchanges
from engine.infra.http_headers import Headers, check_headers, read_headers
from engine.infra.http_redirects import REDIRECT_STATUSES, Hop
from engine.infra.http_url import parse_url
from engine.infra.settings import Settings

try:
    USER_AGENT = f"FlowForge/{version('flowforge')}"
except PackageNotFoundError:
    # It runs from its sources.
    USER_AGENT = "FlowForge/dev"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpResponse(Struct, frozen=True):
    """A complete answer; header names are lower case, the body is decompressed."""

    status: int
    headers: dict[str, str]
    body: bytes
    elapsed_ms: int
    url: str


class HttpClient:
    """Sends requests to allowed targets only: what goes wrong is an HttpError for the caller.

    Each is sent exactly once, but for one that carries an `Idempotency-Key` and whose kept connection turns out closed
    before anything of an answer came: that is sent once more, on a new connection.

    To be made inside the event loop, and closed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limit_per_host: int | None = None,
        lookup: Lookup | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`limit_per_host`: in place of the setting, 0 is no limit; `lookup`, `tls`: in place of the system's own."""
        limit_per_host = settings.http_limit_per_host if limit_per_host is None else limit_per_host
        policy = EgressPolicy.parse(settings.http_allow_private)
        self._max_body = settings.http_max_body
        self._system_lookup = SystemLookup()
        self._deadlines = Deadlines()
        self._connector = GuardedConnector(
            policy, lookup or self._system_lookup, limit_per_host=limit_per_host, tls=tls
        )
        self._exchanges = Exchanges(self._connector, USER_AGENT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.close()
        self._system_lookup.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        timeout: float,
        max_redirects: int = 0,
        max_body: int | None = None,
    ) -> HttpResponse:
        """Send one request and read the whole answer, within `timeout` seconds for everything; raises HttpError.

        Without redirects a 3xx is the answer. `max_body` (bytes, decompressed) is by default the setting.
        """
        if self._connector.closed:
            raise ConnectionFailedError("The client is closed: the process is stopping")
        if method not in METHODS:
            raise InvalidUrlError(f"{method!r} is none of {', '.join(sorted(METHODS))}")
        hop = Hop(method, parse_url(url), check_headers(headers), body)
        limit = self._max_body if max_body is None else max_body
        started = perf_counter()
        try:
            with self._deadlines.within(timeout):
                for _ in range(max_redirects):
                    answer = await self._exchange(hop, limit, is_redirect_followed=True)
                    if not isinstance(answer, Hop):
                        break
                    hop = answer
                else:
                    answer = await self._exchange(hop, limit, is_redirect_followed=max_redirects > 0)
        except TimeoutError:
            raise RequestTimeoutError(f"{hop.url.host} gave no complete answer within {timeout:g} s") from None
        if isinstance(answer, Hop):
            raise TooManyRedirectsError(f"More than {max_redirects} redirects, the last one to {answer.url.host}")
        status, answered, content = answer
        elapsed_ms = round((perf_counter() - started) * 1000)
        return HttpResponse(status, read_headers(answered), content, elapsed_ms, str(hop.url))

    async def _exchange(
        self, hop: Hop, limit: int, *, is_redirect_followed: bool
    ) -> tuple[int, CIMultiDictProxy[str], bytes] | Hop:
        """One request on the wire: status, headers and body, or the next hop where it is a redirect to follow."""
        host = hop.url.host or ""
        try:
            answer = await self._exchanges.send(hop.method, hop.url, hop.headers, hop.body)
            try:
                if is_redirect_followed and answer.status in REDIRECT_STATUSES:
                    location = answer.headers.get("Location")
                    if location is not None:
                        answer.release()
                        return hop.follow(answer.status, location)
                body = await _read_body(answer.content, limit, host)
            except BaseException:
                answer.close()
                raise
            answer.release()
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise translate(error, host) from error
        return answer.status, answer.headers, body


async def _read_body(content: StreamReader, limit: int, host: str) -> bytes:
    """The body, decompressed piece by piece, so that no more than the limit is ever held."""
    pieces: list[bytes] = []
    size = 0
    while not content.at_eof():
        piece = await content.readany()
        size += len(piece)
        if size > limit:
            raise ResponseTooLargeError(f"The body from {host} is larger than the limit of {limit} bytes")
        pieces.append(piece)
    if (broken := content.exception()) is not None:
        raise broken
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
