"""Partitions by time for the journal: what was the default partition becomes the first of them.

Revision ID: 0012
Revises: 0011
"""

from cli.partitioning import make_partitions, undo_partitions

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Re-hang the partitions, in a moment."""
    make_partitions("journal")


def downgrade() -> None:
    """Put all rows back into one."""
    undo_partitions("journal", "run_id")
