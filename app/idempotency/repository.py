"""Queries of idempotency keys. All run in the transaction of the change that they guard."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.idempotency.tables import idempotency_key as table

LIFETIME: Final = timedelta(hours=24)
_EXPIRED_A_CLAIM: Final = 10
_WAIT: Final = "5s"


class KeyPlace(Struct, frozen=True, kw_only=True):
    """Where a key holds: in one workspace, for one principal, on one route."""

    workspace_id: UUID
    principal_id: UUID
    route: str
    key: str


async def claim(connection: AsyncConnection, place: KeyPlace, request_hash: bytes) -> bool:
    """Take the key for this transaction; False where another request has it for good.

    Waits for another transaction that has just taken it; raises LockNotAvailable (SQLAlchemy's) after 5 s.
    """
    await connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT}'"))
    fresh = {"request_hash": request_hash, "status": None, "headers": None, "body": None, "created_at": func.now()}
    statement = (
        insert(table)
        .values(
            workspace_id=place.workspace_id,
            principal_id=place.principal_id,
            route=place.route,
            key=place.key,
            request_hash=request_hash,
        )
        .on_conflict_do_update(
            index_elements=[table.c.workspace_id, table.c.principal_id, table.c.route, table.c.key],
            set_=fresh,
            where=table.c.created_at < func.now() - LIFETIME,
        )
        .returning(table.c.key)
    )
    taken = (await connection.execute(statement)).first() is not None
    await connection.execute(text("SET LOCAL lock_timeout = 0"))
    return taken


async def find(connection: AsyncConnection, place: KeyPlace) -> Row[*tuple[Any, ...]]:
    """`request_hash`, `status`, `headers` and `body` of a key that was answered."""
    query = select(table.c.request_hash, table.c.status, table.c.headers, table.c.body).where(_is_at(place))
    return (await connection.execute(query)).one()


async def keep_answer(
    connection: AsyncConnection, place: KeyPlace, *, status: int, headers: bytes, body: bytes
) -> None:
    """Keep the answer beside the key, to be given again."""
    await connection.execute(update(table).where(_is_at(place)).values(status=status, headers=headers, body=body))


async def delete_expired(connection: AsyncConnection) -> None:
    """Delete a few keys that are over 24 hours old: every claim does its share of the cleaning."""
    columns = (table.c.workspace_id, table.c.principal_id, table.c.route, table.c.key)
    expired = (
        select(*columns)
        .where(table.c.created_at < func.now() - LIFETIME)
        .limit(_EXPIRED_A_CLAIM)
        .with_for_update(skip_locked=True)
    )
    await connection.execute(delete(table).where(tuple_(*columns).in_(expired)))


def _is_at(place: KeyPlace) -> ColumnElement[bool]:
    return and_(
        table.c.workspace_id == place.workspace_id,
        table.c.principal_id == place.principal_id,
        table.c.route == place.route,
        table.c.key == place.key,
    )
