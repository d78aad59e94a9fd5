"""Tables of the audit log."""

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Table, Text, Uuid

from engine.infra.database import metadata

audit_head = Table(
    "audit_head",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("workspace_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("user_id", Uuid),
    Column("api_key_id", Uuid),
    Column("target_id", Text),
    Column("entry", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
