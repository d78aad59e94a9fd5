"""A real outbox, as the engine fills it and as a relay leaves it."""

import asyncio
from uuid import UUID

import asyncpg

from engine.infra.bell import CHANNEL
from engine.infra.ids import new_id
from tests.product import PATIENCE_SECONDS

WORKSPACE = new_id()


class Outbox:
    """Writes rows as the engine would, and looks at what is left."""

    def __init__(self, connection: asyncpg.Connection, control: asyncpg.Connection) -> None:
        self.connection = connection
        self._control = control

    async def add(
        self,
        kind: str = "event",
        payload: bytes = b"{}",
        *,
        run_id: UUID | None = None,
        traceparent: str | None = None,
        workspace_id: UUID = WORKSPACE,
    ) -> UUID:
        run_id = run_id or new_id()
        await self.connection.execute(
            "INSERT INTO outbox (kind, workspace_id, run_id, traceparent, payload) VALUES ($1, $2, $3, $4, $5)",
            kind,
            workspace_id,
            run_id,
            traceparent,
            payload,
        )
        return run_id

    async def add_numbered(self, count: int) -> None:
        await self.connection.execute(
            """
            INSERT INTO outbox (kind, workspace_id, run_id, payload)
            SELECT 'event', $1, $1, convert_to(n::text, 'UTF8') FROM generate_series(1, $2) AS n ORDER BY n
            """,
            WORKSPACE,
            count,
        )

    async def notify(self, payload: str) -> None:
        """Ring the outbox's bell."""
        await self.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    async def count(self) -> int:
        count: int = await self.connection.fetchval("SELECT count(*) FROM outbox")
        return count

    async def until_empty(self, seconds: float = PATIENCE_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while await self.count():
                await asyncio.sleep(0.02)

    async def leaders(self) -> list[int]:
        """The processes of PostgreSQL that hold the relay's lock."""
        rows = await self._control.fetch("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        return [row["pid"] for row in rows]

    async def leader(self, other_than: int | None = None, seconds: float = PATIENCE_SECONDS) -> int:
        async with asyncio.timeout(seconds):
            while not (found := [pid for pid in await self.leaders() if pid != other_than]):
                await asyncio.sleep(0.01)
        (pid,) = found
        return pid

    async def end_session(self, pid: int) -> None:
        await self._control.execute("SELECT pg_terminate_backend($1)", pid)
