"""Partitions by time for runs: what was the default partition becomes the first of them.

Revision ID: 0011
Revises: 0010
"""

from cli.partitioning import make_partitions, undo_partitions

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Re-hang the partitions, in a moment."""
    make_partitions("run")


def downgrade() -> None:
    """Put all rows back into one."""
    undo_partitions("run", "id")
