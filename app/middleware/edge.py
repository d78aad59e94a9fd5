"""The outermost layer: request id, trace, security headers, metrics and the log line of every request."""

import re
import secrets
import time
from functools import cache
from typing import Any, Final

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.audit.trail import CALL
from engine.infra.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from engine.infra.telemetry import read_traceparent, span

SLOW_SECONDS = 1.0
_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_UNMATCHED = "unmatched"
_STREAM_TYPE = b"text/event-stream"

Headers = list[tuple[bytes, bytes]]

_COMMON: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_API: Final[Headers] = [
    *_COMMON,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_PAGES_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_PAGES: Final[Headers] = [
    *_COMMON,
    (b"content-security-policy", _PAGES_POLICY),
]
# For a year, as whoever is asked over TLS at all is to be. Over plain http browsers ignore it.
_TLS_ALONE: Final[Headers] = [(b"strict-transport-security", b"max-age=31536000; includeSubDomains")]
_API_PATHS = ("/v1/", "/health/", "/metrics", "/openapi.json")

logger = structlog.get_logger(__name__)


async def serve_request(
    app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send, *, is_https: bool = False
) -> None:
    """Let `app` serve one request; no answer leaves without passing here.

    `is_https`: browsers reach all of this over TLS, whatever the last part of the way is.
    """
    request_id, traceparent = _read_ids(scope)
    scope.setdefault("state", {})["request_id"] = request_id
    answer = _Answer(scope, send, request_id, is_https=is_https)
    tokens = bind_contextvars(request_id=request_id)
    call = CALL.set(scope)
    started = time.perf_counter()
    try:
        with span("http.request", parent=traceparent, kind="server") as current:
            await app(scope, receive, answer.send)
            if current.is_recorded:
                current.set_attribute("http.request.method", scope["method"])
                current.set_attribute("http.route", _route(scope))
                current.set_attribute("http.response.status_code", answer.status)
                if answer.status >= _SERVER_ERROR:
                    current.fail(f"status {answer.status}")
    finally:
        _record(scope, answer, time.perf_counter() - started)
        reset_contextvars(**tokens)
        CALL.reset(call)


class _Answer:
    """Passes messages on to the server, completes the headers, and remembers the status."""

    def __init__(self, scope: HTTPScope, send: Send, request_id: str, *, is_https: bool) -> None:
        self._send = send
        path = scope["path"]
        self._added = _API if path.startswith(_API_PATHS) or path == "/v1" else _PAGES
        if is_https or scope["scheme"] == "https":
            self._added = self._added + _TLS_ALONE
        self._request_id = request_id
        self.status = 0
        self.is_stream = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            headers += [header for header in self._added if header[0] not in present]
            headers.append((b"x-request-id", self._request_id.encode()))
            message["headers"] = headers
            self.is_stream = any(name == b"content-type" and value.startswith(_STREAM_TYPE) for name, value in headers)
        await self._send(message)


def _read_ids(scope: HTTPScope) -> tuple[str, str | None]:
    """The request's id (the client's where it is sane, else a new one) and the traceparent that came with it."""
    request_id = traceparent = b""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = value
        elif name == b"traceparent":
            traceparent = value
    text = request_id.decode() if _REQUEST_ID.fullmatch(request_id) else secrets.token_hex(12)
    return text, read_traceparent(traceparent.decode("latin-1")) if traceparent else None


def _route(scope: HTTPScope) -> str:
    """The path with parameters' names instead of values: few enough to label metrics with."""
    return str(scope.get("path_template", _UNMATCHED))


def _record(scope: HTTPScope, answer: _Answer, seconds: float) -> None:
    # A method may be any word that a client sends: only what is routed may become a label.
    route = _route(scope)
    method = str(scope["method"]) if route != _UNMATCHED else "-"
    _count(method, route, answer.status).inc()
    is_slow = seconds > SLOW_SECONDS and not answer.is_stream
    if not answer.is_stream:
        _timer(method, route).observe(seconds)
    if answer.status < _CLIENT_ERROR and not is_slow:
        return
    log = logger.warning if is_slow or answer.status >= _SERVER_ERROR else logger.info
    log("request", method=method, route=route, status=answer.status, duration_ms=round(seconds * 1000, 1))


@cache
def _count(method: str, route: str, status: int) -> Any:
    return HTTP_REQUESTS.labels(method, route, str(status))


@cache
def _timer(method: str, route: str) -> Any:
    return HTTP_REQUEST_SECONDS.labels(method, route)
