"""Identity and workflows: users, workspaces, sessions, signing keys, idempotency keys, drafts and versions.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE user_account (
        id uuid NOT NULL CONSTRAINT user_account_pkey PRIMARY KEY,
        email text NOT NULL,
        name text NOT NULL,
        password_hash text,
        is_active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT user_account_email_check CHECK (email = lower(email))
    )
    """,
    "CREATE UNIQUE INDEX user_account_email_key ON user_account (email)",
    """
    CREATE TABLE workspace (
        id uuid NOT NULL CONSTRAINT workspace_pkey PRIMARY KEY,
        name text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE membership (
        workspace_id uuid NOT NULL CONSTRAINT membership_workspace_id_fkey REFERENCES workspace (id),
        user_id uuid NOT NULL CONSTRAINT membership_user_id_fkey REFERENCES user_account (id),
        role text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT membership_pkey PRIMARY KEY (workspace_id, user_id),
        CONSTRAINT membership_role_check CHECK (role IN ('owner', 'admin', 'editor', 'operator', 'viewer'))
    )
    """,
    "CREATE INDEX membership_user_id_idx ON membership (user_id)",
    # A sign-in: the family that refresh tokens belong to, and what access tokens name.
    """
    CREATE TABLE user_session (
        id uuid NOT NULL CONSTRAINT user_session_pkey PRIMARY KEY,
        user_id uuid NOT NULL CONSTRAINT user_session_user_id_fkey REFERENCES user_account (id),
        workspace_id uuid NOT NULL CONSTRAINT user_session_workspace_id_fkey REFERENCES workspace (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        revoked_reason text
    )
    """,
    "CREATE INDEX user_session_user_id_idx ON user_session (user_id)",
    "CREATE INDEX user_session_expires_at_idx ON user_session (expires_at)",
    # Only hashes: who reads this table can sign in as nobody. A used token is kept, so that its reuse is noticed.
    """
    CREATE TABLE refresh_token (
        token_hash bytea NOT NULL CONSTRAINT refresh_token_pkey PRIMARY KEY,
        session_id uuid NOT NULL CONSTRAINT refresh_token_session_id_fkey
            REFERENCES user_session (id) ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX refresh_token_session_id_idx ON refresh_token (session_id)",
    """
    CREATE TABLE signing_key (
        kid text NOT NULL CONSTRAINT signing_key_pkey PRIMARY KEY,
        public_key bytea NOT NULL,
        sealed_private_key bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        retired_at timestamptz
    )
    """,
    """
    CREATE TABLE idempotency_key (
        workspace_id uuid NOT NULL CONSTRAINT idempotency_key_workspace_id_fkey REFERENCES workspace (id),
        principal_id uuid NOT NULL,
        route text NOT NULL,
        key text NOT NULL,
        request_hash bytea NOT NULL,
        status smallint,
        headers bytea,
        body bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT idempotency_key_pkey PRIMARY KEY (workspace_id, principal_id, route, key)
    )
    """,
    "CREATE INDEX idempotency_key_created_at_idx ON idempotency_key (created_at)",
    # Definitions are kept as the bytes that came: jsonb would reorder them and refuses NUL.
    """
    CREATE TABLE workflow (
        id uuid NOT NULL CONSTRAINT workflow_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL CONSTRAINT workflow_workspace_id_fkey REFERENCES workspace (id),
        name text NOT NULL,
        description text NOT NULL DEFAULT '',
        enabled boolean NOT NULL DEFAULT true,
        definition bytea NOT NULL,
        revision integer NOT NULL DEFAULT 1,
        published_version integer,
        created_by uuid NOT NULL,
        updated_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        deleted_at timestamptz,
        CONSTRAINT workflow_workspace_id_id_key UNIQUE (workspace_id, id)
    )
    """,
    """
    CREATE TABLE workflow_version (
        id uuid NOT NULL CONSTRAINT workflow_version_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        version integer NOT NULL,
        definition bytea NOT NULL,
        published_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT workflow_version_workflow_id_version_key UNIQUE (workflow_id, version),
        CONSTRAINT workflow_version_workflow_fkey FOREIGN KEY (workspace_id, workflow_id)
            REFERENCES workflow (workspace_id, id)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "workflow_version",
        "workflow",
        "idempotency_key",
        "signing_key",
        "refresh_token",
        "user_session",
        "membership",
        "workspace",
        "user_account",
    ):
        op.execute(f"DROP TABLE {table}")
