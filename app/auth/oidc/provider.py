"""The provider, as FlowForge calls it: over the one guarded client, with bounds on time and size."""

import re
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.discovery import get_well_known_url
from msgspec import Struct

from app.auth.oidc.config import OidcConfig, is_safe_address
from app.auth.oidc.documents import Kept
from app.auth.oidc.errors import Failure, SignInFailed
from app.auth.oidc.flows import Flow
from app.auth.oidc.id_tokens import PublicKey, find_key, read_header, read_keys, verify_id_token
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import HttpError

REQUEST_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 1_048_576
_OK: Final = 200
_BAD_REQUEST: Final = 400
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500
_INVALID_GRANT: Final = "invalid_grant"
_ERROR = re.compile(r"[a-z_]{1,60}")
_FORM: Final = "application/x-www-form-urlencoded"
_BASIC, _POST, _NONE = "client_secret_basic", "client_secret_post", "none"

Kind = TypeVar("Kind")


class Metadata(Struct, frozen=True, kw_only=True):
    """What is used of a provider's metadata."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None


class _Answer(Struct, frozen=True):
    """What is used of an answer of the token endpoint."""

    id_token: str
    access_token: str | None = None


class _Error(Struct, frozen=True):
    error: str


class Provider:
    """One provider. Everything raises SignInFailed; nothing that it says beyond claims goes any further."""

    def __init__(
        self,
        config: OidcConfig,
        http: HttpClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._http = http
        self._now = now
        self._metadata = Kept(self._fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

    async def check(self) -> None:
        """Read what the provider publishes, and refuse it where nobody could sign in by it."""
        await self._metadata.get()
        if not await self._keys.get():
            raise SignInFailed(Failure.PROVIDER_INVALID, "it publishes no key that can be used")

    async def make_login_url(self, flow: Flow) -> str:
        """Where the browser goes to sign in."""
        metadata = await self._metadata.get()
        url: str = prepare_grant_uri(
            metadata.authorization_endpoint,
            self._config.client_id,
            "code",
            redirect_uri=self._config.redirect_uri,
            scope=self._config.scope,
            state=flow.state,
            nonce=flow.nonce,
            code_challenge=create_s256_code_challenge(flow.verifier),
            code_challenge_method="S256",
        )
        return url

    async def check_issuer(self, said: str | None) -> None:
        """Refuse the answer of another provider, as RFC 9207 has it."""
        metadata = await self._metadata.get()
        if said is None and metadata.authorization_response_iss_parameter_supported:
            raise SignInFailed(Failure.ID_TOKEN_INVALID, "the answer names no issuer")
        if said is not None and said != self._config.issuer:
            raise SignInFailed(Failure.ID_TOKEN_INVALID, "the answer is another issuer's")

    async def identify(self, code: str, flow: Flow) -> dict[str, Any]:
        """The claims about whoever has signed in, of the ID token and, where more is needed, of UserInfo."""
        metadata = await self._metadata.get()
        answer = await self._exchange(metadata, code, flow)
        header = read_header(answer.id_token)
        key = find_key(await self._keys.get(), header) or find_key(await self._keys.renew(), header)
        if key is None:
            raise SignInFailed(Failure.ID_TOKEN_INVALID, "no key of the provider's signed it")
        claims = verify_id_token(
            answer.id_token,
            key,
            issuer=self._config.issuer,
            client_id=self._config.client_id,
            nonce=flow.nonce,
            access_token=answer.access_token,
            now=self._now(),
        )
        if answer.access_token and metadata.userinfo_endpoint and self._config.needs_more_than(claims):
            more = await self._read_user_info(metadata.userinfo_endpoint, answer.access_token)
            if more.get("sub") != claims["sub"]:
                raise SignInFailed(Failure.ID_TOKEN_INVALID, "UserInfo is about somebody else")
            # What is signed wins.
            claims = {**more, **claims}
        return claims

    def close(self) -> None:
        """Break off what is being asked for."""
        self._metadata.close()
        self._keys.close()

    async def _exchange(self, metadata: Metadata, code: str, flow: Flow) -> _Answer:
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._config.redirect_uri, code_verifier=flow.verifier
        )
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        auth = ClientAuth(self._config.client_id, self._config.client_secret, self._choose_auth(metadata))
        try:
            url, headers, body = auth.prepare("POST", metadata.token_endpoint, headers, body)
        except UnicodeEncodeError:
            raise SignInFailed(Failure.PROVIDER_INVALID, "client id and secret fit into no header") from None
        answer = await self._request("POST", url, headers, body.encode())
        if answer.status == _BAD_REQUEST and _read_error(answer) == _INVALID_GRANT:
            raise SignInFailed(Failure.CODE_REFUSED, "the token endpoint knows no such code, or not any more")
        _require_ok(answer, "the token endpoint")
        return _decode(answer, _Answer, "the answer of the token endpoint")

    def _choose_auth(self, metadata: Metadata) -> str:
        if not self._config.client_secret:
            return _NONE
        known = metadata.token_endpoint_auth_methods_supported
        return _POST if known is not None and _BASIC not in known and _POST in known else _BASIC

    async def _read_user_info(self, url: str, access_token: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        answer = await self._request("GET", url, headers)
        _require_ok(answer, "UserInfo")
        return _decode(answer, dict[str, Any], "UserInfo")

    async def _fetch_metadata(self) -> Metadata:
        issuer = self._config.issuer
        answer = await self._request("GET", get_well_known_url(issuer, external=True))
        _require_ok(answer, "the metadata")
        metadata = _decode(answer, Metadata, "the metadata")
        if metadata.issuer != issuer:
            raise SignInFailed(Failure.PROVIDER_INVALID, "the metadata is another issuer's")
        used = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        for url in (*used, *filter(None, [metadata.userinfo_endpoint])):
            if not is_safe_address(url, issuer):
                raise SignInFailed(Failure.PROVIDER_INVALID, "an endpoint is no https address")
        methods = metadata.code_challenge_methods_supported
        if methods is not None and "S256" not in methods:
            raise SignInFailed(Failure.PROVIDER_INVALID, "it does not know PKCE with S256")
        return metadata

    async def _fetch_keys(self) -> list[PublicKey]:
        metadata = await self._metadata.get()
        answer = await self._request("GET", metadata.jwks_uri)
        _require_ok(answer, "the keys")
        return read_keys(_decode(answer, dict[str, Any], "the keys"))

    async def _request(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        try:
            return await self._http.request(
                method,
                url,
                headers=headers or {"Accept": "application/json"},
                body=body,
                timeout=REQUEST_SECONDS,
                max_body=LARGEST_ANSWER,
            )
        except HttpError as error:
            raise SignInFailed(Failure.PROVIDER_UNAVAILABLE, f"{error.code}: {error.message}") from None


def _require_ok(answer: HttpResponse, what: str) -> None:
    if answer.status == _OK:
        return
    is_ours = _BAD_REQUEST <= answer.status < _FIRST_SERVER_ERROR and answer.status != _TOO_MANY_REQUESTS
    failure = Failure.PROVIDER_INVALID if is_ours else Failure.PROVIDER_UNAVAILABLE
    error = _read_error(answer)
    raise SignInFailed(failure, f"{what} answers {answer.status}{f' ({error})' if error else ''}")


def _read_error(answer: HttpResponse) -> str | None:
    """The code of an OAuth error, as far as it looks like one."""
    try:
        error = msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return error if _ERROR.fullmatch(error) else None


def _decode(answer: HttpResponse, kind: type[Kind], what: str) -> Kind:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SignInFailed(Failure.PROVIDER_INVALID, f"{what} cannot be read") from None
