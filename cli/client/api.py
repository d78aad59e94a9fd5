"""The product's API for one signed-in user: tokens, errors and pages are taken care of here."""

import contextlib
import time
import uuid
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from cli.client.errors import REFUSED, UNUSABLE, ClientError
from cli.client.sessions import Session, Sessions
from cli.client.wire import Answer, Disconnected, Wire

JSON_TYPE: Final = "application/json"
MOST_FAULTS_SHOWN: Final = 20
TRIES: Final = 4
LONGEST_WAIT_SECONDS: Final = 5.0
_PAGE: Final = 200


class Api:
    """Calls of the API. `key` is an API key, which goes before what `sessions` hold."""

    def __init__(self, url: str, sessions: Sessions, key: str | None = None) -> None:
        self.url = url
        self._sessions, self._key = sessions, key
        self._wire = Wire(url)

    def get(self, path: str, **query: Any) -> Any:
        """What a GET answers, decoded; raises ClientError."""
        return _decode(self.call("GET", path, query=query))

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """What a POST answers, decoded; it is repeated under one Idempotency-Key where it got lost."""
        return _decode(self.call("POST", path, query=query, body=msgspec.json.encode({} if body is None else body)))

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """The items of a list, page after page."""
        limit, cursor = min(_PAGE, query.pop("limit", _PAGE)), None
        while True:
            page = self.get(path, **query, limit=limit, cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        media_type: str = JSON_TYPE,
    ) -> Answer:
        """A successful answer; raises ClientError with what the product says."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = quote(path) + (f"?{urlencode(given)}" if given else "")
        headers = {"accept": "*/*"}
        if body is not None:
            headers |= {"content-type": media_type, "idempotency-key": uuid.uuid4().hex}
        answer = self._send_patiently(method, target, headers, body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise self._explain(answer)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            place = answer.headers.get("location", "elsewhere")
            raise ClientError(f"{self.url} sends us to {place}. Name that address by --url.", UNUSABLE)
        return answer

    def open_stream(self, path: str, last_id: str | None) -> Any:
        """An open answer of Server-Sent Events (`http.client.HTTPResponse`); raises ClientError or Disconnected."""
        more = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        token = self._find_token()
        response = self._wire.open(path, {**more, "authorization": f"Bearer {token}"})
        if response.status == HTTPStatus.UNAUTHORIZED and not self._key:
            response.close()
            response = self._wire.open(path, {**more, "authorization": f"Bearer {self._renew(token)}"})
        if response.status >= HTTPStatus.BAD_REQUEST:
            headers = {name.lower(): value for name, value in response.getheaders()}
            raise self._explain(Answer(status=response.status, headers=headers, body=response.read()))
        return response

    def sign_in(self, path: str, body: Any) -> Session:
        """Tokens for what the body says; raises ClientError."""
        try:
            answer = self._wire.send("POST", path, {"content-type": JSON_TYPE}, msgspec.json.encode(body))
        except Disconnected as error:
            raise ClientError(f"{self.url} broke the connection off: {error}. Try again.", REFUSED) from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise explain(answer, self.url)
        tokens = _decode(answer)
        return Session(
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"], email=body.get("email", "")
        )

    def _send_patiently(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Send it again where it got lost or the product asks for patience: the key makes that safe."""
        for number in range(1, TRIES + 1):
            try:
                answer = self._send_signed(method, target, headers, body)
            except Disconnected as error:
                if number == TRIES:
                    raise ClientError(f"{self.url} broke the connection off: {error}. Try again.", REFUSED) from None
                time.sleep(0.1 * 2**number)
                continue
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or number == TRIES:
                return answer
            wait = answer.headers.get("retry-after", "1")
            time.sleep(min(float(wait) if wait.isascii() and wait.isdigit() else 1.0, LONGEST_WAIT_SECONDS))
        raise AssertionError("the last try has returned or raised")

    def _send_signed(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Answer:
        token = self._find_token()
        answer = self._wire.send(method, target, {**headers, "authorization": f"Bearer {token}"}, body)
        if answer.status == HTTPStatus.UNAUTHORIZED and not self._key:
            token = self._renew(token)
            answer = self._wire.send(method, target, {**headers, "authorization": f"Bearer {token}"}, body)
        return answer

    def _explain(self, answer: Answer) -> ClientError:
        if self._key and answer.status == HTTPStatus.UNAUTHORIZED:
            why = "it was deleted, has expired, or belongs to another product"
            return ClientError(f"{self.url} refuses the API key: {why}. Correct FLOWFORGE_API_KEY (--token).", UNUSABLE)
        return explain(answer, self.url)

    def _find_token(self) -> str:
        if self._key:
            return self._key
        session = self._sessions.find(self.url)
        if session is None:
            # Where nobody listens, signing in is not what is missing.
            with contextlib.suppress(Disconnected):
                self._wire.send("GET", "/health/live", {})
            raise ClientError(
                f"You are not signed in at {self.url}. Run `./flowforge login --url {self.url}`.", UNUSABLE
            )
        return session.access_token

    def _renew(self, refused: str) -> str:
        """Another access token than the one that was refused."""
        with self._sessions.locked():
            session = self._sessions.find(self.url)
            if session is not None and session.access_token != refused:
                # Another command has done it meanwhile.
                return session.access_token
            if session is not None and session.refresh_token:
                raw = msgspec.json.encode({"refresh_token": session.refresh_token})
                answer = self._wire.send("POST", "/v1/auth/refresh", {"content-type": JSON_TYPE}, raw)
                if answer.status == HTTPStatus.OK:
                    tokens = _decode(answer)
                    renewed = msgspec.structs.replace(
                        session, access_token=tokens["access_token"], refresh_token=tokens["refresh_token"]
                    )
                    self._sessions.renew(self.url, renewed)
                    return renewed.access_token
        raise ClientError(f"Your session at {self.url} has ended. Run `./flowforge login --url {self.url}`.", UNUSABLE)


def _decode(answer: Answer) -> Any:
    if not answer.body:
        return None
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        raise ClientError("What answers there is not FlowForge. Correct --url.", UNUSABLE) from None


def explain(answer: Answer, url: str) -> ClientError:
    """What a problem document says, as a person reads it: its sentence, then one line a fault."""
    try:
        problem = msgspec.json.decode(answer.body, type=dict[str, Any])
        detail = str(problem["detail"])
    except (msgspec.DecodeError, KeyError):
        text = f"{url} answers {answer.status}, and not as FlowForge does. Correct --url."
        return ClientError(text, UNUSABLE)
    faults = problem.get("errors") or []
    lines = [f"  {fault['pointer'] or '/'}: {fault['message']}" for fault in faults[:MOST_FAULTS_SHOWN]]
    if len(faults) > MOST_FAULTS_SHOWN:
        lines.append(f"  and {len(faults) - MOST_FAULTS_SHOWN} more")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return ClientError(f"{detail} (`./flowforge login --url {url}`)", UNUSABLE)
    if lines:
        # Where the faults stand is for programs; here they follow.
        detail = detail.partition("; `errors` ")[0].rstrip(".") + ":"
    return ClientError("\n".join([detail, *lines]), REFUSED)
