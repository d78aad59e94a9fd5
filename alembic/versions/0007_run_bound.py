"""A bound for the ids of what will be the first partition of runs.

Revision ID: 0007
Revises: 0006
"""

from cli.partitioning import add_bound, drop_bound

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold new rows to the bound; those that are there are checked later."""
    add_bound("run", "id")


def downgrade() -> None:
    """Take the bound away."""
    drop_bound("run")
