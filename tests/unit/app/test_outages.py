import asyncpg
import pytest
import sqlalchemy.exc
from redis.exceptions import ConnectionError as RedisConnectionError

from app.errors import ApiError, Busy, DatabaseNotMigrated, DatabaseUnavailable, NotFound, RedisUnavailable
from app.outages import as_outage


def _statement_error(cause: Exception) -> Exception:
    # What SQLAlchemy raises over asyncpg: the driver's error is the cause of the adapter's.
    return sqlalchemy.exc.DBAPIError("SELECT 1", {}, _caused(Exception(), cause))


def _caused(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), DatabaseUnavailable),
        (FileNotFoundError("/run/postgresql/.s.PGSQL.5432"), DatabaseUnavailable),
        (TimeoutError(), DatabaseUnavailable),
        (sqlalchemy.exc.TimeoutError(), DatabaseUnavailable),
        (asyncpg.CannotConnectNowError(), DatabaseUnavailable),
        (asyncpg.AdminShutdownError(), DatabaseUnavailable),
        (asyncpg.ConnectionDoesNotExistError(), DatabaseUnavailable),
        (asyncpg.TooManyConnectionsError(), DatabaseUnavailable),
        (asyncpg.DiskFullError(), DatabaseUnavailable),
        (asyncpg.OutOfMemoryError(), DatabaseUnavailable),
        (asyncpg.exceptions.PostgresIOError(), DatabaseUnavailable),
        (_statement_error(asyncpg.exceptions.PostgresIOError()), DatabaseUnavailable),
        (asyncpg.InvalidPasswordError(), DatabaseUnavailable),
        (asyncpg.InterfaceError("connection is closed"), DatabaseUnavailable),
        (
            _statement_error(asyncpg.AdminShutdownError()),
            DatabaseUnavailable,
        ),
        (sqlalchemy.exc.DBAPIError("SELECT 1", {}, Exception(), connection_invalidated=True), DatabaseUnavailable),
        (
            _statement_error(asyncpg.UndefinedTableError()),
            DatabaseNotMigrated,
        ),
        (asyncpg.DeadlockDetectedError(), Busy),
        (RedisConnectionError(), RedisUnavailable),
        (ExceptionGroup("cleanup", [ConnectionResetError()]), DatabaseUnavailable),
        (ExceptionGroup("cleanup", [NotFound()]), NotFound),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_dependency_that_is_away_is_told_as_such(error: Exception, kind: type[ApiError]) -> None:
    assert type(as_outage(error)) is kind


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        asyncpg.UniqueViolationError(),
        asyncpg.PostgresSyntaxError(),
        _statement_error(asyncpg.NotNullViolationError()),
        sqlalchemy.exc.InvalidRequestError(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_of_ours_is_no_outage(error: Exception) -> None:
    assert as_outage(error) is None


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert as_outage(first) is None
