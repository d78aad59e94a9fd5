"""What a waiting caller of a hook is answered: by a `respond` step, or by how the run ended."""

from typing import Any, Final

import msgspec
from litestar.response import Response

from app.errors import AnswerTimeout, RunNotSucceeded
from app.triggers.answers import Answer, Responded
from app.triggers.schemas import AwaitedOutput, Ingested

EVENT_HEADER: Final = "x-flowforge-event-id"
RUN_HEADER: Final = "x-flowforge-run-id"
# The connection's own business; and what protects the web application, which is served under the same origin.
_OURS: Final = frozenset(
    {"connection", "content-length", "date", "keep-alive", "proxy-authenticate", "proxy-connection", "server", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "set-cookie", "clear-site-data", "content-security-policy"}
    | {"cross-origin-opener-policy", "cross-origin-resource-policy", "referrer-policy", "service-worker-allowed"}
    | {"strict-transport-security", "x-content-type-options", "x-frame-options", "x-request-id"}
    # Browsers remember these for all that they ask of the origin from then on, and tell others of it.
    | {"accept-ch", "alt-svc", "expect-ct", "nel", "public-key-pins", "report-to", "reporting-endpoints", "set-cookie2"}
    # What proxies in front take for orders: they would answer with files and addresses of their own.
    | {"x-accel-redirect", "x-accel-buffering", "x-accel-charset", "x-accel-expires", "x-accel-limit-rate"}
    | {"x-sendfile", "x-sendfile2", "x-send-file", "x-lighttpd-send-file", "x-lighttpd-send-tempfile"}
    | {"x-reproxy-url", "x-reproxy-file", "x-litespeed-location"}
    | {EVENT_HEADER, RUN_HEADER}
)
# A page that a workflow answers with is shown as a stranger's: it runs no scripts and sees nothing of ours.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
_BODILESS: Final = frozenset({204, 205, 304})


def make_response(ingested: Ingested, answer: Answer | None) -> Response[Any]:
    """The answer to a caller who has waited. Raises RunNotSucceeded, or AnswerTimeout where there is none."""
    members: dict[str, Any] = {"event_id": ingested.event_id, "run_id": ingested.run_id}
    headers = {EVENT_HEADER: str(ingested.event_id), RUN_HEADER: str(ingested.run_id)}
    if answer is None:
        raise AnswerTimeout(members=members, headers=headers)
    if isinstance(answer, Responded):
        return _respond(answer, headers)
    if answer.status != "succeeded":
        detail = f"The run ended {answer.status}: {answer.message}"
        raise RunNotSucceeded(detail, members={**members, "run_status": answer.status}, headers=headers)
    return Response(AwaitedOutput(**members, output=answer.output), status_code=200, headers=headers)


def _respond(answer: Responded, headers: dict[str, str]) -> Response[Any]:
    given = {name.lower(): _as_header(text) for name, text in answer.headers.items() if name.lower() not in _OURS}
    if answer.body is None or answer.status in _BODILESS:
        body, usual = b"", "text/plain; charset=utf-8"
    elif isinstance(answer.body, str):
        body, usual = answer.body.encode(), "text/plain; charset=utf-8"
    else:
        body, usual = msgspec.json.encode(answer.body), "application/json"
    return Response(
        body,
        status_code=answer.status,
        headers={"content-type": usual, **given, **headers, "content-security-policy": _POLICY},
    )


def _as_header(text: str) -> str:
    """A header's value as it is sent: characters beyond Latin-1 as the bytes of UTF-8."""
    return text.encode().decode("latin-1")
