"""A bound for the ids of what will be the first partition of the journal.

Revision ID: 0008
Revises: 0007
"""

from cli.partitioning import add_bound, drop_bound

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold new rows to the bound; those that are there are checked later."""
    add_bound("journal", "run_id")


def downgrade() -> None:
    """Take the bound away."""
    drop_bound("journal")
