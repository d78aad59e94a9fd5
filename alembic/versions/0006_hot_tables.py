"""Vacuum early where rows come and go, and find expired refresh tokens.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Rows of these live for moments or days: dead ones are cleared away early, however small a share of the table they are.
PARAMETERS = {
    "outbox": "autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0, "
    "autovacuum_analyze_threshold = 20000",
    "inbox": "autovacuum_vacuum_threshold = 500, autovacuum_vacuum_insert_threshold = -1, "
    "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000",
    "worker": "autovacuum_vacuum_threshold = 100, autovacuum_vacuum_cost_delay = 0",
    "dedup_key": "autovacuum_vacuum_scale_factor = 0.05",
    "idempotency_key": "autovacuum_vacuum_scale_factor = 0.05",
    "inbound_event": "autovacuum_vacuum_scale_factor = 0.05",
    "run_default": "autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000",
}
BEFORE = {"outbox": 2000, "inbox": 2000, "worker": 200}


def upgrade() -> None:
    """Set the parameters; that locks out nobody who reads or writes."""
    for table, parameters in PARAMETERS.items():
        op.execute(f"ALTER TABLE {table} SET ({parameters})")
    op.execute("CREATE INDEX refresh_token_expires_at_idx ON refresh_token (expires_at)")


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP INDEX refresh_token_expires_at_idx")
    for table, parameters in PARAMETERS.items():
        names = ", ".join(part.split(" = ")[0] for part in parameters.split(", "))
        op.execute(f"ALTER TABLE {table} RESET ({names})")
    for table, threshold in BEFORE.items():
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_threshold = {threshold})")
    op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0)")
