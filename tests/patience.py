"""A caller that lives with faults at the database as real ones do: told to come back, it comes back under its key."""

import json
from collections.abc import Generator
from http import HTTPStatus

import httpx

from engine.infra.ids import new_id

TRIES = 20


class Patience(httpx.Auth):
    """For a client's `auth`: sends again what was answered with 503, and looks what became of it if that is too late.

    It adds an Idempotency-Key where the caller left it out, but for hooks, which know repeats by what they are sent.
    """

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One call of the caller's, as many requests as it takes."""
        if request.method == "POST" and not request.url.path.startswith("/v1/hooks/"):
            request.headers.setdefault("idempotency-key", str(new_id()))
        if request.url.path.startswith("/health/"):
            yield request
            return
        response = yield request
        is_in_doubt = False
        for _ in range(TRIES):
            if not _is_to_come_back(response):
                break
            is_in_doubt = True
            # At once: a fault is gone with the next statement.
            response = yield request
        assert response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR, "a fault at the database is no fault of ours"
        if not is_in_doubt:
            return
        match request.method, response.status_code:
            case "DELETE", HTTPStatus.NOT_FOUND:
                # The first one did it, and its answer was lost.
                response.status_code = HTTPStatus.NO_CONTENT
            case "PATCH", HTTPStatus.PRECONDITION_FAILED:
                headers = {name: value for name, value in request.headers.items() if name in ("authorization", "host")}
                # For this answer only: a stream's would never end.
                self.requires_response_body = True
                current = yield httpx.Request("GET", request.url, headers=headers)
                self.requires_response_body = False
                if not json.loads(request.content).items() <= current.json().items():
                    # It was somebody else who changed it.
                    yield request


def _is_to_come_back(response: httpx.Response) -> bool:
    if response.status_code == HTTPStatus.CONFLICT:
        # The server has yet to notice that the connection of the first try is gone.
        return "retry-after" in response.headers
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return False
    assert int(response.headers["retry-after"]) > 0, "a 503 says when to come back"
    return True
