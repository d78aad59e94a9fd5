"""References between what workspaces own: by the workspace and the id together, or why not."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.infra.ids import new_id

_PARTITIONED = "runs lie in partitions that are dropped as a whole; the accepting statement joins what it names"
_OUTLIVES = "it outlives what it names: receipts, accounts and history stay when a trigger or a run is gone"
# References to owned rows without a foreign key that has the workspace in it.
EXEMPT = {
    "run.workflow_id": _PARTITIONED,
    "run.version_id": _PARTITIONED,
    "run.trigger_id": _PARTITIONED,
    "run.parent_run_id": _PARTITIONED,
    "run.origin_run_id": _PARTITIONED,
    "approval.run_id": _PARTITIONED,
    "outbox.run_id": "it lives for moments, and is written by the statement that changes the run",
    "inbound_event.trigger_id": _OUTLIVES,
    "inbound_event.run_id": _OUTLIVES,
    "held_group.trigger_id": _OUTLIVES,
    "held_group.workflow_id": _OUTLIVES,
    "audit_entry.api_key_id": _OUTLIVES,
    "audit_entry.target_id": _OUTLIVES,
    "connection_authorization.session_id": "a sign-in belongs to a user, in whichever workspace",
}
# Columns that name no row of a workspace: users, who stand above workspaces, and tags.
_NOT_OWNED = {"workspace_id", "user_id", "principal_id", "token_id", "lease_id", "id"}

_COLUMNS = """
SELECT format('%s.%s', relname, attname) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND NOT attisdropped
  AND attname LIKE '%\\_id' AND attname <> ALL ($1) AND EXISTS (
      SELECT FROM pg_attribute AS own WHERE own.attrelid = pg_class.oid AND own.attname = 'workspace_id')
"""
_HELD = """
SELECT format('%s.%s', conrelid::regclass, referring.attname)
FROM pg_constraint
JOIN LATERAL unnest(conkey) AS key ON true
JOIN pg_attribute AS referring ON referring.attrelid = conrelid AND referring.attnum = key
WHERE contype = 'f' AND convalidated AND EXISTS (
    SELECT FROM unnest(conkey, confkey) AS pair (own, theirs)
    JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = pair.own AND a.attname = 'workspace_id'
    JOIN pg_attribute AS b ON b.attrelid = confrelid AND b.attnum = pair.theirs AND b.attname = 'workspace_id')
"""


@pytest.fixture
async def connection(clean_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables."""
    opened = await asyncpg.connect(clean_database)
    yield opened
    await opened.close()


async def test_every_reference_to_an_owned_row_has_the_workspace_in_it(connection: asyncpg.Connection) -> None:
    columns = {row[0] for row in await connection.fetch(_COLUMNS, list(_NOT_OWNED))}
    held = {row[0] for row in await connection.fetch(_HELD)}
    assert columns - held - EXEMPT.keys() == set(), "give these a foreign key (workspace_id, …), or a reason above"
    assert EXEMPT.keys() - (columns - held) == set(), "these are held now, or gone"


async def test_a_trigger_cannot_be_of_another_workspace_than_its_workflow(connection: asyncpg.Connection) -> None:
    mine, theirs, workflow_id = new_id(), new_id(), new_id()
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'mine'), ($2, 'theirs')", mine, theirs)
    await connection.execute(
        "INSERT INTO workflow (id, workspace_id, name, definition, created_by, updated_by) "
        "VALUES ($1, $2, 'w', '{}', $2, $2)",
        workflow_id,
        theirs,
    )
    add = "INSERT INTO workflow_trigger (id, workspace_id, workflow_id, type, config) VALUES ($1, $2, $3, 'event', '')"
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="workflow_trigger_workflow_fkey"):
        await connection.execute(add, new_id(), mine, workflow_id)
    await connection.execute(add, new_id(), theirs, workflow_id)


async def test_a_token_cannot_be_of_another_workspace_than_its_connection(connection: asyncpg.Connection) -> None:
    mine, theirs, connection_id = new_id(), new_id(), new_id()
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'mine'), ($2, 'theirs')", mine, theirs)
    await connection.execute(
        "INSERT INTO connection (id, workspace_id, name, type, secret, wrapped_key, created_by, updated_by) "
        "VALUES ($1, $2, 'c', 'bearer', '', '', $2, $2)",
        connection_id,
        theirs,
    )
    add = "INSERT INTO connection_token (connection_id, workspace_id, secret_version) VALUES ($1, $2, 1)"
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="connection_token_connection_fkey"):
        await connection.execute(add, connection_id, mine)
    await connection.execute(add, connection_id, theirs)
