"""Indexes for lists of receipts by their outcome, made while everybody goes on writing.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# Of the few that started nothing: most receipts are in neither.
INDEXES = {
    "inbound_event_workspace_outcome_idx": "(workspace_id, outcome, id) WHERE outcome <> 'started'",
    "inbound_event_trigger_outcome_idx": "(trigger_id, outcome, id) WHERE outcome <> 'started'",
}
# What they take the place of, also for the release before.
REPLACED = {
    "inbound_event_unstarted_idx": "(workspace_id, id) WHERE outcome <> 'started'",
    "inbound_event_rejected_idx": "(trigger_id, id) WHERE outcome = 'rejected'",
}


def upgrade() -> None:
    """Read the table once for each. Broken off in the middle, it is simply done again."""
    _change(INDEXES, REPLACED)


def downgrade() -> None:
    """Make what was there before."""
    _change(REPLACED, INDEXES)


def _change(new: dict[str, str], old: dict[str, str]) -> None:
    patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()
    with op.get_context().autocommit_block():
        # Whatever this waits for, nobody waits for it.
        op.execute("SET lock_timeout = '60s'")
        for name, columns in new.items():
            # An index that was broken off while it was built stays behind, invalid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON inbound_event {columns}")
        for name in old:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"SET lock_timeout = '{patience}'")
