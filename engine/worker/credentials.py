"""Connections as attempts need them: read anew for every attempt, with one statement for all that ask at a time.

So a changed secret is in use from the next attempt on, in every worker, and however many attempts start, a worker
asks once a round trip at most. Attempts without a connection ask nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import structlog

from engine.infra.access_tokens import AccessTokens
from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient
from engine.infra.kept_connections import KeptConnection
from engine.infra.open_connections import ConnectionFault, ConnectionOpener, OpenConnection
from engine.infra.secrets import SecretBox, SecretKeys
from engine.infra.settings import SettingError, Settings
from engine.store.connection_tokens import TokenStore
from engine.store.connections import CONNECTION_PURPOSE, ConnectionName, ConnectionRow, read_connections

PAUSE_SECONDS = 0.2

_log = structlog.get_logger()


class Credentials:
    """The connections of all workspaces, in one worker."""

    def __init__(self, settings: Settings, http: HttpClient, connect: Callable[[], Awaitable[asyncpg.Pool]]) -> None:
        self._settings = settings
        self._http = http
        self._connect = connect
        self._opening: tuple[ConnectionOpener, AccessTokens] | None = None
        self._asked: dict[ConnectionName, asyncio.Future[ConnectionRow | None]] = {}
        self._reader: asyncio.Task[None] | None = None

    def of(self, workspace_id: UUID) -> "WorkspaceConnections":
        """Those of one workspace."""
        return WorkspaceConnections(self, workspace_id)

    async def read(self, workspace_id: UUID, name: str) -> KeptConnection:
        """The connection as it is now; raises ConnectionFault where there is none."""
        key = ConnectionName(workspace_id, name)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read_all())
        # Others may wait for the same: one that is broken off takes it from nobody.
        row = await asyncio.shield(asked)
        if row is None:
            raise ConnectionFault("unknown_connection", f"there is no connection '{name}' in this workspace")
        return row.kept

    def opening(self) -> tuple[ConnectionOpener, AccessTokens]:
        """What opens them, and their tokens; raises ConnectionFault where this worker has no usable secret key."""
        if self._opening is None:
            # With the first connection: a worker without any needs no key.
            try:
                box = SecretBox(SecretKeys(self._settings), CONNECTION_PURPOSE)
            except (SettingError, OSError) as error:
                raise ConnectionFault("connection_sealed", f"this worker has no secret key: {error}") from None
            envelopes = Envelopes(box)
            tokens = AccessTokens(self._http, envelopes, TokenStore(self._connect))
            self._opening = ConnectionOpener(envelopes, tokens), tokens
        return self._opening

    async def close(self) -> None:
        """Break off what is being read or asked for; what a token endpoint gives in these seconds is kept."""
        if self._opening is not None:
            await self._opening[1].close()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def _read_all(self) -> None:
        while self._asked:
            # Who asks from here on is to see what was changed until then: that takes the next statement.
            asked, self._asked = self._asked, {}
            try:
                rows = await self._insist(asked)
            except Exception as error:
                for future in asked.values():
                    _settle(future, error)
            else:
                for name, future in asked.items():
                    _settle(future, rows.get(name))

    async def _insist(
        self, asked: dict[ConnectionName, asyncio.Future[ConnectionRow | None]]
    ) -> dict[ConnectionName, ConnectionRow]:
        """The rows; a database that is away is waited for, as long as attempts have the time."""
        while True:
            try:
                return await read_connections(await self._connect(), asked.keys())
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise
                _log.warning("connections_unavailable", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)


class WorkspaceConnections:
    """The connections of one workspace, as its attempts open them."""

    __slots__ = ("_credentials", "_kept", "_workspace_id")

    def __init__(self, credentials: Credentials, workspace_id: UUID) -> None:
        self._credentials = credentials
        self._workspace_id = workspace_id
        self._kept: KeptConnection | None = None

    async def open(self, name: str) -> OpenConnection:
        """The connection as it is now; raises ConnectionFault."""
        self._kept = await self._credentials.read(self._workspace_id, name)
        opener, _ = self._credentials.opening()
        return await opener.open(self._kept)

    async def discard_token(self, connection: OpenConnection) -> bool:
        """The target has refused the access token; whether the next attempt gets another one than this was."""
        if self._kept is None or connection.token is None:
            return False
        _, tokens = self._credentials.opening()
        return await tokens.discard(self._kept, connection.token)


def _settle(future: "asyncio.Future[ConnectionRow | None]", outcome: ConnectionRow | Exception | None) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
        # All who waited may have been broken off.
        future.exception()
    else:
        future.set_result(outcome)
