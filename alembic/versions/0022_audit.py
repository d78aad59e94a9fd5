"""The audit log: entries that are only ever added, chained by hashes, a chain for each workspace.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Where each chain ends. Its row is what those wait for who add to one chain at once; chains know nothing of each
    # other.
    """
    CREATE TABLE audit_head (
        workspace_id uuid NOT NULL CONSTRAINT audit_head_pkey PRIMARY KEY
            CONSTRAINT audit_head_workspace_id_fkey REFERENCES workspace (id),
        seq bigint NOT NULL,
        hash bytea NOT NULL
    ) WITH (fillfactor = 50)
    """,
    # Users and keys are named without foreign keys: what they did is told when they are gone.
    """
    CREATE TABLE audit_entry (
        workspace_id uuid NOT NULL CONSTRAINT audit_entry_workspace_id_fkey REFERENCES workspace (id),
        seq bigint NOT NULL,
        at timestamptz NOT NULL,
        action text NOT NULL,
        outcome text NOT NULL,
        user_id uuid,
        api_key_id uuid,
        target_id text,
        entry bytea NOT NULL,
        hash bytea NOT NULL,
        CONSTRAINT audit_entry_pkey PRIMARY KEY (workspace_id, seq),
        CONSTRAINT audit_entry_outcome_check CHECK (outcome IN ('done', 'refused'))
    )
    """,
    "CREATE INDEX audit_entry_at_idx ON audit_entry (workspace_id, at)",
    "CREATE INDEX audit_entry_action_idx ON audit_entry (workspace_id, action, seq)",
    "CREATE INDEX audit_entry_user_id_idx ON audit_entry (workspace_id, user_id, seq)",
    "CREATE INDEX audit_entry_target_id_idx ON audit_entry (workspace_id, target_id, seq)",
    """
    CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit()
    """,
    """
    CREATE TRIGGER audit_head_is_kept BEFORE DELETE OR TRUNCATE ON audit_head
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit()
    """,
    """
    CREATE TRIGGER audit_head_moves_on BEFORE UPDATE ON audit_head FOR EACH ROW
        WHEN (NEW.workspace_id <> OLD.workspace_id OR NEW.seq <> OLD.seq + 1)
        EXECUTE FUNCTION refuse_change_of_audit()
    """,
)


def upgrade() -> None:
    """Create tables and what guards them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE audit_entry, audit_head")
    op.execute("DROP FUNCTION refuse_change_of_audit")
