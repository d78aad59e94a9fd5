"""Tables of triggers."""

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, Table, Text, Uuid, func

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
