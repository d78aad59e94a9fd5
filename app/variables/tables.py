"""The table of variables."""

from sqlalchemy import Column, DateTime, LargeBinary, Table, Text, Uuid, func

from engine.infra.database import metadata

variable = Table(
    "variable",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("updated_by", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
