"""Tables of sign-ins through a provider."""

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, Table, Text, Uuid, func

from engine.infra.database import metadata

_NOW = func.now()

user_identity = Table(
    "user_identity",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("user_id", Uuid, nullable=False),
    Column("email", Text),
    # Made by the provider, which then decides on its role as well; else linked to an account that was there.
    Column("is_provisioned", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("last_used_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)
used_oidc_flow = Table(
    "used_oidc_flow",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)
