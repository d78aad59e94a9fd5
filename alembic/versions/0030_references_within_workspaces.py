"""References between rows of one workspace name the workspace: a row of another one cannot be referred to.

Revision ID: 0030
Revises: 0029
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

INDEX = "connection_workspace_id_id_key"
# By constraint: the table, its columns, and what they refer to. They stand beside those of a single column.
REFERENCES = {
    "workflow_trigger_workflow_fkey": ("workflow_trigger", "workspace_id, workflow_id", "workflow (workspace_id, id)"),
    "connection_token_connection_fkey": (
        "connection_token",
        "workspace_id, connection_id",
        "connection (workspace_id, id) ON DELETE CASCADE",
    ),
    "connection_authorization_connection_fkey": (
        "connection_authorization",
        "workspace_id, connection_id",
        "connection (workspace_id, id) ON DELETE CASCADE",
    ),
}


def upgrade() -> None:
    """Hold new rows to it at once, and then look at those that are there. Broken off, it is simply done again."""
    patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()
    with op.get_context().autocommit_block():
        # A reference locks two tables: it gives way before whoever has locked them the other way round is broken off.
        op.execute("SET lock_timeout = '500ms'")
        for name, (table, _, _) in REFERENCES.items():
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        # Whatever this waits for, nobody waits for it.
        op.execute("SET lock_timeout = '60s'")
        # An index that was broken off while it was built stays behind, invalid.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {INDEX} ON connection (workspace_id, id)")
        op.execute("SET lock_timeout = '500ms'")
        for name, (table, columns, target) in REFERENCES.items():
            op.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {target} NOT VALID"
            )
        for name, (table, _, _) in REFERENCES.items():
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        op.execute(f"SET lock_timeout = '{patience}'")


def downgrade() -> None:
    """Drop them."""
    for name, (table, _, _) in REFERENCES.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"DROP INDEX {INDEX}")
