"""Partitions by time for payloads: what was the default partition becomes the first of them.

Revision ID: 0013
Revises: 0012
"""

from cli.partitioning import make_partitions, undo_partitions

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Re-hang the partitions, in a moment."""
    make_partitions("payload")


def downgrade() -> None:
    """Put all rows back into one."""
    undo_partitions("payload", "run_id")
