"""The table of idempotency keys."""

from sqlalchemy import Column, DateTime, LargeBinary, SmallInteger, Table, Text, Uuid, func

from engine.infra.database import metadata

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("principal_id", Uuid, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("headers", LargeBinary),
    Column("body", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
