"""An attempt that uses a connection: nothing of its secret leaves the attempt, however it ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from engine.infra.http_errors import InvalidUrlError
from engine.infra.open_connections import ConnectionFault, OpenConnection
from engine.infra.redaction import Redactor
from engine.steps.base import Cause, Connections, StepContext, StepFailure

_UNAUTHORIZED: Final = 401


@asynccontextmanager
async def connected(name: str, context: StepContext, url: str) -> AsyncGenerator[OpenConnection, None]:
    """The connection, which may be used at the URL's host; within, every failure is a StepFailure without secrets.

    Results are not looked through: whoever makes one does that.
    """
    connections = context.connections
    if connections is None:
        raise StepFailure("unknown_connection", "steps have no connections here")
    try:
        async with asyncio.timeout(context.remaining_seconds):
            connection = await connections.open(name)
        # Before anything is sent, for an attempt that is refused is to leave no trace at the target.
        connection.require_host(url)
    except ConnectionFault as fault:
        cause: Cause | None = "connection" if fault.is_retryable else None
        raise StepFailure(fault.code, fault.message, cause=cause, retryable=fault.is_retryable) from None
    except InvalidUrlError as error:
        raise StepFailure(error.code, error.message) from None
    except TimeoutError:
        message = f"the connection '{name}' was not there within {context.timeout:g} s"
        raise StepFailure("timeout", message, cause="timeout", retryable=True) from None
    try:
        yield connection
    except StepFailure as failure:
        # An access token that was revoked before its time: the next attempt gets another one.
        is_stale = failure.status == _UNAUTHORIZED and await _discard(connections, connection, context)
        raise _clean(failure, connection.redactor, is_retryable=failure.retryable or is_stale) from None
    except Exception as error:
        # Whatever it says may hold what was sent.
        message = connection.redactor.clean_text(f"the attempt broke: {error!r}")
        raise StepFailure("step_crashed", message) from None


async def _discard(connections: Connections, connection: OpenConnection, context: StepContext) -> bool:
    try:
        async with asyncio.timeout(context.remaining_seconds):
            return await connections.discard_token(connection)
    except TimeoutError:
        return False


def _clean(failure: StepFailure, redactor: Redactor, *, is_retryable: bool) -> StepFailure:
    return StepFailure(
        failure.code,
        redactor.clean_text(failure.message),
        cause=failure.cause,
        status=failure.status,
        retry_after=failure.retry_after,
        retryable=is_retryable,
        details=redactor.clean(failure.details),
    )
