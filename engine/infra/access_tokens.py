"""Access tokens of OAuth 2.0 clients: asked for once, however many wait for one, and again before they end."""

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from msgspec import UNSET, Struct

from engine.infra.credentials import ClientCredentials, make_credential
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import HttpError, InvalidHeaderError
from engine.infra.http_headers import check_headers
from engine.infra.redaction import Redactor

REQUEST_SECONDS: Final = 30.0
# Where the endpoint does not say how long a token lives.
ASSUMED_SECONDS: Final = 300.0
# A token is not used in the last tenth of its life, nor in its last minute.
LONGEST_MARGIN_SECONDS: Final = 60.0
MARGIN_SHARE: Final = 0.1
MOST_TOKENS: Final = 1024
_TOLD_CHARACTERS: Final = 300
_OK: Final = 200
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500


class TokenError(Exception):
    """The endpoint gave no token; `message` holds no secret, and `is_retryable` tells whether it may later."""

    def __init__(self, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_retryable = is_retryable


class AccessToken(Struct, frozen=True, kw_only=True):
    """A token, and until when it is used, at the monotonic clock; `is_new`: it was asked for just now."""

    text: str
    usable_until: float
    is_new: bool = False


class AccessTokens:
    """The tokens that this process has, by what they belong to."""

    def __init__(self, http: HttpClient, clock: Callable[[], float] = monotonic) -> None:
        self._http = http
        self._clock = clock
        self._kept: dict[Hashable, AccessToken] = {}
        self._requests: dict[Hashable, asyncio.Task[AccessToken]] = {}

    async def get(self, key: Hashable, client: ClientCredentials) -> AccessToken:
        """A token that can be used now; raises TokenError. Who asks while it is being asked for gets the same."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.usable_until:
            return kept
        request = self._requests.get(key)
        if request is None:
            request = asyncio.get_running_loop().create_task(self._fetch(key, client))
            self._requests[key] = request
            request.add_done_callback(lambda done: self._end(key, done))
        # One attempt that is broken off must not take the token from the others.
        return await asyncio.shield(request)

    def discard(self, key: Hashable, token: AccessToken) -> bool:
        """A target has refused this token: ask for another one next time. Whether it was an older one."""
        kept = self._kept.get(key)
        if kept is not None and kept.text == token.text:
            del self._kept[key]
        return not token.is_new

    def close(self) -> None:
        """Break off what is being asked for."""
        for request in self._requests.values():
            request.cancel()

    def _end(self, key: Hashable, request: "asyncio.Task[AccessToken]") -> None:
        self._requests.pop(key, None)
        if not request.cancelled():
            # Everybody who waited may have been broken off: then nobody else looks at it.
            request.exception()

    async def _fetch(self, key: Hashable, client: ClientCredentials) -> AccessToken:
        token = await _request_token(self._http, client, self._clock)
        if len(self._kept) >= MOST_TOKENS:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = token
        return msgspec.structs.replace(token, is_new=True)


async def _request_token(http: HttpClient, client: ClientCredentials, clock: Callable[[], float]) -> AccessToken:
    redactor = Redactor(make_credential(client).secrets)
    host = urlsplit(client.token_url).hostname or ""
    more = {name: value for name in ("scope", "audience") if (value := getattr(client, name)) is not UNSET}
    body = prepare_token_request("client_credentials", **more)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    auth = ClientAuth(client.client_id, client.client_secret, f"client_secret_{client.client_auth}")
    asked_at = clock()
    try:
        url, headers, body = auth.prepare("POST", client.token_url, headers, body)
        answer = await http.request("POST", url, headers=headers, body=body.encode(), timeout=REQUEST_SECONDS)
    except HttpError as error:
        raise TokenError(
            redactor.clean_text(f"no access token: {error.message}"), is_retryable=error.is_retryable
        ) from None
    except UnicodeEncodeError:
        message = "no access token: the client's id and secret hold characters that no Authorization header takes"
        raise TokenError(message) from None
    return _read_token(answer, host, redactor, asked_at)


def _read_token(answer: HttpResponse, host: str, redactor: Redactor, asked_at: float) -> AccessToken:
    document: Any
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    told = document if isinstance(document, dict) else {}
    token, kind = told.get("access_token"), told.get("token_type", "bearer")
    if answer.status != _OK or not isinstance(token, str) or not token:
        reasons = [part for name in ("error", "error_description") if isinstance(part := told.get(name), str)]
        reason = redactor.clean_text(": ".join(reasons))[:_TOLD_CHARACTERS]
        message = f"{host} gave no access token, but {answer.status}{f' ({reason})' if reason else ''}"
        is_retryable = answer.status == _TOO_MANY_REQUESTS or answer.status >= _FIRST_SERVER_ERROR
        raise TokenError(redactor.clean_text(message), is_retryable=is_retryable)
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenError(f"{host} gave an access token of another type than `bearer`")
    try:
        check_headers([("Authorization", f"Bearer {token}")])
    except InvalidHeaderError:
        raise TokenError(f"{host} gave an access token that no header can hold") from None
    lifetime = _read_lifetime(told.get("expires_in"))
    return AccessToken(
        text=token, usable_until=asked_at + lifetime - min(LONGEST_MARGIN_SECONDS, lifetime * MARGIN_SHARE)
    )


def _read_lifetime(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return ASSUMED_SECONDS
    return seconds if seconds >= 0 else 0.0
