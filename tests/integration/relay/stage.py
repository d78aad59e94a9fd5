"""Runs of a workspace that come to an end, the events that tell of it, and who listens to them."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.infra.ids import new_id
from engine.relay.events import EventMatcher
from engine.store.outbox import delete, take
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.triggers import Workspace


class Stage:
    """Runs that come to an end, and the events that tell of it."""

    def __init__(self, workspace: Workspace, outbox: Outbox) -> None:
        self.workspace = workspace
        self.outbox = outbox

    async def add_run(self, workflow_id: UUID, **more: Any) -> UUID:
        """A run that has ended; nothing led to it, unless told otherwise."""
        values = {"trigger_type": "api", "is_test": False, "parent_run_id": None, "origin_run_id": None, **more}
        run_id = new_id()
        await self.outbox.connection.execute(
            """
            INSERT INTO run (id, workspace_id, workflow_id, version_id, version, trigger_type, status, is_test,
                             parent_run_id, origin_run_id)
            VALUES ($1, $2, $3, $3, 1, $4, 'failed', $5, $6, $7)
            """,
            run_id,
            self.workspace.id,
            workflow_id,
            values["trigger_type"],
            values["is_test"],
            values["parent_run_id"],
            values["origin_run_id"],
        )
        return run_id

    async def tell(self, workflow_id: UUID, run_id: UUID, kind: str = "run.failed", seq: int = 9) -> None:
        """The event as a worker leaves it in the outbox."""
        payload = {
            "id": f"{run_id}:{seq}",
            "type": kind,
            "workspace_id": self.workspace.id,
            "workflow_id": workflow_id,
            "run_id": run_id,
            "seq": seq,
            "error": {"code": "too_big", "message": "it is too big"},
        }
        await self.outbox.add("event", msgspec.json.encode(payload), run_id=run_id, workspace_id=self.workspace.id)

    async def fail(self, workflow_id: UUID, **more: Any) -> UUID:
        """A run that failed, and its event."""
        run_id = await self.add_run(workflow_id, **more)
        await self.tell(workflow_id, run_id)
        return run_id


async def listen(workspace: Workspace, starts: UUID, **config: Any) -> UUID:
    """An event trigger of the workflow that it starts, known to relays from now on."""
    trigger_id = await workspace.add_trigger(starts, "event", {"event": "run.failed", **config})
    await note_change(workspace.connection)
    return trigger_id


async def note_change(connection: asyncpg.Connection) -> None:
    """Have relays read anew who listens."""
    await connection.execute(
        """
        INSERT INTO listener_revision (revision) VALUES (1)
        ON CONFLICT (id) DO UPDATE SET revision = listener_revision.revision + 1
        """
    )


async def match(matcher: EventMatcher, connection: asyncpg.Connection) -> int:
    """Take one batch and start what listens, as the relay does."""
    await connection.execute("BEGIN")
    rows = await take(connection, 500, [], 10)
    made = await matcher.start(connection, await matcher.find(connection, rows)) if rows else 0
    await delete(connection, [row.id for row in rows], 10)
    await connection.execute("COMMIT")
    return made
