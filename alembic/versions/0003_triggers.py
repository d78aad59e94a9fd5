"""Triggers, inbound events and deduplication keys.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE workflow_trigger (
        id uuid PRIMARY KEY,
        workspace_id uuid NOT NULL REFERENCES workspace (id),
        workflow_id uuid NOT NULL REFERENCES workflow (id),
        type text NOT NULL,
        config bytea NOT NULL,
        secret bytea,
        token text UNIQUE,
        enabled boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX workflow_trigger_workflow_id_idx ON workflow_trigger (workflow_id)",
    # What became of everything that a trigger accepted; written in the transaction that starts the run.
    """
    CREATE TABLE inbound_event (
        id uuid PRIMARY KEY,
        workspace_id uuid NOT NULL,
        trigger_id uuid NOT NULL,
        outcome text NOT NULL,
        run_id uuid,
        dedup_key text,
        received_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT inbound_event_outcome_check CHECK (outcome IN
            ('pending', 'started', 'duplicate', 'filtered', 'rejected'))
    )
    """,
    "CREATE INDEX inbound_event_trigger_id_idx ON inbound_event (trigger_id, id)",
    # Not partitioned: the key must be unique over all time that it is kept. `scope` is a trigger, or what else
    # deduplicates; `fingerprint` tells a repeated request from another one under the same key.
    """
    CREATE TABLE dedup_key (
        scope uuid NOT NULL,
        key text NOT NULL,
        fingerprint bytea,
        event_id uuid,
        run_id uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (scope, key)
    )
    """,
    "CREATE INDEX dedup_key_created_at_idx ON dedup_key USING brin (created_at)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("dedup_key", "inbound_event", "workflow_trigger"):
        op.execute(f"DROP TABLE {table}")
