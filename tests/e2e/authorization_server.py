"""An OAuth 2.0 authorization server made of authlib's own parts, in a thread, with a resource that takes its tokens.

It rotates refresh tokens: each is good once, and one that comes a second time ends the whole grant.
"""

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from authlib.oauth2.rfc6749 import AuthorizationServer as Protocol
from authlib.oauth2.rfc6749 import OAuth2Request, grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from msgspec import Struct
from multidict import MultiDict

from tests.product import PATIENCE_SECONDS

CLIENT_ID = "cl13nt"
CLIENT_SECRET = "cl13nt-s3cret"
PERSON = "ann@accounts.example"
SCOPE = "orders:read orders:write"


class Code(Struct, kw_only=True):
    """An authorization code, as authlib looks at it."""

    code: str
    redirect_uri: str
    scope: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Issued(Struct, kw_only=True):
    """Tokens that were given out; `grant` is what all that follow from one sign-in have in common."""

    grant: str
    access_token: str
    refresh_token: str | None
    scope: str
    is_spent: bool = False
    is_revoked: bool = False

    def get_scope(self) -> str:
        return self.scope

    def check_client(self, _client: Any) -> bool:
        return True


class OAuthClient:
    """The one client that is registered."""

    def __init__(self, redirect_uris: set[str]) -> None:
        self._redirect_uris = redirect_uris

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return next(iter(self._redirect_uris))

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(part for part in (scope or "").split() if part in SCOPE.split())

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, _method: str, _endpoint: str) -> bool:
        return True

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, _grant_type: str) -> bool:
        return True


class _Request(OAuth2Request):  # type: ignore[misc] # authlib has no types
    def __init__(self, method: str, uri: str, query: MultiDict[str], form: MultiDict[str], headers: Any) -> None:
        # Its own tests run without TLS; the protocol would refuse to.
        super().__init__(method, uri.replace("http://", "https://", 1), headers=headers)
        self.query, self._form = query, form
        self.payload = BasicOAuth2Payload({**query, **form})

    @property
    def args(self) -> Any:
        return self.query

    @property
    def form(self) -> Any:
        return self._form


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc] # authlib has no types
    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = Code(
            code=code,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            code_challenge=data.get("code_challenge"),
            code_challenge_method=data.get("code_challenge_method"),
        )

    def query_authorization_code(self, code: str, _client: Any) -> Code | None:
        found: Code | None = self.server.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.server.codes.pop(authorization_code.code)

    def authenticate_user(self, _authorization_code: Code) -> str:
        return PERSON


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc] # authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Issued:
        issued: Issued | None = next((each for each in self.server.issued if each.refresh_token == refresh_token), None)
        if issued is None or issued.is_revoked:
            raise InvalidGrantError("the refresh token is revoked")
        if issued.is_spent:
            self.server.reuses += 1
            self.server.revoke(issued.grant)
            raise InvalidGrantError("the refresh token was used before")
        return issued

    def authenticate_user(self, _refresh_token: Issued) -> str:
        return PERSON

    def revoke_old_credential(self, refresh_token: Issued) -> None:
        refresh_token.is_spent = True


class _ClientGrant(grants.ClientCredentialsGrant):  # type: ignore[misc] # authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


class _Protocol(Protocol):  # type: ignore[misc] # authlib has no types
    """The protocol, with everything in memory."""

    def __init__(self) -> None:
        super().__init__(scopes_supported=SCOPE.split())
        self.codes: dict[str, Code] = {}
        self.issued: list[Issued] = []
        self.redirect_uris: set[str] = set()
        self.expires_in: int | None = 3600
        self.reuses = 0
        self.register_grant(_CodeGrant, [CodeChallenge(required=True)])
        self.register_grant(_RefreshGrant)
        self.register_grant(_ClientGrant)
        self.register_token_generator("default", self._make_token)

    def query_client(self, client_id: str) -> OAuthClient | None:
        return OAuthClient(self.redirect_uris) if client_id == CLIENT_ID else None

    def revoke(self, grant: str) -> None:
        for each in self.issued:
            if each.grant == grant:
                each.is_revoked = True

    def give(self, grant_type: str, scope: str, *, include_refresh_token: bool) -> dict[str, Any]:
        """Tokens without a request."""
        token = self._make_token(grant_type, scope=scope, include_refresh_token=include_refresh_token)
        self._note(token, None)
        return token

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        self._note(token, request.refresh_token)

    def _note(self, token: dict[str, Any], before: Issued | None) -> None:
        self.issued.append(
            Issued(
                grant=before.grant if before else secrets.token_hex(8),
                access_token=token["access_token"],
                refresh_token=token.get("refresh_token"),
                scope=token.get("scope", ""),
            )
        )

    def send_signal(self, *_arguments: Any, **_more: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> web.Response:
        raw = json.dumps(body).encode() if isinstance(body, dict) else (body or "").encode()
        return web.Response(status=status, body=raw, headers=dict(headers))

    def _make_token(
        self, grant_type: str, *, scope: str | None, include_refresh_token: bool, **_more: Any
    ) -> dict[str, Any]:
        number = len(self.issued) + 1
        # Characters that come back spelled otherwise where they are encoded.
        token: dict[str, Any] = {"token_type": "Bearer", "access_token": f"acc355+t0ken/{number}="}
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        if include_refresh_token and grant_type != "client_credentials":
            token["refresh_token"] = f"r3fresh/t0ken+{number}="
        if scope:
            token["scope"] = scope
        return token


class AuthorizationServer:
    """The server: what a test sets up, and what it has seen."""

    def __init__(self) -> None:
        self.protocol = _Protocol()
        self.asked: list[dict[str, str]] = []
        self.called: list[str] = []
        # Answers of the token endpoint in place of the protocol's own.
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        # What it calls itself when it sends a browser back, each in an `iss` of its own.
        self.issuers = [self.base]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="authorization server", daemon=True)

    @property
    def secret(self) -> dict[str, str]:
        """What a connection to it keeps."""
        return {
            "authorize_url": f"{self.base}/authorize?prompt=consent",
            "token_url": f"{self.base}/token",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": SCOPE,
        }

    @property
    def tokens(self) -> list[str]:
        """Everything secret that was ever given out."""
        issued = self.protocol.issued
        return [part for each in issued for part in (each.access_token, each.refresh_token) if part]

    def sign_in(self) -> dict[str, str]:
        """The tokens of somebody who has signed in and agreed, past the browser."""
        token = self.protocol.give("authorization_code", SCOPE, include_refresh_token=True)
        return {"access_token": token["access_token"], "refresh_token": token["refresh_token"]}

    def revoke_all(self) -> None:
        """Nothing that was granted is good any more."""
        for each in self.protocol.issued:
            each.is_revoked = True

    def grants_asked(self) -> list[str]:
        """By which grants tokens were asked for."""
        return [each["grant_type"] for each in self.asked]

    @contextmanager
    def running(self) -> Iterator["AuthorizationServer"]:
        """Serve until the block ends."""
        self._thread.start()
        runner = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(PATIENCE_SECONDS)
        try:
            yield self
        finally:
            self.may_answer.set()
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result(PATIENCE_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_SECONDS)
            self._loop.close()

    async def _serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._give_token)
        app.router.add_get("/orders", self._show_orders)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        return runner

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        """A person who agrees to everything; `deny` in the query is one who does not."""
        query = MultiDict(request.query)
        person = None if query.pop("deny", None) else PERSON
        asked = _Request("GET", str(request.url), query, MultiDict(), dict(request.headers))
        grant = self.protocol.get_consent_grant(asked, end_user=person)
        response = self.protocol.create_authorization_response(asked, grant_user=person, grant=grant)
        # What real ones add of their own.
        told = urlencode([("session_state", "x"), *(("iss", issuer) for issuer in self.issuers)])
        response.headers["Location"] += f"&{told}"
        answer: web.StreamResponse = response
        return answer

    async def _give_token(self, request: web.Request) -> web.StreamResponse:
        form = MultiDict({name: str(value) for name, value in (await request.post()).items()})
        self.asked.append(dict(form))
        await asyncio.get_running_loop().run_in_executor(None, self.may_answer.wait, PATIENCE_SECONDS)
        if self.faults:
            status, body = self.faults.pop(0)
            return web.json_response(body, status=status)
        asked = _Request("POST", str(request.url), MultiDict(), form, dict(request.headers))
        answer: web.StreamResponse = self.protocol.create_token_response(asked)
        return answer

    async def _show_orders(self, request: web.Request) -> web.StreamResponse:
        """The resource: it echoes what it was sent, also to whom it refuses."""
        sent = request.headers.get("Authorization", "")
        self.called.append(sent)
        token = sent.removeprefix("Bearer ")
        is_good = any(each.access_token == token and not each.is_revoked for each in self.protocol.issued)
        told = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"heard": told}, status=200 if is_good else 401)
