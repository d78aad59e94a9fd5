"""Indexes for lists and counts of receipts, made while everybody goes on writing.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INDEXES = {
    "inbound_event_workspace_idx": "(workspace_id, id)",
    # The few that are asked for by what became of them.
    "inbound_event_unstarted_idx": "(workspace_id, id) WHERE outcome <> 'started'",
    "inbound_event_rejected_idx": "(trigger_id, id) WHERE outcome = 'rejected'",
}


def upgrade() -> None:
    """Read the table once for each. Broken off in the middle, it is simply done again."""
    patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()
    with op.get_context().autocommit_block():
        # Whatever this waits for, nobody waits for it.
        op.execute("SET lock_timeout = '60s'")
        for name, columns in INDEXES.items():
            # An index that was broken off while it was built stays behind, invalid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON inbound_event {columns}")
        op.execute(f"SET lock_timeout = '{patience}'")


def downgrade() -> None:
    """Drop the indexes."""
    for name in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {name}")
