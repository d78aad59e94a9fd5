"""The way in for webhooks: from the server straight to `Ingest`, past what the framework does around a handler.

Matching parameters, resolving dependencies and making a response cost more than taking the event. Whatever is no plain
call of a hook goes to the framework. Errors are answered as everywhere.
"""

from functools import partial
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT
from litestar.types import HTTPScope, Receive, Send

from app.errors import ApiError, BadRequest, PayloadTooLarge
from app.problems import EXCEPTION_HANDLERS, MethodNotAllowed
from app.triggers.ingest import InboundRequest, Ingest, Taken
from app.triggers.responses import make_response

PREFIX: Final = "/v1/hooks/"
_TEMPLATE: Final = PREFIX + "{token}"
_ASKING: Final = {"HEAD": HTTP_200_OK, "OPTIONS": HTTP_204_NO_CONTENT}
_METHODS: Final = frozenset({"POST", "PUT", "GET", *_ASKING})
_ALLOW: Final = ", ".join(sorted(_METHODS))
# Of a body's length, as far as Python takes it for a number at all.
_LENGTH_DIGITS: Final = 20


def is_call_of_hook(scope: HTTPScope) -> bool:
    """Whether this is a call of a hook's address."""
    path = scope["path"]
    return path.startswith(PREFIX) and path.find("/", len(PREFIX)) < 0


async def serve_hook(app: Litestar, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Serve a request for which `is_call_of_hook` holds."""
    if scope["method"] in _ASKING:
        await _tell_methods(send, _ASKING[scope["method"]])
        return
    more: Any = scope
    token = scope["path"][len(PREFIX) :]
    more.update(app=app, litestar_app=app, path_template=_TEMPLATE, path_params={"token": token})
    state = app.state
    try:
        _require_known(scope["method"])
        taken = await take_hook(state.ingest, token, scope, receive, limit=state.settings.hook_max_body)
        if not taken.has_waited:
            await _answer(taken, send)
            return
        response = respond(taken)
    except Exception as error:
        handlers: Any = EXCEPTION_HANDLERS
        answer_error = next(answer for kind, answer in handlers.items() if isinstance(error, kind))
        response = answer_error(Request(scope, receive, send), error)
    answer = response.to_asgi_response(app=None, request=Request(scope, receive, send))
    await answer(scope, receive, send)


async def take_hook(ingest: Ingest, token: str, scope: HTTPScope, receive: Receive, *, limit: int) -> Taken:
    """Read the request with a body of at most `limit` bytes and take it. Raises what `Ingest.take` does, and 413."""
    client = scope["client"]
    address = client[0] if client else "unknown"
    try:
        body = await _read_body(scope, receive, limit)
    except PayloadTooLarge:
        await ingest.refuse_large(token, address)
        raise
    inbound = InboundRequest(
        method=scope["method"],
        headers=_read_headers(scope),
        query=_read_query(scope) if scope["query_string"] else {},
        body=body,
        most_bytes=limit,
        address=address,
        hang_up=partial(_hang_up, receive),
    )
    return await ingest.take(token, inbound)


def respond(taken: Taken) -> Response[Any]:
    """The answer: the run's where the caller has waited for it. Raises RunNotSucceeded, AnswerTimeout."""
    if taken.has_waited:
        try:
            response = make_response(taken.ingested, taken.answer)
        except ApiError as error:
            error.headers.update(taken.headers)
            raise
    else:
        response = Response(taken.ingested, status_code=_status(taken))
    response.headers.update(taken.headers)
    return response


def _status(taken: Taken) -> int:
    return HTTP_200_OK if taken.is_repeat else HTTP_202_ACCEPTED


async def _answer(taken: Taken, send: Send) -> None:
    """What `respond` would send, sooner."""
    body = msgspec.json.encode(taken.ingested)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), text.encode("latin-1")) for name, text in taken.headers.items()]
    start: Any = {"type": "http.response.start", "status": _status(taken), "headers": headers}
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await send(start)
    await send(end)


def _require_known(method: str) -> None:
    # The framework would not name those that are answered here alone.
    if method not in _METHODS:
        raise MethodNotAllowed(headers={"allow": _ALLOW})


async def _tell_methods(send: Send, status: int) -> None:
    """Answer a sender who asks before it delivers: the same for every address, also for one that is none."""
    headers = [(b"allow", _ALLOW.encode())]
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    end: Any = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(start)
    await send(end)


async def _read_body(scope: HTTPScope, receive: Receive, limit: int) -> bytes:
    """The body, however it is sent; raises PayloadTooLarge as soon as it is known to be longer."""
    too_large = PayloadTooLarge(f"The body of a hook has at most {limit:,} bytes.")
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= _LENGTH_DIGITS and int(value) > limit:
            raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] != "http.request":
            raise BadRequest("The client went away while it was sending the body.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _read_headers(scope: HTTPScope) -> dict[str, str]:
    """The headers by their names; what comes several times is one list, as RFC 9110 (5.2) has it."""
    fields: Any = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields}
    if len(headers) == len(fields):
        return headers
    joined: dict[str, str] = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields):
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _read_query(scope: HTTPScope) -> dict[str, Any]:
    parameters = Request[Any, Any, Any](scope).query_params.dict()
    return {name: values[0] if len(values) == 1 else values for name, values in parameters.items()}


async def _hang_up(receive: Receive) -> None:
    """Until the caller is gone. For after the body: nothing else comes then."""
    while (await receive())["type"] != "http.disconnect":
        pass
