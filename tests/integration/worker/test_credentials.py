"""Connections as a worker reads them: as they are now, and with few statements however many attempts ask."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from engine.infra.database import connect, create_pool
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.infra.open_connections import ConnectionFault
from engine.infra.secrets import SecretBox
from engine.infra.settings import Settings
from engine.store import connections as store
from engine.store.connections import CONNECTION_PURPOSE, place_of_secret
from engine.worker import credentials as module
from engine.worker.credentials import Credentials

KEY = base64.b64encode(bytes(range(32))).decode()


class Desk:
    """A worker's connections, and a hand that makes and changes them."""

    def __init__(self, credentials: Credentials, connection: asyncpg.Connection) -> None:
        self.credentials = credentials
        self.workspace_id = new_id()
        self.connection = connection
        self._box = Envelopes(SecretBox(KEY, CONNECTION_PURPOSE))

    async def put(self, name: str, token: str, *, workspace_id: UUID | None = None) -> None:
        """Make the connection, or change its secret."""
        workspace_id = workspace_id or self.workspace_id
        await self.connection.execute(
            "INSERT INTO workspace (id, name) VALUES ($1, 'w') ON CONFLICT DO NOTHING", workspace_id
        )
        find = "SELECT id, secret_version FROM connection WHERE workspace_id = $1 AND name = $2"
        row = await self.connection.fetchrow(find, workspace_id, name)
        connection_id, version = (row["id"], row["secret_version"] + 1) if row else (new_id(), 1)
        secret = f'{{"token": "{token}"}}'.encode()
        sealed = self._box.seal(secret, place_of_secret(workspace_id, connection_id, version))
        await self.connection.execute(
            """
            INSERT INTO connection (id, workspace_id, name, type, secret, wrapped_key, created_by, updated_by)
            VALUES ($1, $2, $3, 'bearer', $4, $5, $1, $1)
            ON CONFLICT (workspace_id, name) DO UPDATE SET secret = EXCLUDED.secret, wrapped_key = EXCLUDED.wrapped_key,
                secret_version = connection.secret_version + 1, revision = connection.revision + 1
            """,
            connection_id,
            workspace_id,
            name,
            sealed.value,
            sealed.wrapped_key,
        )

    async def ask(self, name: str, workspace_id: UUID | None = None) -> str:
        """The token that an attempt would send."""
        opened = await self.credentials.of(workspace_id or self.workspace_id).open(name)
        return opened.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """Over a real database."""
    settings = msgspec.structs.replace(settings, secret_key=KEY)
    pool = await create_pool(settings, name="test", size=2)

    async def connected() -> asyncpg.Pool:
        return pool

    async with HttpClient(settings) as http:
        credentials = Credentials(settings, http, connected)
        connection = await connect(settings, name="test")
        try:
            yield Desk(credentials, connection)
        finally:
            await credentials.close()
            await connection.close()
            pool.terminate()


async def test_a_changed_secret_is_what_the_next_attempt_gets(desk: Desk) -> None:
    for number in range(20):
        await desk.put("shop", f"token-{number}")
        assert await desk.ask("shop") == f"token-{number}"


async def test_many_attempts_share_a_statement(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    began, may_answer = asyncio.Event(), asyncio.Event()

    async def read(pool: Any, names: Any) -> Any:
        asked.append(len(names))
        began.set()
        await may_answer.wait()
        return await store.read_connections(pool, names)

    for name in ("a", "b"):
        await desk.put(name, f"token-{name}")
    monkeypatch.setattr(module, "read_connections", read)
    first = asyncio.create_task(desk.ask("a"))
    await began.wait()
    # They come while a statement is under way, and are not to be told what it has seen.
    late = [asyncio.create_task(desk.ask(name)) for name in "ab" * 500]
    # Each has asked once it had its turn.
    for _ in range(3):
        await asyncio.sleep(0)
    may_answer.set()
    assert await first == "token-a"
    assert set(await asyncio.gather(*late)) == {"token-a", "token-b"}
    assert asked == [1, 2]


async def test_one_attempt_that_is_broken_off_takes_nothing_from_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_answer = asyncio.Event(), asyncio.Event()

    async def read(pool: Any, names: Any) -> Any:
        began.set()
        await may_answer.wait()
        return await store.read_connections(pool, names)

    await desk.put("shop", "token")
    monkeypatch.setattr(module, "read_connections", read)
    first, second = (asyncio.create_task(desk.ask("shop")) for _ in range(2))
    await began.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    may_answer.set()
    assert await second == "token"


async def test_another_workspaces_connection_is_none(desk: Desk) -> None:
    other = new_id()
    await desk.put("shop", "theirs", workspace_id=other)
    with pytest.raises(ConnectionFault, match="no connection 'shop'"):
        await desk.ask("shop")
    await desk.put("shop", "ours")
    assert (await desk.ask("shop"), await desk.ask("shop", other)) == ("ours", "theirs")


async def test_a_row_that_was_moved_to_another_workspace_does_not_open(desk: Desk) -> None:
    other = new_id()
    await desk.put("shop", "theirs", workspace_id=other)
    await desk.put("mine", "ours")
    move = "UPDATE connection SET workspace_id = $1 WHERE workspace_id = $2"
    await desk.connection.execute(move, desk.workspace_id, other)
    with pytest.raises(ConnectionFault, match="does not open"):
        await desk.ask("shop")
    assert await desk.ask("mine") == "ours"


async def test_a_database_that_is_away_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([asyncpg.CannotConnectNowError("starting"), ConnectionRefusedError("gone")])

    async def read(pool: Any, names: Any) -> Any:
        for failure in failures:
            raise failure
        return await store.read_connections(pool, names)

    await desk.put("shop", "token")
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(module, "read_connections", read)
    assert await desk.ask("shop") == "token"
