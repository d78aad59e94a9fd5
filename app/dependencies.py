"""What handlers are given: the request's transaction, bound to its workspace, and connections below it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import structlog
from litestar import Request
from litestar.datastructures import State
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.errors import DatabaseUnavailable
from engine.infra.database import DATABASE_ERRORS
from engine.store.isolation import BIND, begin_reading, end_reading

_BIND: Final = text(BIND)

_log = structlog.get_logger(__name__)

# What each request's transaction has yet to do before it is committed.
_last_acts: WeakKeyDictionary[AsyncConnection, list[Callable[[], Awaitable[None]]]] = WeakKeyDictionary()


class Isolation:
    """Opens transactions in which the database itself shows and changes one workspace's rows alone.

    `mode`, the setting: with `auto` they are unbound where the database has no role for it; with `required` they are
    refused then; with `off` they never are bound.
    """

    def __init__(self, database: AsyncEngine, mode: str) -> None:
        self._database = database
        self._mode = mode
        self._has_warned = False

    @asynccontextmanager
    async def begin(self, workspace_id: UUID) -> AsyncGenerator[AsyncConnection, None]:
        """A transaction of the workspace, committed at the end of the block; raises DatabaseUnavailable.

        Role and workspace hold until the transaction ends, also behind savepoints, and go with it: the pool's next user
        has neither.
        """
        async with self._database.begin() as transaction:
            if self._mode != "off":
                bound = await transaction.execute(_BIND, {"workspace": str(workspace_id)})
                if bound.first() is None:
                    self._go_without()
            yield transaction

    @asynccontextmanager
    async def read(self, workspace_id: UUID) -> AsyncGenerator[asyncpg.Connection, None]:
        """The driver's connection in a transaction that reads the workspace's rows as of one moment.

        It costs one round trip to begin and one to end. Raises DatabaseUnavailable.
        """
        async with self._database.connect() as taken:
            connection = _require_driver((await taken.get_raw_connection()).driver_connection)
            is_wanted = self._mode != "off"
            try:
                is_bound = await begin_reading(connection, workspace_id if is_wanted else None)
            except BaseException:
                # What was sent may be carried out yet: whoever came next would be in this transaction.
                connection.terminate()
                raise
            try:
                if is_wanted and not is_bound:
                    self._go_without()
                yield connection
            except TimeoutError:
                # Where a statement had no answer, the end of the transaction would wait for one as long again.
                connection.terminate()
                raise
            finally:
                await _end_reading(connection)

    def _go_without(self) -> None:
        if self._mode == "required":
            raise DatabaseUnavailable("FLOWFORGE_ROW_SECURITY is required, and the database has no role for it.")
        if not self._has_warned:
            self._has_warned = True
            _log.warning("row_security_off", cure="run `./flowforge doctor`, which tells what is missing")


async def _end_reading(connection: asyncpg.Connection) -> None:
    if connection.is_closed() or not connection.is_in_transaction():
        return
    try:
        await end_reading(connection)
    except BaseException as error:
        # As it is, nobody else may have it; what was read is as good as ever.
        connection.terminate()
        if not isinstance(error, DATABASE_ERRORS):
            raise


async def begin_transaction(state: State, request: Request[Any, Any, Any]) -> AsyncGenerator[AsyncConnection, None]:
    """The unit of work: one transaction a request, committed before the answer leaves, rolled back on any error.

    Nobody else commits. What takes long (hashing, calls to others) must not run inside it: it holds a connection. It is
    bound to the caller's workspace, and of a public call to none.
    """
    isolation: Isolation = state.isolation
    principal: Any = request.scope.get("user")
    opened = state.database.begin() if principal is None else isolation.begin(principal.workspace_id)
    async with opened as transaction, _acting_last(transaction):
        yield transaction


async def begin_account_transaction(state: State) -> AsyncGenerator[AsyncConnection, None]:
    """As `begin_transaction`, for what concerns a user across workspaces: bound to none."""
    database: AsyncEngine = state.database
    async with database.begin() as transaction, _acting_last(transaction):
        yield transaction


@asynccontextmanager
async def _acting_last(transaction: AsyncConnection) -> AsyncGenerator[None, None]:
    acts = _last_acts[transaction] = []
    try:
        yield
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
    connection = _require_driver(raw.driver_connection)
    if not connection.is_in_transaction():
        # SQLAlchemy begins with its first statement.
        await transaction.execute(text("SELECT 1"))
    return connection


def _require_driver(connection: object) -> asyncpg.Connection:
    if not isinstance(connection, asyncpg.Connection):
        raise TypeError("the engine does not run over asyncpg")
    return connection
