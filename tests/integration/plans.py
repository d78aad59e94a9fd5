"""What a statement costs the database, and transactions that see one workspace, as those of callers do."""

import json
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from engine.infra.ids import new_id
from engine.store.isolation import BIND


class Cost(NamedTuple):
    """The pages of the disk that a statement looked at, and its plan as JSON."""

    pages: int
    plan: str


async def measure(connection: asyncpg.Connection, statement: str, *values: Any) -> Cost:
    """Carry a statement out, and tell what it cost."""
    plan = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values)
    (top,) = json.loads(plan)
    return Cost(int(top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]), plan)


async def bind(connection: asyncpg.Connection, workspace_id: UUID | str) -> None:
    """Have the transaction see and change the rows of this workspace alone, as a caller's does."""
    assert await connection.fetchrow(BIND.replace(":workspace", "$1"), str(workspace_id)) is not None


async def add_workflow(connection: asyncpg.Connection, workspace_id: UUID) -> UUID:
    """A workflow of the workspace, with a draft of no bytes."""
    workflow_id = new_id()
    await connection.execute(
        "INSERT INTO workflow (id, workspace_id, name, definition, created_by, updated_by) "
        "VALUES ($1, $2, 'w', '', $1, $1)",
        workflow_id,
        workspace_id,
    )
    return workflow_id
