"""A database whose time is moved on, and runs in it that get old."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store.partitions import list_partitions
from engine.worker import retention as duty
from engine.worker.retention import Retention

NOW = datetime.now(UTC)
PLACE = new_id()

_RUN = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, created_at, finished_at)
VALUES ($1, $2, $2, $2, 1, 'api', $3, $4, $5)
"""


class Place:
    """A database of its own whose time can be moved."""

    def __init__(self, connection: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = connection
        self.settings = settings
        self.now = NOW
        monkeypatch.setattr(duty, "read_time", self._read_time)

    async def _read_time(self, _connection: asyncpg.Connection) -> datetime:
        return self.now

    async def pass_(self, days: float, **changes: int) -> bool:
        """A pass of the retention, so many days from now."""
        self.now = NOW + timedelta(days=days)
        return await Retention(msgspec.structs.replace(self.settings, **changes)).make_pass(self.connection)

    async def run(self, days: float = 0, *, status: str = "succeeded") -> UUID:
        """A run that was started, and perhaps ended, so many days from now, with its history."""
        at = NOW + timedelta(days=days)
        run_id = new_id(at)
        is_over = status not in ("queued", "running", "waiting")
        await self.connection.execute(_RUN, run_id, PLACE, status, at, at if is_over else None)
        for seq in (1, 2):
            await self.connection.execute(
                "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, $2, 'x', $3, '')", run_id, seq, at
            )
        await self.connection.execute("INSERT INTO payload (run_id, id, data) VALUES ($1, $1, '')", run_id)
        await self.connection.execute(
            "INSERT INTO approval (id, workspace_id, run_id, step, message, status, created_at) "
            "VALUES ($1, $2, $3, 's', '', 'approved', $4)",
            new_id(at),
            PLACE,
            run_id,
            at,
        )
        await self.connection.execute("INSERT INTO inbox (run_id, kind, payload) VALUES ($1, 'signal', '')", run_id)
        return run_id

    async def left(self, run_id: UUID) -> dict[str, int]:
        """How many rows each table has of the run."""
        counts = {"run": await self.connection.fetchval("SELECT count(*) FROM run WHERE id = $1", run_id)}
        for table in ("journal", "payload", "approval", "inbox"):
            query = f"SELECT count(*) FROM {table} WHERE run_id = $1"  # noqa: S608 - a table of ours
            counts[table] = await self.connection.fetchval(query, run_id)
        return counts

    async def names(self, table: str = "run") -> list[str]:
        return [partition.name for partition in await list_partitions(self.connection, table)]

    async def count(self, table: str) -> int:
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a table of ours


ALL = {"run": 1, "journal": 2, "payload": 1, "approval": 1, "inbox": 1}
NOTHING = dict.fromkeys(ALL, 0)
