"""When schedules are due, and a number that tells relays when event triggers have changed.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Null: it is never due again, or switched off. `last_*` and `skip*` are there for people to read.
    """
    CREATE TABLE schedule (
        trigger_id uuid NOT NULL CONSTRAINT schedule_pkey PRIMARY KEY
            CONSTRAINT schedule_trigger_id_fkey REFERENCES workflow_trigger (id) ON DELETE CASCADE,
        next_due_at timestamptz,
        last_due_at timestamptz,
        last_run_id uuid,
        skipped_at timestamptz,
        skip_reason text
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
    """,
    "CREATE INDEX schedule_next_due_at_idx ON schedule (next_due_at) WHERE next_due_at IS NOT NULL",
    # One row at most, moved on in each transaction that changes an event trigger.
    """
    CREATE TABLE listener_revision (
        id smallint NOT NULL DEFAULT 1 CONSTRAINT listener_revision_pkey PRIMARY KEY
            CONSTRAINT listener_revision_id_check CHECK (id = 1),
        revision bigint NOT NULL
    )
    """,
    "CREATE INDEX workflow_trigger_event_idx ON workflow_trigger (workspace_id) WHERE type = 'event'",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables; schedules and event triggers go with them, as nothing would fire them."""
    op.execute("DELETE FROM workflow_trigger WHERE type IN ('schedule', 'event')")
    op.execute("DROP INDEX workflow_trigger_event_idx")
    op.execute("DROP TABLE listener_revision")
    op.execute("DROP TABLE schedule")
