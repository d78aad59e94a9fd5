"""Tokens of OAuth clients, shared by all processes, and sign-ins on their way.

Revision ID: 0028
Revises: 0027
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `tokens` are sealed like a connection's secret, and bound to `token_id`, which changes with each new set of them.
    # Times without an end are null. `lease_id`: who asks the token endpoint right now. `refused_at`: nothing but a
    # sign-in helps. `ended_early_at`: when a target last refused an access token before its time.
    """
    CREATE TABLE connection_token (
        connection_id uuid NOT NULL CONSTRAINT connection_token_pkey PRIMARY KEY
            CONSTRAINT connection_token_connection_id_fkey REFERENCES connection (id) ON DELETE CASCADE,
        workspace_id uuid NOT NULL,
        secret_version integer NOT NULL,
        token_id uuid,
        tokens bytea,
        wrapped_key bytea,
        is_refreshable boolean NOT NULL DEFAULT true,
        usable_until timestamptz,
        expires_at timestamptz,
        scope text,
        obtained_at timestamptz,
        granted_by uuid,
        granted_at timestamptz,
        lease_id uuid,
        lease_until timestamptz,
        ended_early_at timestamptz,
        refused_at timestamptz,
        failure text,
        CONSTRAINT connection_token_tokens_check
            CHECK ((token_id IS NULL) = (tokens IS NULL) AND (token_id IS NULL) = (wrapped_key IS NULL))
    )
    """,
    # A sign-in that somebody has begun at another system. `state_hash`: of what comes back from there, once.
    # `code_challenge`: of what the browser keeps in a cookie.
    """
    CREATE TABLE connection_authorization (
        state_hash bytea NOT NULL CONSTRAINT connection_authorization_pkey PRIMARY KEY,
        connection_id uuid NOT NULL
            CONSTRAINT connection_authorization_connection_id_fkey REFERENCES connection (id) ON DELETE CASCADE,
        workspace_id uuid NOT NULL,
        secret_version integer NOT NULL,
        user_id uuid NOT NULL,
        session_id uuid NOT NULL,
        code_challenge text NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX connection_authorization_connection_id_idx ON connection_authorization (connection_id)",
    "CREATE INDEX connection_authorization_expires_at_idx ON connection_authorization (expires_at)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE connection_authorization")
    op.execute("DROP TABLE connection_token")
