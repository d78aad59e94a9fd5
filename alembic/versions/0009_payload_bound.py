"""A bound for the ids of what will be the first partition of payloads.

Revision ID: 0009
Revises: 0008
"""

from cli.partitioning import add_bound, drop_bound

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold new rows to the bound; those that are there are checked later."""
    add_bound("payload", "run_id")


def downgrade() -> None:
    """Take the bound away."""
    drop_bound("payload")
