"""What handlers are given: the request's transaction, and connections below it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from weakref import WeakKeyDictionary

import asyncpg
from litestar.datastructures import State
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# What each request's transaction has yet to do before it is committed.
_last_acts: WeakKeyDictionary[AsyncConnection, list[Callable[[], Awaitable[None]]]] = WeakKeyDictionary()


async def begin_transaction(state: State) -> AsyncGenerator[AsyncConnection, None]:
    """The unit of work: one transaction a request, committed before the answer leaves, rolled back on any error.

    Nobody else commits. What takes long (hashing, calls to others) must not run inside it: it holds a connection.
    """
    database: AsyncEngine = state.database
    async with database.begin() as transaction:
        acts = _last_acts[transaction] = []
        try:
            yield transaction
            for act in acts:
                await act()
        finally:
            # What is yet to be done knows the transaction itself, and would keep it alive.
            del _last_acts[transaction]


async def act_last(transaction: AsyncConnection, act: Callable[[], Awaitable[None]]) -> None:
    """Act as the last thing before a request's transaction is committed; at once in any other one.

    For what locks something that all share: whoever holds it is to wait for nobody else.
    """
    if (acts := _last_acts.get(transaction)) is None:
        await act()
    else:
        acts.append(act)


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
