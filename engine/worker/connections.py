"""How the parts of a worker connect to PostgreSQL."""

import asyncpg

from engine.infra.database import BY_KEY, BY_KEYS_ALONE, connect
from engine.infra.settings import Settings


async def connect_for_journal(settings: Settings) -> asyncpg.Connection:
    """A connection whose commits are on the disk when they are answered."""
    return await connect(settings, name="worker-journal", **BY_KEYS_ALONE)


async def connect_lazily(settings: Settings, name: str) -> asyncpg.Connection:
    """A connection whose commits need not wait for the disk.

    What is lost with a crash of the database was only a claim on work. The first journal commit after it carries it to
    the disk, and takes the run back where the claim was lost before.
    """
    return await connect(settings, name=name, synchronous_commit="off", **BY_KEY)
