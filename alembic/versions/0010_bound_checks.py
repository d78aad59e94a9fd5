"""Check what is there against the bounds, and index when runs ended, while everybody goes on writing.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("run", "journal", "payload")


def upgrade() -> None:
    """Read the tables once. Broken off in the middle, it is simply done again."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {table}_default VALIDATE CONSTRAINT {table}_first_bound")
    patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()
    with op.get_context().autocommit_block():
        # Whatever this waits for, nobody waits for it.
        op.execute("SET lock_timeout = '60s'")
        # An index that was broken off while it was built stays behind, invalid.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS run_default_finished_at_idx")
        op.execute("CREATE INDEX CONCURRENTLY run_default_finished_at_idx ON run_default USING brin (finished_at)")
        op.execute(f"SET lock_timeout = '{patience}'")


def downgrade() -> None:
    """Drop the index; a constraint cannot be unchecked, and need not be."""
    op.execute("DROP INDEX IF EXISTS run_default_finished_at_idx")
