"""What the fair sweep needs: runnable runs, and suspended ones, by workspace.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Beside `run_runnable_idx`, by which older workers sweep. Not by id: there is an index of all runs by workspace and
    # id, which must never be taken for this one.
    """
    CREATE INDEX run_queued_idx ON run (workspace_id, created_at)
        WHERE owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running')
    """,
    "CREATE INDEX run_due_idx ON run (workspace_id, wake_at) WHERE owner IS NULL AND wake_at IS NOT NULL",
)


def upgrade() -> None:
    """Create the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the indexes."""
    op.execute("DROP INDEX run_due_idx")
    op.execute("DROP INDEX run_queued_idx")
