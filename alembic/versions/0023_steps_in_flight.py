"""How many attempts each worker has under way, by workspace: its heartbeat tells.

Revision ID: 0023
Revises: 0022
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; workers that do not know it yet tell of nothing."""
    op.execute("ALTER TABLE worker ADD COLUMN steps_in_flight jsonb NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE worker DROP COLUMN steps_in_flight")
