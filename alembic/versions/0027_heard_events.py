"""Which events in the outbox have started what listens to them before they could be published.

Revision ID: 0027
Revises: 0026
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; rows are not rewritten."""
    op.execute("ALTER TABLE outbox ADD COLUMN is_heard boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE outbox DROP COLUMN is_heard")
