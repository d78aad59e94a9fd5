"""What an OAuth 2.0 client asks its token endpoint, and what it makes of the answer: no message holds a secret."""

from collections.abc import Callable
from math import isfinite
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from msgspec import UNSET, Struct

from engine.infra.credentials import AuthorizationCode, OAuthSecret, make_credential
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import HttpError, InvalidHeaderError
from engine.infra.http_headers import check_headers
from engine.infra.http_url import parse_url
from engine.infra.redaction import Redactor

REQUEST_SECONDS: Final = 20.0
_TOLD_CHARACTERS: Final = 300
# Ten years: as good as for ever, and a time that a database can hold.
_LONGEST_SECONDS: Final = 3650 * 86_400.0
_OK: Final = 200
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500
# By RFC 6749, and as GitHub says it.
_GRANT_REFUSED: Final = frozenset({"invalid_grant", "bad_refresh_token"})
# Of what is sent, what must not come back to light.
_SECRET_FIELDS: Final = ("code", "code_verifier", "refresh_token")


class TokenError(Exception):
    """The endpoint gave no token; `message` holds no secret, and `is_retryable` tells whether it may later.

    `is_grant_refused`: it will not, whatever is tried, until somebody signs in again.
    """

    def __init__(self, message: str, *, is_retryable: bool = False, is_grant_refused: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_retryable = is_retryable
        self.is_grant_refused = is_grant_refused


class Granted(Struct, frozen=True, kw_only=True):
    """What the endpoint gave. `left_seconds`: until the access token ends, None where it does not say."""

    access_token: str
    refresh_token: str | None
    left_seconds: float | None
    scope: str | None


def write_authorize_url(client: AuthorizationCode, *, redirect_uri: str, state: str, code_verifier: str) -> str:
    """Where a person signs in and agrees: with PKCE, by S256 alone."""
    more = {"audience": None if client.audience is UNSET else client.audience}
    url: str = prepare_grant_uri(
        str(parse_url(client.authorize_url)),
        client.client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=None if client.scope is UNSET else client.scope,
        state=state,
        code_challenge=create_s256_code_challenge(code_verifier),
        code_challenge_method="S256",
        **more,
    )
    return url


async def ask_for_client(http: HttpClient, client: OAuthSecret, clock: Callable[[], float] = monotonic) -> Granted:
    """A token for the client itself; raises TokenError."""
    more = {name: value for name in ("scope", "audience") if (value := getattr(client, name)) is not UNSET}
    return await _ask(http, client, clock, "client_credentials", more)


async def ask_by_code(
    http: HttpClient, client: AuthorizationCode, *, code: str, code_verifier: str, redirect_uri: str
) -> Granted:
    """The tokens that a sign-in ends with; raises TokenError."""
    fields = {"code": code, "code_verifier": code_verifier, "redirect_uri": redirect_uri}
    return await _ask(http, client, monotonic, "authorization_code", fields)


async def ask_by_refresh_token(
    http: HttpClient, client: OAuthSecret, refresh_token: str, clock: Callable[[], float] = monotonic
) -> Granted:
    """The next tokens; raises TokenError."""
    return await _ask(http, client, clock, "refresh_token", {"refresh_token": refresh_token})


async def _ask(
    http: HttpClient, client: OAuthSecret, clock: Callable[[], float], grant_type: str, fields: dict[str, str]
) -> Granted:
    sent = [fields[name] for name in _SECRET_FIELDS if name in fields]
    redactor = Redactor([*make_credential(client).secrets, *sent])
    body = prepare_token_request(grant_type, **fields)
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
    return _read(answer, urlsplit(client.token_url).hostname or "", redactor, elapsed=clock() - asked_at)


def _read(answer: HttpResponse, host: str, redactor: Redactor, *, elapsed: float) -> Granted:
    document: Any
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    told = document if isinstance(document, dict) else {}
    token, kind = told.get("access_token"), told.get("token_type", "bearer")
    if answer.status != _OK or not isinstance(token, str) or not token:
        raise _refusal(answer.status, told, host, redactor)
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenError(f"{host} gave an access token of another type than `bearer`")
    try:
        check_headers([("Authorization", f"Bearer {token}")])
    except InvalidHeaderError:
        raise TokenError(f"{host} gave an access token that no header can hold") from None
    lifetime, refresh_token = _read_lifetime(told.get("expires_in")), _read_text(told.get("refresh_token"))
    scope = redactor.clean_text(_read_text(told.get("scope")) or "")
    # It is shown, and kept as text: an endpoint may have put anything there.
    scope = Redactor([token, refresh_token or ""]).clean_text(scope).replace("\x00", "\ufffd")
    return Granted(
        access_token=token,
        refresh_token=refresh_token,
        left_seconds=None if lifetime is None else lifetime - elapsed,
        scope=scope[:_TOLD_CHARACTERS] or None,
    )


def _refusal(status: int, told: dict[str, Any], host: str, redactor: Redactor) -> TokenError:
    code = told.get("error")
    reasons = [part for name in ("error", "error_description") if isinstance(part := told.get(name), str)]
    reason = redactor.clean_text(": ".join(reasons))[:_TOLD_CHARACTERS]
    message = f"{host} gave no access token, but {status}{f' ({reason})' if reason else ''}"
    return TokenError(
        redactor.clean_text(message),
        is_retryable=status == _TOO_MANY_REQUESTS or status >= _FIRST_SERVER_ERROR,
        is_grant_refused=isinstance(code, str) and code in _GRANT_REFUSED,
    )


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_lifetime(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_SECONDS) if isfinite(seconds) else None
