"""Tables of triggers."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, LargeBinary, SmallInteger, Table, Text, Uuid, func

from engine.infra.database import metadata

_NOW = func.now()

workflow_trigger = Table(
    "workflow_trigger",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, nullable=False),
    Column("workflow_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("secret", LargeBinary),
    Column("previous_secret_until", DateTime(timezone=True)),
    Column("token", Text, unique=True),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

filtered_payload = Table(
    "filtered_payload",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("trigger_id", Uuid, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("trigger_id", Uuid, primary_key=True),
    Column("next_due_at", DateTime(timezone=True)),
    Column("last_due_at", DateTime(timezone=True)),
    Column("last_run_id", Uuid),
    Column("skipped_at", DateTime(timezone=True)),
    Column("skip_reason", Text),
)

listener_revision = Table(
    "listener_revision",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
