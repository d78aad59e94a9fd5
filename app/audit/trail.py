"""How the product enters what was done: in the transaction that does it, as the last thing before its end.

Last, because an entry locks the workspace's chain until the transaction ends: whoever holds it is to wait for nobody
else. A request's transaction sees to that itself; who opens one of its own enters after all else.
"""

from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

import asyncpg
from litestar.types import HTTPScope
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit import repository
from app.audit.entries import Act, Actor, make_entry
from app.auth.principal import Principal
from app.dependencies import act_last, driver_connection

# The request that is being served; set at the edge.
CALL: Final[ContextVar[HTTPScope | None]] = ContextVar("flowforge_call", default=None)


class Origin(Struct, frozen=True):
    """Where a call came from: the address that trusted proxies tell, else the connected one."""

    address: str | None
    request_id: str | None


def find_origin() -> Origin:
    """Where the call that is being served came from."""
    scope: Any = CALL.get()
    if scope is None:
        return Origin(None, None)
    client = scope.get("client")
    return Origin(client[0] if client else None, scope.get("state", {}).get("request_id"))


async def enter(transaction: AsyncConnection | asyncpg.Connection, principal: Principal, act: Act) -> None:
    """Enter what the principal does, in its workspace."""
    await _enter(transaction, principal.workspace_id, principal.user_id, principal.api_key_id, act)


async def enter_of(
    transaction: AsyncConnection | asyncpg.Connection, workspace_id: UUID, user_id: UUID, act: Act
) -> None:
    """Enter what a user does who is no principal yet."""
    await _enter(transaction, workspace_id, user_id, None, act)


async def write_down(
    connection: asyncpg.Connection | asyncpg.Pool, workspace_id: UUID, actor: Actor, act: Act, origin: Origin
) -> None:
    """Add an entry of everything given."""
    entry = make_entry(act, actor, origin.address, origin.request_id)
    await repository.append_entry(connection, workspace_id, entry)


async def _enter(
    transaction: AsyncConnection | asyncpg.Connection,
    workspace_id: UUID,
    user_id: UUID,
    api_key_id: UUID | None,
    act: Act,
) -> None:
    async def write() -> None:
        is_driver = not isinstance(transaction, AsyncConnection)
        connection = transaction if is_driver else await driver_connection(transaction)
        actor = await repository.find_actor(connection, user_id, api_key_id)
        await write_down(connection, workspace_id, actor, act, find_origin())

    if isinstance(transaction, AsyncConnection):
        await act_last(transaction, write)
    else:
        await write()
