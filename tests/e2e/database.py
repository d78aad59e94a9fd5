"""A look behind the API: the product's own PostgreSQL and Redis."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from argon2 import PasswordHasher

from tests.e2e.client import PASSWORD
from tests.product import PATIENCE_SECONDS


class Database:
    """The database of a running product. Its address is asked for each time: a restarted server may have moved."""

    def __init__(self, find_url: Callable[[], str]) -> None:
        self._find_url = find_url

    def fetch(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement."""
        return _run(self._fetch(statement, values))

    def add_workspace(self, name: str = "Other") -> UUID:
        """The id of a new workspace."""
        workspace_id = uuid4()
        self.fetch("INSERT INTO workspace (id, name) VALUES ($1, $2)", workspace_id, name)
        return workspace_id

    def add_member(self, workspace_id: UUID, role: str) -> str:
        """The email of a new user in a workspace, whose password is the usual one."""
        user_id = uuid4()
        email = f"{role}-{user_id.hex}@example.com"
        hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self.fetch(
            "INSERT INTO user_account (id, email, name, password_hash) VALUES ($1, $2, $3, $4)",
            user_id,
            email,
            role,
            hasher.hash(PASSWORD),
        )
        statement = "INSERT INTO membership (workspace_id, user_id, role) VALUES ($1, $2, $3)"
        self.fetch(statement, workspace_id, user_id, role)
        return email

    async def _fetch(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self._find_url(), timeout=PATIENCE_SECONDS)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()


def _run(work: Coroutine[Any, Any, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    # pytest-asyncio owns the main thread's loop.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()
