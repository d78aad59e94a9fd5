"""How many runs have followed from an event, by event triggers that led from one to the next.

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `root`: the event with which a line of runs began. What it starts itself is not counted: the listeners bound that.
    """
    CREATE TABLE event_line (
        root text NOT NULL CONSTRAINT event_line_pkey PRIMARY KEY,
        runs integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX event_line_created_at_idx ON event_line (created_at)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE event_line")
