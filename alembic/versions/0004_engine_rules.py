"""What the rules of runs need: parents and origins, concurrency slots, approvals, large payloads, tested drafts.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `parent_*`: the step that started the run as its own. `origin_run_id`: the run that this one repeats.
    # A run holds a slot of its key from `slot_at` until it ends: who holds what is read from these rows alone.
    """
    ALTER TABLE run
        ADD COLUMN parent_run_id uuid,
        ADD COLUMN parent_step text,
        ADD COLUMN depth smallint NOT NULL DEFAULT 0,
        ADD COLUMN origin_run_id uuid,
        ADD COLUMN is_test boolean NOT NULL DEFAULT false,
        ADD COLUMN concurrency_key text,
        ADD COLUMN concurrency_limit integer,
        ADD COLUMN slot_at timestamptz
    """,
    "CREATE INDEX run_parent_idx ON run (parent_run_id) WHERE parent_run_id IS NOT NULL AND finished_at IS NULL",
    "CREATE INDEX run_origin_idx ON run (origin_run_id) WHERE origin_run_id IS NOT NULL",
    """
    CREATE INDEX run_slot_idx ON run (workflow_id, concurrency_key)
        WHERE slot_at IS NOT NULL AND finished_at IS NULL
    """,
    """
    CREATE INDEX run_held_idx ON run (workflow_id, concurrency_key, id)
        WHERE concurrency_key IS NOT NULL AND slot_at IS NULL AND finished_at IS NULL
    """,
    # An output too large for the journal: its event has a reference to this row instead.
    """
    CREATE TABLE payload (
        run_id uuid NOT NULL,
        id uuid NOT NULL,
        data bytea NOT NULL,
        CONSTRAINT payload_pkey PRIMARY KEY (run_id, id)
    ) PARTITION BY RANGE (run_id)
    """,
    "CREATE TABLE payload_default PARTITION OF payload DEFAULT",
    """
    CREATE TABLE approval (
        id uuid NOT NULL CONSTRAINT approval_pkey PRIMARY KEY,
        workspace_id uuid NOT NULL,
        run_id uuid NOT NULL,
        step text NOT NULL,
        message text NOT NULL,
        status text NOT NULL DEFAULT 'pending',
        due_at timestamptz,
        comment text,
        decided_by uuid,
        decided_at timestamptz,
        created_at timestamptz NOT NULL,
        CONSTRAINT approval_status_check CHECK (status IN
            ('pending', 'approved', 'rejected', 'timed_out', 'cancelled'))
    )
    """,
    "CREATE INDEX approval_workspace_idx ON approval (workspace_id, id)",
    "CREATE INDEX approval_pending_idx ON approval (workspace_id, id) WHERE status = 'pending'",
    "CREATE INDEX approval_run_idx ON approval (run_id)",
    # Version 0: a draft as it was tested. Any number of them, and none can be published or started by a trigger.
    "ALTER TABLE workflow_version DROP CONSTRAINT workflow_version_workflow_id_version_key",
    """
    CREATE UNIQUE INDEX workflow_version_workflow_id_version_key ON workflow_version (workflow_id, version)
        WHERE version > 0
    """,
    "CREATE INDEX workflow_version_draft_idx ON workflow_version (created_at) WHERE version = 0",
)


def upgrade() -> None:
    """Add the columns and tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take them away again."""
    op.execute("DELETE FROM workflow_version WHERE version = 0")
    op.execute("DROP INDEX workflow_version_draft_idx")
    op.execute("DROP INDEX workflow_version_workflow_id_version_key")
    op.execute(
        "ALTER TABLE workflow_version ADD CONSTRAINT workflow_version_workflow_id_version_key "
        "UNIQUE (workflow_id, version)"
    )
    op.execute("DROP TABLE approval")
    op.execute("DROP TABLE payload")
    op.execute("DROP INDEX run_held_idx")
    op.execute("DROP INDEX run_slot_idx")
    op.execute("DROP INDEX run_origin_idx")
    op.execute("DROP INDEX run_parent_idx")
    op.execute(
        "ALTER TABLE run DROP COLUMN parent_run_id, DROP COLUMN parent_step, DROP COLUMN depth, "
        "DROP COLUMN origin_run_id, DROP COLUMN is_test, DROP COLUMN concurrency_key, "
        "DROP COLUMN concurrency_limit, DROP COLUMN slot_at"
    )
