"""Connections: credentials for other systems, sealed.

Revision ID: 0025
Revises: 0024
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `secret` is sealed under a data key of its own, `wrapped_key` is that key under the installation's secret key.
    # `secret_version` goes up with each secret: both are bound to it.
    """
    CREATE TABLE connection (
        id uuid NOT NULL CONSTRAINT connection_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL CONSTRAINT connection_workspace_id_fkey REFERENCES workspace (id),
        name text NOT NULL,
        type text NOT NULL,
        secret bytea NOT NULL,
        wrapped_key bytea NOT NULL,
        secret_version integer NOT NULL DEFAULT 1,
        allowed_hosts text[] NOT NULL DEFAULT '{}',
        revision integer NOT NULL DEFAULT 1,
        created_by uuid NOT NULL,
        updated_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT connection_workspace_id_name_key UNIQUE (workspace_id, name)
    )
    """,
    "CREATE INDEX connection_workspace_id_idx ON connection (workspace_id, id)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE connection")
