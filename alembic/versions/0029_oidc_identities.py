"""Identities at providers of sign-ins, and which sign-ins are used up.

Revision ID: 0029
Revises: 0028
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Whose account an issuer's subject opens. An email finds nobody: it may be given to somebody else.
    """
    CREATE TABLE user_identity (
        issuer text NOT NULL,
        subject text NOT NULL,
        id uuid NOT NULL CONSTRAINT user_identity_id_key UNIQUE,
        user_id uuid NOT NULL CONSTRAINT user_identity_user_id_fkey REFERENCES user_account (id),
        email text,
        is_provisioned boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT user_identity_pkey PRIMARY KEY (issuer, subject)
    )
    """,
    "CREATE INDEX user_identity_user_id_idx ON user_identity (user_id)",
    # Hashes of states that came back: none comes back a second time. Rows are deleted an hour later.
    """
    CREATE TABLE used_oidc_flow (
        state_hash bytea NOT NULL CONSTRAINT used_oidc_flow_pkey PRIMARY KEY,
        used_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX used_oidc_flow_used_at_idx ON used_oidc_flow (used_at)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE used_oidc_flow")
    op.execute("DROP TABLE user_identity")
