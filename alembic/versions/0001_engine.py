"""The engine's tables: worker, run, journal, outbox, inbox.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    # A worker incarnation: the lease of all runs that it owns, and the fence of all that it writes.
    """
    CREATE TABLE worker (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        host text NOT NULL,
        pid integer NOT NULL,
        alive boolean NOT NULL DEFAULT true,
        started_at timestamptz NOT NULL DEFAULT now(),
        heartbeat_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200)
    """,
    "CREATE INDEX worker_alive_idx ON worker (id) WHERE alive",
    """
    CREATE TABLE run (
        id uuid NOT NULL,
        workspace_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        version_id uuid NOT NULL,
        version integer NOT NULL,
        trigger_id uuid,
        trigger_type text NOT NULL,
        status text NOT NULL,
        attempt integer NOT NULL DEFAULT 1,
        owner bigint,
        crashes smallint NOT NULL DEFAULT 0,
        wake_at timestamptz,
        error_code text,
        error_message text,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        finished_at timestamptz,
        CONSTRAINT run_pkey PRIMARY KEY (id),
        CONSTRAINT run_status_check CHECK (status IN
            ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out'))
    ) PARTITION BY RANGE (id)
    """,
    "CREATE TABLE run_default PARTITION OF run DEFAULT WITH (fillfactor = 80)",
    # An unowned, unfinished run is runnable at `wake_at`, or at once where it has none.
    """
    CREATE INDEX run_runnable_idx ON run (id)
        WHERE owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running')
    """,
    "CREATE INDEX run_wake_idx ON run (wake_at) WHERE owner IS NULL AND wake_at IS NOT NULL",
    "CREATE INDEX run_owner_idx ON run (owner) WHERE owner IS NOT NULL",
    "CREATE INDEX run_workspace_idx ON run (workspace_id, id)",
    "CREATE INDEX run_workflow_idx ON run (workflow_id, id)",
    # One row a transition: history, state and event log at once. Payloads are JSON bytes: jsonb refuses NUL.
    """
    CREATE TABLE journal (
        run_id uuid NOT NULL,
        seq integer NOT NULL,
        kind text NOT NULL,
        at timestamptz NOT NULL,
        worker_id bigint,
        payload bytea NOT NULL,
        CONSTRAINT journal_pkey PRIMARY KEY (run_id, seq)
    ) PARTITION BY RANGE (run_id)
    """,
    "CREATE TABLE journal_default PARTITION OF journal DEFAULT",
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        workspace_id uuid NOT NULL,
        run_id uuid NOT NULL,
        traceparent text,
        payload bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
            autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0)
    """,
    # What others have for a run: its owner reads the rows, journals their effect, and deletes them with it.
    """
    CREATE TABLE inbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id uuid NOT NULL,
        kind text NOT NULL,
        payload bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
    """,
    "CREATE INDEX inbox_run_id_idx ON inbox (run_id)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("inbox", "outbox", "journal", "run", "worker"):
        op.execute(f"DROP TABLE {table}")
