"""A caller that lives with faults at the database as real ones do: told to come back, it comes back under its key."""

import json
from collections.abc import Generator
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from engine.infra.ids import new_id

TRIES = 20


class Patience(httpx.Auth):
    """For a client's `auth`: sends again what was answered with 503, and looks what became of it if that is too late.

    It adds an Idempotency-Key where the caller left it out, but for hooks, which know repeats by what they are sent.
    """

    def __init__(self) -> None:
        # What was deleted, and so is not there whoever asks again.
        self._gone: set[httpx.URL] = set()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One call of the caller's, as many requests as it takes."""
        if request.method == "POST" and not request.url.path.startswith("/v1/hooks/"):
            request.headers.setdefault("idempotency-key", str(new_id()))
        if request.url.path.startswith("/health/"):
            yield request
            return
        began_at = datetime.now(UTC)
        # Others may be a stream's, which never ends.
        self.requires_response_body = request.method == "PUT"
        response, is_in_doubt = yield from _insist(request)
        if is_in_doubt:
            yield from self._look(request, response, began_at)
        if request.method == "DELETE" and response.status_code == HTTPStatus.NO_CONTENT:
            self._gone.add(request.url)
        elif request.method == "PUT":
            self._gone.discard(request.url)

    def _look(
        self, request: httpx.Request, response: httpx.Response, began_at: datetime
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """What became of the first one, where the last one comes too late."""
        match request.method, response.status_code:
            case "DELETE", HTTPStatus.NOT_FOUND if request.url not in self._gone:
                # The first one did it, and its answer was lost.
                response.status_code = HTTPStatus.NO_CONTENT
            case "PUT", HTTPStatus.OK if _is_made_since(response, began_at):
                response.status_code = HTTPStatus.CREATED
            case "PATCH" | "PUT", HTTPStatus.PRECONDITION_FAILED:
                headers = {name: value for name, value in request.headers.items() if name in ("authorization", "host")}
                # For this answer only: a stream's would never end.
                self.requires_response_body = True
                current, _ = yield from _insist(httpx.Request("GET", request.url, headers=headers))
                self.requires_response_body = False
                if not json.loads(request.content).items() <= current.json().items():
                    # It was somebody else who changed it.
                    yield from _insist(request)


def _insist(
    request: httpx.Request,
) -> Generator[httpx.Request, httpx.Response, tuple[httpx.Response, bool]]:
    """The answer, and whether an earlier one was lost."""
    response = yield request
    is_in_doubt = False
    for _ in range(TRIES):
        if not _is_to_come_back(response):
            break
        is_in_doubt = True
        # At once: a fault is gone with the next statement.
        response = yield request
    assert response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR, "a fault at the database is no fault of ours"
    return response, is_in_doubt


def _is_made_since(response: httpx.Response, moment: datetime) -> bool:
    """Whether what was set is as new as this: then it was the first try that made it."""
    made_at = response.json().get("created_at")
    return made_at is not None and datetime.fromisoformat(made_at) >= moment


def _is_to_come_back(response: httpx.Response) -> bool:
    if response.status_code == HTTPStatus.CONFLICT:
        # The server has yet to notice that the connection of the first try is gone.
        return "retry-after" in response.headers
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return False
    assert int(response.headers["retry-after"]) > 0, "a 503 says when to come back"
    return True
