"""Workflows with schedules and event triggers, as the API would have saved them, and the runs that came of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.infra.ids import new_id

DEFINITION = msgspec.json.encode({"schema": 1, "steps": [{"id": "a", "type": "transform", "with": {"values": {}}}]})


class Workspace:
    """One workspace's workflows and triggers."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.id = new_id()

    async def open(self) -> "Workspace":
        """Make it."""
        await self.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", self.id)
        return self

    async def publish(self, *, is_published: bool = True) -> UUID:
        """A workflow, with a published version unless told otherwise, whose id is the workflow's."""
        workflow_id = new_id()
        await self.connection.execute(
            """
            INSERT INTO workflow (id, workspace_id, name, definition, published_version, created_by, updated_by)
            VALUES ($1, $2, 'w', $3, $4, $1, $1)
            """,
            workflow_id,
            self.id,
            DEFINITION,
            1 if is_published else None,
        )
        await self.connection.execute(
            """
            INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by)
            VALUES ($1, $2, $1, 1, $3, $1)
            """,
            workflow_id,
            self.id,
            DEFINITION,
        )
        return workflow_id

    async def add_trigger(self, workflow_id: UUID, kind: str, config: Any) -> UUID:
        """A trigger that is switched on; `config` may be bytes that are none."""
        trigger_id = new_id()
        raw = config if isinstance(config, bytes) else msgspec.json.encode(config)
        await self.connection.execute(
            """
            INSERT INTO workflow_trigger (id, workspace_id, workflow_id, type, config)
            VALUES ($1, $2, $3, $4, $5)
            """,
            trigger_id,
            self.id,
            workflow_id,
            kind,
            raw,
        )
        return trigger_id

    async def add_schedule(self, workflow_id: UUID, config: Any, *, due_ago: timedelta = timedelta(0)) -> UUID:
        """A schedule that has been due since a while ago, at a whole second."""
        trigger_id = await self.add_trigger(workflow_id, "schedule", config)
        await self.connection.execute(
            "INSERT INTO schedule (trigger_id, next_due_at) VALUES ($1, date_trunc('second', now()) - $2::interval)",
            trigger_id,
            due_ago,
        )
        return trigger_id

    async def next_due(self, trigger_id: UUID) -> datetime | None:
        """When a schedule is due."""
        due: datetime | None = await self.connection.fetchval(
            "SELECT next_due_at FROM schedule WHERE trigger_id = $1", trigger_id
        )
        return due

    async def skip_reason(self, trigger_id: UUID) -> str | None:
        """Why a schedule passed over due times, if it did."""
        reason: str | None = await self.connection.fetchval(
            "SELECT skip_reason FROM schedule WHERE trigger_id = $1", trigger_id
        )
        return reason

    async def runs(self, trigger_id: UUID | None = None) -> list[dict[str, Any]]:
        """What the runs of a trigger, or of all, see as `trigger`, in their order, with `run_id`, `run_type`."""
        rows = await self.connection.fetch(
            """
            SELECT run.id, run.trigger_type, journal.payload FROM run JOIN journal ON run_id = run.id AND seq = 1
            WHERE run.workspace_id = $1 AND ($2::uuid IS NULL OR run.trigger_id = $2) ORDER BY run.id
            """,
            self.id,
            trigger_id,
        )
        return [
            {**msgspec.json.decode(row["payload"])["trigger"], "run_id": row["id"], "run_type": row["trigger_type"]}
            for row in rows
        ]

    async def receipts(self, trigger_id: UUID) -> list[tuple[str, UUID | None]]:
        """The outcomes of what a trigger received, with their runs."""
        rows = await self.connection.fetch(
            "SELECT outcome, run_id FROM inbound_event WHERE trigger_id = $1 ORDER BY id", trigger_id
        )
        return [(row["outcome"], row["run_id"]) for row in rows]
