"""The API in this process over real servers, and callers with any role in any workspace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import msgspec
from argon2 import PasswordHasher
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth import repository
from app.auth.permissions import Role
from app.main import Application, create_app
from engine.infra.database import create_engine
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.patience import Patience

PASSWORD = "correct horse battery staple"
PASSWORD_HASH = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)


class Caller(Struct):
    """Someone who is signed in."""

    client: httpx.AsyncClient
    user_id: UUID
    workspace_id: UUID
    email: str
    tokens: dict[str, Any]


class Api:
    """The application under test."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.settings: Settings = app.state.settings
        self._clients: list[httpx.AsyncClient] = []
        # What a test itself looks up and puts there is spared faults.
        usual = msgspec.structs.replace(self.settings, test_database_faults="")
        self._own = create_engine(usual, name="test") if self.settings.test_database_faults else None

    @property
    def database(self) -> AsyncEngine:
        database: AsyncEngine = self._own or self.app.state.database
        return database

    def client(self, token: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client, anonymous without a token, calling from `address`."""
        client = httpx.AsyncClient(
            auth=Patience() if self.settings.test_database_faults else None,
            transport=httpx.ASGITransport(self.app, client=(address, 40_000)),
            base_url="http://flowforge.test",
            headers={"authorization": f"Bearer {token}"} if token else {},
        )
        self._clients.append(client)
        return client

    async def sign_in(self, role: Role = Role.OWNER, workspace_id: UUID | None = None) -> Caller:
        """A new user with this role in the workspace (a new one if none is named), signed in over the API."""
        user_id = new_id()
        email = f"{role.value}-{user_id.hex[-8:]}@example.com"
        async with self.database.begin() as connection:
            if workspace_id is None:
                workspace_id = new_id()
                await repository.insert_workspace(connection, workspace_id, "Workspace")
            await repository.insert_user(connection, user_id, email, role.value.title(), PASSWORD_HASH)
            await repository.insert_membership(connection, workspace_id, user_id, role.value)
        answer = await self.client().post("/v1/auth/login", json={"email": email, "password": PASSWORD})
        tokens = answer.raise_for_status().json()
        client = self.client(tokens["access_token"])
        return Caller(client=client, user_id=user_id, workspace_id=workspace_id, email=email, tokens=tokens)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
        if self._own is not None:
            await self._own.dispose()


@cache
def _application(settings: Settings) -> Application:
    # Putting it together takes longer than most tests; everything that it keeps is made anew when it starts.
    return create_app(settings)


@asynccontextmanager
async def running(settings: Settings, *, beside_another: bool = False) -> AsyncIterator[Api]:
    """The API from start to stop, in a task of its own: a fixture's end runs in another task than its beginning."""
    # With faults each test has a plan of its own.
    is_own = beside_another or bool(settings.test_database_faults)
    app = create_app(settings) if is_own else _application(msgspec.structs.replace(settings, data_dir=""))
    started, ended = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await ended.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task
    api = Api(app)
    try:
        yield api
    finally:
        await api.close()
        ended.set()
        await task
