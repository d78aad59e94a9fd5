"""Trying a connection out: a real call with its credentials, under the same rules as a step's."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from app.auth.principal import Principal
from app.connections.schemas import ConnectionTest, ConnectionTestResult
from app.dependencies import Isolation
from app.errors import InvalidRequest, NotFound
from engine.core.problems import Problem
from engine.infra.access_tokens import AccessToken, AccessTokens
from engine.infra.credentials import AuthorizationCode, OAuthSecret
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import HttpError, InvalidUrlError
from engine.infra.kept_connections import KeptConnection
from engine.infra.open_connections import ConnectionFault, ConnectionOpener, OpenConnection
from engine.infra.token_endpoint import ask_for_client
from engine.store.connections import read_connection

CALL_SECONDS: Final = 15.0
# Another process may be asking for its token.
TOKEN_SECONDS: Final = 30.0
MAX_REDIRECTS: Final = 3
_REFUSED: Final = frozenset({401, 403})
_FIRST_FAILURE: Final = 400


class ConnectionTester:
    """Makes the calls, outside any transaction: they take as long as their target does."""

    def __init__(self, isolation: Isolation, envelopes: Envelopes, http: HttpClient, tokens: AccessTokens) -> None:
        self._isolation = isolation
        self._http = http
        self._opener = ConnectionOpener(envelopes, _TokensToTry(http, tokens))

    async def test(self, principal: Principal, connection_id: UUID, asked: ConnectionTest) -> ConnectionTestResult:
        """What comes of a call with the connection. Raises NotFound, or InvalidRequest where there is no URL."""
        async with self._isolation.read(principal.workspace_id) as reader:
            row = await read_connection(reader, principal.workspace_id, connection_id)
        if row is None:
            raise NotFound
        url = asked.url or _choose_url(row.allowed_hosts)
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                opened = await self._opener.open(row.kept)
            if url is not None:
                opened.require_host(url)
        except ConnectionFault as fault:
            return _fail(fault.code, fault.message)
        except InvalidUrlError as error:
            raise InvalidRequest(errors=[Problem("/url", "format", error.message)]) from None
        except TimeoutError:
            return _fail("timeout", f"there was no access token within {TOKEN_SECONDS:g} s")
        if url is not None:
            return await self._call(opened, url)
        if opened.token is None:
            message = "name a URL to call: the connection has no allowed host that could stand for it"
            raise InvalidRequest(errors=[Problem("/url", "required", message)])
        message = "the token endpoint gave an access token"
        if not opened.token.is_new:
            message = "somebody has signed in, and the access token has not ended"
        return ConnectionTestResult(ok=True, status=None, elapsed_ms=None, code=None, message=message)

    async def _call(self, opened: OpenConnection, url: str) -> ConnectionTestResult:
        try:
            answer = await self._http.request(
                "GET", url, headers=opened.add_to([]), timeout=CALL_SECONDS, max_redirects=MAX_REDIRECTS
            )
        except HttpError as error:
            return _fail(error.code, opened.redactor.clean_text(error.message))
        return _judge(answer, opened.redactor.clean_text(urlsplit(answer.url).hostname or ""))


class _TokensToTry:
    """Tokens of a sign-in as they are kept; a client's own is asked for, as a kept one says nothing of its secret."""

    def __init__(self, http: HttpClient, tokens: AccessTokens) -> None:
        self._http = http
        self._tokens = tokens

    async def get(self, kept: KeptConnection, client: OAuthSecret) -> AccessToken:
        """A token that can be used now; raises TokenError."""
        if isinstance(client, AuthorizationCode):
            return await self._tokens.get(kept, client)
        granted = await ask_for_client(self._http, client)
        return AccessToken(text=granted.access_token, is_new=True)


def _choose_url(allowed_hosts: Sequence[str]) -> str | None:
    """The first host that is allowed by its whole name."""
    return next((f"https://{host}/" for host in allowed_hosts if not host.startswith("*")), None)


def _judge(answer: HttpResponse, host: str) -> ConnectionTestResult:
    code, message = None, f"{host} answered {answer.status}"
    if answer.status in _REFUSED:
        code, message = "credentials_refused", f"{message}: it does not take the credentials"
    elif answer.status >= _FIRST_FAILURE:
        code, message = "http_status", f"{message}, which says nothing good of the credentials"
    return ConnectionTestResult(
        ok=code is None, status=answer.status, elapsed_ms=answer.elapsed_ms, code=code, message=message
    )


def _fail(code: str, message: str) -> ConnectionTestResult:
    return ConnectionTestResult(ok=False, status=None, elapsed_ms=None, code=code, message=message)
