"""What exceptions of the drivers mean: that a dependency is away (503), or that a row is another workspace's (404)."""

import asyncpg
import sqlalchemy.exc
from redis.exceptions import RedisError

from app.errors import ApiError, Busy, DatabaseNotMigrated, DatabaseUnavailable, RedisUnavailable

_CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,  # shut down, starting up, or cancelled by an operator
    asyncpg.InsufficientResourcesError,  # too many connections, no memory, no room on its disk
    asyncpg.exceptions.PostgresSystemError,  # its disk cannot be read or written
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlalchemy.exc.TimeoutError,
    # Connecting failed before any protocol was spoken; nothing else in a request opens sockets or files.
    OSError,
    TimeoutError,
)
_NOT_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.exceptions.UndefinedFunctionError,
)
_CONTENDED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)


def as_outage(error: BaseException) -> ApiError | None:
    """The 503 that this exception of a driver amounts to, or None where it is a fault of ours."""
    for cause in _causes(error):
        if isinstance(cause, ApiError):
            return cause
        if isinstance(cause, RedisError):
            return RedisUnavailable()
        if isinstance(cause, _NOT_MIGRATED):
            return DatabaseNotMigrated(retry_after=5)
        if isinstance(cause, _CONTENDED):
            return Busy()
        # asyncpg says by an InterfaceError that is a ValueError as well that a value cannot be sent: a fault of ours.
        if isinstance(cause, _CONNECTION_LOST) and not isinstance(cause, ValueError):
            return DatabaseUnavailable()
        if isinstance(cause, sqlalchemy.exc.DBAPIError) and cause.connection_invalidated:
            return DatabaseUnavailable()
    return None


def is_denied(error: BaseException) -> bool:
    """Whether the database refused to write a row of another workspace: for the caller, there is none."""
    return any(
        isinstance(cause, asyncpg.InsufficientPrivilegeError)
        # What row-level security says, in whichever language.
        and cause.server_source_function == "ExecWithCheckOptions"
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it wraps, and what a group holds, outermost first."""
    found: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        cause = queue.pop(0)
        if cause is None or any(cause is known for known in found):
            continue
        found.append(cause)
        if isinstance(cause, BaseExceptionGroup):
            queue.extend(cause.exceptions)
        if isinstance(cause, sqlalchemy.exc.StatementError):
            queue.append(cause.orig)
        queue.append(cause.__cause__)
    return found
