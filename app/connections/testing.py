"""Trying a connection out: a real call with its credentials, under the same rules as a step's."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from app.auth.principal import Principal
from app.connections.schemas import ConnectionTest, ConnectionTestResult
from app.errors import InvalidRequest, NotFound
from engine.core.problems import Problem
from engine.infra.access_tokens import AccessTokens
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import HttpError, InvalidUrlError
from engine.infra.open_connections import ConnectionFault, ConnectionOpener, OpenConnection
from engine.store.connections import read_connection

CALL_SECONDS: Final = 15.0
MAX_REDIRECTS: Final = 3
_REFUSED: Final = frozenset({401, 403})
_FIRST_FAILURE: Final = 400


class ConnectionTester:
    """Makes the calls, outside any transaction: they take as long as their target does."""

    def __init__(self, pool: asyncpg.Pool, envelopes: Envelopes, http: HttpClient) -> None:
        self._pool = pool
        self._envelopes = envelopes
        self._http = http

    async def test(self, principal: Principal, connection_id: UUID, asked: ConnectionTest) -> ConnectionTestResult:
        """What comes of a call with the connection. Raises NotFound, or InvalidRequest where there is no URL."""
        row = await read_connection(self._pool, principal.workspace_id, connection_id)
        if row is None:
            raise NotFound
        url = asked.url or _choose_url(row.allowed_hosts)
        # Tokens of its own: one that was kept would say nothing of the client's secret.
        tokens = AccessTokens(self._http)
        try:
            opened = await ConnectionOpener(self._envelopes, tokens).open(row.kept)
            if url is not None:
                opened.require_host(url)
        except ConnectionFault as fault:
            return _fail(fault.code, fault.message)
        except InvalidUrlError as error:
            raise InvalidRequest(errors=[Problem("/url", "format", error.message)]) from None
        finally:
            tokens.close()
        if url is not None:
            return await self._call(opened, url)
        if opened.token is None:
            message = "name a URL to call: the connection has no allowed host that could stand for it"
            raise InvalidRequest(errors=[Problem("/url", "required", message)])
        message = "the token endpoint gave an access token"
        return ConnectionTestResult(ok=True, status=None, elapsed_ms=None, code=None, message=message)

    async def _call(self, opened: OpenConnection, url: str) -> ConnectionTestResult:
        try:
            answer = await self._http.request(
                "GET", url, headers=opened.add_to([]), timeout=CALL_SECONDS, max_redirects=MAX_REDIRECTS
            )
        except HttpError as error:
            return _fail(error.code, opened.redactor.clean_text(error.message))
        return _judge(answer, opened.redactor.clean_text(urlsplit(answer.url).hostname or ""))


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
