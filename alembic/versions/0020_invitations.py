"""Invitations to workspaces.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE invitation (
        id uuid NOT NULL CONSTRAINT invitation_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL CONSTRAINT invitation_workspace_id_fkey REFERENCES workspace (id),
        email text NOT NULL,
        role text NOT NULL,
        token_hash bytea NOT NULL,
        invited_by uuid NOT NULL CONSTRAINT invitation_invited_by_fkey REFERENCES user_account (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        accepted_at timestamptz,
        revoked_at timestamptz,
        CONSTRAINT invitation_token_hash_key UNIQUE (token_hash),
        CONSTRAINT invitation_email_check CHECK (email = lower(email)),
        CONSTRAINT invitation_role_check CHECK (role IN ('owner', 'admin', 'editor', 'operator', 'viewer'))
    )
    """,
    "CREATE INDEX invitation_workspace_id_idx ON invitation (workspace_id, id)",
    "CREATE INDEX invitation_invited_by_idx ON invitation (invited_by)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE invitation")
