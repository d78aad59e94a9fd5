"""API keys.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Only hashes: who reads this table can sign in as nobody. A revoked key stays, its name tells who did what.
    """
    CREATE TABLE api_key (
        id uuid NOT NULL CONSTRAINT api_key_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL CONSTRAINT api_key_workspace_id_fkey REFERENCES workspace (id),
        created_by uuid NOT NULL CONSTRAINT api_key_created_by_fkey REFERENCES user_account (id),
        name text NOT NULL,
        role text NOT NULL,
        prefix text NOT NULL,
        key_hash bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz,
        CONSTRAINT api_key_key_hash_key UNIQUE (key_hash),
        CONSTRAINT api_key_role_check CHECK (role IN ('owner', 'admin', 'editor', 'operator', 'viewer'))
    )
    """,
    "CREATE INDEX api_key_workspace_id_idx ON api_key (workspace_id, id)",
    "CREATE INDEX api_key_created_by_idx ON api_key (created_by)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE api_key")
