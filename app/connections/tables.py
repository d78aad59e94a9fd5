"""The table of connections."""

from sqlalchemy import ARRAY, Column, DateTime, Integer, LargeBinary, Table, Text, Uuid, func

from engine.infra.database import metadata

connection_table = Table(
    "connection",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("secret_version", Integer, nullable=False, server_default="1"),
    Column("allowed_hosts", ARRAY(Text), nullable=False, server_default="{}"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("created_by", Uuid, nullable=False),
    Column("updated_by", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
# Sign-ins at other systems that have begun.
authorization_table = Table(
    "connection_authorization",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    Column("workspace_id", Uuid, nullable=False),
    Column("secret_version", Integer, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("code_challenge", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
