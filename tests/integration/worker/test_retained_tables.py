"""Every table is bounded: by retention, or by what else deletes its rows, or by what people make by hand."""

from datetime import timedelta

import asyncpg
import pytest

from engine.infra import metrics
from engine.infra.ids import new_id
from tests.integration.worker.retained import NOW, PLACE, Place

# What keeps a table from growing without end, where it is not retention. Another table belongs into one of both.
BOUNDED = {
    "alembic_version": "one row",
    "api_key": "made by people, who delete them",
    "audit_entry": "kept for ever, on purpose: nobody deletes what tells who did what",
    "audit_head": "one row a workspace",
    "connection": "made by people, who delete them",
    "connection_authorization": "the expired ones are deleted when another sign-in for a connection begins",
    "connection_token": "one row a connection, deleted with it",
    "held_event": "deleted when its run starts; a trigger holds so many and no more",
    "held_group": "deleted with the last of its events",
    "held_remainder": "deleted once its events are noted",
    "held_review": "deleted once the groups of its trigger were looked at",
    "ingest_tally": "folded into ingest_minute twice a minute",
    "listener_revision": "one row",
    "membership": "made by people, who delete them",
    "outbox": "deleted when it is published",
    "schedule": "one row a trigger, deleted with it",
    "used_oidc_flow": "the old ones are deleted when another one is used",
    "user_account": "made by people",
    "user_identity": "made by people, a few an account",
    "variable": "made by people, who delete them",
    "workflow": "made by people",
    "workflow_trigger": "made by people, who delete them",
    "workspace": "made by people",
}
# Their rows go with the runs that they belong to, most of them with whole partitions.
OF_RUNS = {"run", "journal", "payload", "approval", "inbox"}

# A table, what to insert ($1 an id, $2 its time), how long it is kept.
AGED = {
    "receipt": (
        "inbound_event",
        """
        INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, received_at)
        VALUES ($1, $1, $1, 'started', $2)
        """,
        30.0,
    ),
    "payload of a filtered event": (
        "filtered_payload",
        "INSERT INTO filtered_payload (event_id, trigger_id, payload) VALUES ($1, $1, timestamptz_send($2))",
        30.0,
    ),
    "account of a minute": ("ingest_minute", "INSERT INTO ingest_minute (workspace_id, minute) VALUES ($1, $2)", 30.0),
    "answer to a repeated request": (
        "idempotency_key",
        """
        INSERT INTO idempotency_key (workspace_id, principal_id, route, key, request_hash, created_at)
        SELECT id, $1, '', '', '', $2 FROM workspace
        """,
        1.0,
    ),
    "session": (
        "user_session",
        """
        INSERT INTO user_session (id, user_id, workspace_id, expires_at)
        SELECT $1, user_account.id, workspace.id, $2 FROM user_account, workspace
        """,
        1.0,
    ),
    "token of a session that goes on": (
        "refresh_token",
        """
        WITH session AS (
            INSERT INTO user_session (id, user_id, workspace_id, expires_at)
            SELECT $1, user_account.id, workspace.id, $2::timestamptz + interval '1 year' FROM user_account, workspace
            RETURNING id
        )
        INSERT INTO refresh_token (token_hash, session_id, expires_at) SELECT uuid_send($1), id, $2 FROM session
        """,
        1.0,
    ),
    "invitation, whatever became of it": (
        "invitation",
        """
        INSERT INTO invitation (id, workspace_id, email, role, token_hash, invited_by, expires_at, accepted_at)
        SELECT $1, workspace.id, 'a@b', 'viewer', uuid_send($1), user_account.id, $2, $2 FROM user_account, workspace
        """,
        30.0,
    ),
    "count of what followed from an event": (
        "event_line",
        "INSERT INTO event_line (root, runs, created_at) VALUES ($1::uuid::text, 1, $2)",
        30.0,
    ),
    "retired signing key": (
        "signing_key",
        "INSERT INTO signing_key (kid, public_key, sealed_private_key, retired_at) VALUES ($1::uuid::text, '', '', $2)",
        1.0,
    ),
    "dead worker": (
        "worker",
        "INSERT INTO worker (name, host, pid, alive, heartbeat_at) VALUES ($1::uuid::text, '', 1, false, $2)",
        1.0,
    ),
    "draft that was tested": (
        "workflow_version",
        """
        INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by, created_at)
        SELECT $1, workspace_id, id, 0, '', $1, $2 FROM workflow
        """,
        30.0,
    ),
}


@pytest.mark.parametrize(("table", "statement", "days"), AGED.values(), ids=AGED)
async def test_what_is_old_goes_in_batches_and_what_is_not_stays(
    place: Place, table: str, statement: str, days: float
) -> None:
    await place.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", PLACE)
    await place.connection.execute("INSERT INTO user_account (id, email, name) VALUES ($1, 'a@b', 'a')", PLACE)
    await place.connection.execute(
        "INSERT INTO workflow (id, workspace_id, name, definition, created_by, updated_by) "
        "VALUES ($1, $1, 'w', '', $1, $1)",
        PLACE,
    )
    for number in range(5):
        at = NOW + timedelta(seconds=number)
        await place.connection.execute(statement, new_id(at), at)
    last = NOW + timedelta(hours=3)
    await place.connection.execute(statement, new_id(last), last)
    await place.pass_(days - 0.01, retention_batch_rows=2)
    assert await place.count(table) == 6
    await place.pass_(days + 0.01, retention_batch_rows=2)
    assert await place.count(table) == 1


async def list_tables(connection: asyncpg.Connection) -> set[str]:
    """All tables but for partitions."""
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition"
    )
    return {row["relname"] for row in rows}


def list_retained() -> set[str]:
    """The tables that a pass has looked at in this process."""
    return {sample.labels["table"] for family in metrics.RETENTION_ROWS.collect() for sample in family.samples}


async def test_every_table_is_bounded_by_retention_or_for_a_reason(place: Place) -> None:
    await place.pass_(1)
    retained = list_retained() | OF_RUNS
    assert await list_tables(place.connection) - retained == BOUNDED.keys() & await list_tables(place.connection)
    assert not retained & BOUNDED.keys(), "what retention looks at needs no other reason"
    tried = {table for table, _, _ in AGED.values()}
    assert retained - OF_RUNS - tried == {"dedup_key"}, "of each table rows are seen to go"
