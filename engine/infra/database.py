"""Connections to PostgreSQL: asyncpg for the engine's hot paths, SQLAlchemy for the API's CRUD."""

import re
from collections.abc import Awaitable
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import ExceptionContext, MetaData, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from engine.infra.faults import find_seam
from engine.infra.settings import SettingError, Settings

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# What a caller catches to live on without PostgreSQL. InternalClientError: asyncpg's word for a session that the server
# ends just as a statement is sent. A TimeoutError is an OSError.
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# SQLSTATE classes that say nothing of the data: connection, resources, operator, system, lock and serialisation.
_TRANSIENT_CLASSES = ("08", "40", "53", "55", "57", "58", "25")

# Deltas from PostgreSQL's defaults that every connection of ours wants. A statement that nobody waits for any more is
# broken off within seconds: while a table is locked, whoever comes again would leave one more behind each time.
_SERVER_SETTINGS = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "60000",
    "client_connection_check_interval": "3000",
    "jit": "off",
}

# For connections whose statements find every row by a key. They are planned once, not anew with the arguments of each
# call: over many partitions planning takes longer than the work. And never by reading a table through: that looks cheap
# for a partition that is empty yet, and would stay in the plan while it fills. Nor by plans that leave partitions out
# at run time: with such a plan of a commit, PostgreSQL 18.6 died of a protection fault in 5 of 11 runs of `bench flat`
# as it analysed the table, and in none of 14 without. A look into one index of each partition is what that costs.
BY_KEY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_partition_pruning": "off",
}
# For those that change many rows by their keys at once and read nothing in order. To the planner, a look into one of
# many partitions is one into all of them, so that it would rather go through a whole index of some 10,000 runs.
BY_KEYS_ALONE = {**BY_KEY, "enable_indexscan": "off"}


# How long a statement of a pool's has to be answered.
ANSWER_SECONDS = 30.0


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed another time: the error, one of DATABASE_ERRORS, is not of its data."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _TRANSIENT_CLASSES
    # asyncpg refuses to encode a value with an error that is a ValueError too; all else is the connection's.
    return isinstance(error, DATABASE_ERRORS) and not isinstance(error, ValueError)


def _dsn(settings: Settings) -> str:
    if not settings.database_url:
        message = "FLOWFORGE_DATABASE_URL is not set. Name a PostgreSQL 16+ database, or use `./flowforge up`."
        raise SettingError(message)
    return re.sub(r"^postgres(ql)?(\+asyncpg)?://", "postgresql://", settings.database_url)


def _seam_options(settings: Settings, name: str) -> dict[str, Any]:
    """What a test that asks for faults changes in how connections are made; nothing otherwise."""
    seam = find_seam(settings, name)
    return {} if seam is None else {"connection_class": seam.connection_class, "connect": seam.connect}


async def connect(settings: Settings, *, name: str, **server_settings: str) -> asyncpg.Connection:
    """One connection outside any pool, for LISTEN, session locks and the flusher. `name` shows in pg_stat_activity."""
    return await _connect(settings, name, None, server_settings)


async def connect_within(settings: Settings, seconds: float, *, name: str) -> asyncpg.Connection:
    """Likewise one, on which each statement has so many seconds to be answered."""
    return await _connect(settings, name, seconds, {})


async def _connect(
    settings: Settings, name: str, answer_seconds: float | None, server_settings: dict[str, str]
) -> asyncpg.Connection:
    options = _seam_options(settings, name)
    make = options.pop("connect", asyncpg.connect)
    connection: asyncpg.Connection = await make(
        _dsn(settings),
        timeout=5,
        command_timeout=answer_seconds,
        server_settings={**_SERVER_SETTINGS, "application_name": f"flowforge-{name}", **server_settings},
        **options,
    )
    return connection


class _Leaving(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """A connection that ends where a statement had no answer in time.

    Who gives it back to its pool would wait as long again, for the end of that statement.
    """

    # As its base, which is slotted.
    __slots__ = ()

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        return await self._or_leave(super().execute(*arguments, **options))

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        return await self._or_leave(super().fetch(*arguments, **options))

    async def fetchrow(self, *arguments: Any, **options: Any) -> Any:
        return await self._or_leave(super().fetchrow(*arguments, **options))

    async def fetchval(self, *arguments: Any, **options: Any) -> Any:
        return await self._or_leave(super().fetchval(*arguments, **options))

    async def _or_leave(self, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except TimeoutError:
            self.terminate()
            raise


async def create_pool(settings: Settings, *, name: str, size: int, **server_settings: str) -> asyncpg.Pool:
    """A pool of up to `size` asyncpg connections, opened as they are needed."""
    return await asyncpg.create_pool(
        _dsn(settings),
        min_size=0,
        max_size=size,
        timeout=5,
        command_timeout=ANSWER_SECONDS,
        server_settings={**_SERVER_SETTINGS, "application_name": f"flowforge-{name}", **server_settings},
        **{"connection_class": _Leaving, **_seam_options(settings, name)},
    )


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def create_engine(settings: Settings, *, name: str, answer_seconds: float | None = None) -> AsyncEngine:
    """SQLAlchemy's engine over asyncpg, for CRUD and Alembic. A statement has so long to be answered, if so long."""
    options = _seam_options(settings, name)
    if options:
        options["async_creator_fn"] = options.pop("connect")
    engine = create_async_engine(
        _dsn(settings).replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=False,
        json_serializer=_encode,
        json_deserializer=msgspec.json.decode,
        # Its messages are logged, and hashes and tokens are among the parameters.
        hide_parameters=True,
        connect_args={
            "server_settings": {**_SERVER_SETTINGS, "application_name": f"flowforge-{name}"},
            "timeout": 5,
            "command_timeout": answer_seconds,
            # For what is asked of the driver's connection itself.
            "connection_class": _Leaving,
            **options,
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _leave_silent)
    return engine


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Take no connection out of the pool that the server has closed; SQLAlchemy then opens another one."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has closed this connection")


def _leave_silent(context: ExceptionContext) -> None:
    """Break a connection off on which a statement had no answer in time, and trust no other one that was open then.

    The end of the transaction would wait as long again, and the polite end of the connection for a while after that.
    """
    if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
        driver = context.connection.connection.driver_connection
        if driver is not None:
            driver.terminate()
        context.is_disconnect = True
