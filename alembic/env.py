"""Where Alembic meets the database: `cli.migrations` hands over a connection, `alembic revision` opens its own."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from engine.infra.database import create_engine, metadata
from engine.infra.settings import load_settings


def run_on(connection: Connection) -> None:
    """Run the migrations on `connection`, each in a transaction of its own."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        on_version_apply=context.config.attributes.get("on_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    """Run the migrations on a connection made from the settings."""
    engine = create_engine(load_settings(), name="alembic")
    async with engine.connect() as connection:
        await connection.run_sync(run_on)
    await engine.dispose()


if (handed_over := context.config.attributes.get("connection")) is not None:
    run_on(handed_over)
else:
    asyncio.run(run_alone())
