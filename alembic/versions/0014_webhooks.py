"""What webhooks need: rotation with an overlap, reasons of receipts, and the payloads of events that started no run.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Until when the secret before the last rotation is good as well.
    "ALTER TABLE workflow_trigger ADD COLUMN previous_secret_until timestamptz",
    # Why an event became what it is, where that is not plain.
    "ALTER TABLE inbound_event ADD COLUMN reason text",
    # Of the last events that a trigger's filter kept away: they are in no run's history. A few a trigger.
    """
    CREATE TABLE filtered_payload (
        event_id uuid NOT NULL CONSTRAINT filtered_payload_pkey PRIMARY KEY,
        trigger_id uuid NOT NULL,
        payload bytea NOT NULL
    )
    """,
    "CREATE INDEX filtered_payload_trigger_idx ON filtered_payload (trigger_id, event_id)",
)


def upgrade() -> None:
    """Add the columns and the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP TABLE filtered_payload")
    op.execute("ALTER TABLE inbound_event DROP COLUMN reason")
    op.execute("ALTER TABLE workflow_trigger DROP COLUMN previous_secret_until")
