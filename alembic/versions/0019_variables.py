"""Variables of workspaces.

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. Values are JSON as bytes: jsonb would refuse NUL."""
    op.execute(
        """
        CREATE TABLE variable (
            workspace_id uuid NOT NULL CONSTRAINT variable_workspace_id_fkey REFERENCES workspace (id),
            name text NOT NULL,
            value bytea NOT NULL,
            updated_by uuid NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT variable_pkey PRIMARY KEY (workspace_id, name)
        )
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE variable")
