"""What handlers are given: the request's transaction, and connections below it."""

from collections.abc import AsyncGenerator

import asyncpg
from litestar.datastructures import State
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


async def begin_transaction(state: State) -> AsyncGenerator[AsyncConnection, None]:
    """The unit of work: one transaction a request, committed before the answer leaves, rolled back on any error.

    Nobody else commits. What takes long (hashing, calls to others) must not run inside it: it holds a connection.
    """
    database: AsyncEngine = state.database
    async with database.begin() as transaction:
        yield transaction


async def driver_connection(transaction: AsyncConnection) -> asyncpg.Connection:
    """The asyncpg connection under a request's transaction, inside that transaction, for the engine's own SQL."""
    raw = await transaction.get_raw_connection()
    connection = raw.driver_connection
    if not isinstance(connection, asyncpg.Connection):
        raise TypeError("the transaction does not run over asyncpg")
    if not connection.is_in_transaction():
        # SQLAlchemy begins with its first statement.
        await transaction.execute(text("SELECT 1"))
    return connection
