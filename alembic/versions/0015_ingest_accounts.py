"""Accounts of inbound events, and events that are held back.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    # `is_tallied`: written by a release that counts what it accepts. Rows of older ones are in no account.
    "ALTER TABLE inbound_event ADD COLUMN is_tallied boolean NOT NULL DEFAULT false",
    # What was accepted, a row for each commit and workspace: nobody waits for a row that others change. Folded soon.
    """
    CREATE TABLE ingest_tally (
        workspace_id uuid NOT NULL,
        minute timestamptz NOT NULL,
        accepted integer NOT NULL DEFAULT 0,
        rejected integer NOT NULL DEFAULT 0
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
            autovacuum_vacuum_insert_threshold = -1)
    """,
    "CREATE INDEX ingest_tally_minute_idx ON ingest_tally (minute)",
    # What was accepted in a minute, beside what became of it by the receipts. Settled: both agree, and nothing is held.
    """
    CREATE TABLE ingest_minute (
        workspace_id uuid NOT NULL,
        minute timestamptz NOT NULL,
        accepted bigint NOT NULL DEFAULT 0,
        rejected bigint NOT NULL DEFAULT 0,
        started bigint NOT NULL DEFAULT 0,
        duplicate bigint NOT NULL DEFAULT 0,
        filtered bigint NOT NULL DEFAULT 0,
        pending bigint NOT NULL DEFAULT 0,
        is_settled boolean NOT NULL DEFAULT false,
        counted_at timestamptz NOT NULL DEFAULT '-infinity',
        CONSTRAINT ingest_minute_pkey PRIMARY KEY (workspace_id, minute)
    )
    """,
    "CREATE INDEX ingest_minute_counted_at_idx ON ingest_minute (is_settled, counted_at)",
    # An event that waits for its run, with what the run will be given. `place`: the order in which they came.
    """
    CREATE TABLE held_event (
        event_id uuid NOT NULL CONSTRAINT held_event_pkey PRIMARY KEY,
        place bigint GENERATED ALWAYS AS IDENTITY,
        trigger_id uuid NOT NULL,
        kind text NOT NULL,
        key text NOT NULL,
        dedup_key text,
        traceparent text,
        trigger bytea NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
    """,
    "CREATE INDEX held_event_group_idx ON held_event (trigger_id, kind, key, place)",
    # Events of a trigger that are held together, and when somebody has to look at them. `starts`: of a throttle.
    """
    CREATE TABLE held_group (
        trigger_id uuid NOT NULL,
        kind text NOT NULL,
        key text NOT NULL,
        workspace_id uuid NOT NULL,
        workflow_id uuid NOT NULL,
        size integer NOT NULL,
        period_seconds double precision NOT NULL,
        waiting integer NOT NULL,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        starts timestamptz[] NOT NULL DEFAULT '{}',
        CONSTRAINT held_group_pkey PRIMARY KEY (trigger_id, kind, key),
        CONSTRAINT held_group_kind_check CHECK (kind IN ('throttle', 'debounce', 'batch'))
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
    """,
    "CREATE INDEX held_group_due_at_idx ON held_group (due_at)",
)


def upgrade() -> None:
    """Add the columns and tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take them away again; what is held back would never start."""
    for table in ("held_group", "held_event", "ingest_minute", "ingest_tally"):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE inbound_event DROP COLUMN is_tallied")
