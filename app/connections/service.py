"""What the connection calls do."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter
from app.auth.principal import Principal
from app.bodies import decode_body
from app.connections import repository
from app.connections.errors import ConnectionInUse, NameTaken
from app.connections.schemas import (
    Authorization,
    ConnectionChange,
    ConnectionDetail,
    ConnectionSummary,
    ConnectionUse,
    ConnectionView,
    NewConnection,
)
from app.dependencies import driver_connection
from app.errors import InvalidRequest, NotFound, PreconditionFailed
from app.etags import make_etag, matches
from app.pagination import Page, make_page
from app.workflows.uses import count_uses, find_uses
from engine.core.problems import Problem
from engine.infra.credentials import (
    SECRET_TYPES,
    SIGNED_IN_TYPE,
    ConnectionType,
    find_faults,
    normalise_allowed_host,
)
from engine.infra.envelopes import Envelopes
from engine.infra.ids import new_id
from engine.store.connection_tokens import Grant, forget_tokens, list_grants
from engine.store.connections import place_of_secret

MAX_CONNECTIONS: Final = 1_000
MAX_SECRET_BYTES: Final = 65_536
_NO_GRANT: Final = Grant()


class ConnectionService:
    """Makes, changes and shows connections, each call in the request's transaction; secrets are sealed on the way."""

    def __init__(self, envelopes: Envelopes, redirect_uri: str) -> None:
        self._envelopes = envelopes
        self._redirect_uri = redirect_uri

    async def create(self, transaction: AsyncConnection, principal: Principal, new: NewConnection) -> ConnectionDetail:
        """Make a connection. Raises InvalidRequest, NameTaken."""
        secret = _read_secret(new.type, bytes(new.secret))
        hosts = _read_hosts(new.allowed_hosts)
        workspace_id = principal.workspace_id
        await repository.lock_names(transaction, workspace_id)
        if await repository.find_by_name(transaction, workspace_id, new.name) is not None:
            raise _taken(new.name)
        if await repository.count_connections(transaction, workspace_id) >= MAX_CONNECTIONS:
            message = f"a workspace has at most {MAX_CONNECTIONS:,} connections; delete some first"
            raise InvalidRequest(errors=[Problem("/name", "length", message)])
        connection_id = new_id()
        sealed = self._envelopes.seal(secret, place_of_secret(workspace_id, connection_id, 1))
        row = await repository.insert_connection(
            transaction,
            id=connection_id,
            workspace_id=workspace_id,
            name=new.name,
            type=new.type,
            secret=sealed.value,
            wrapped_key=sealed.wrapped_key,
            allowed_hosts=hosts,
            created_by=principal.user_id,
            updated_by=principal.user_id,
        )
        await _enter(transaction, principal, Action.CONNECTION_CREATED, None, row)
        return await self._detail(transaction, row)

    async def list_all(
        self,
        transaction: AsyncConnection,
        principal: Principal,
        *,
        after: UUID | None,
        limit: int,
        is_use_counted: bool,
    ) -> Page[ConnectionSummary]:
        """A page of connections, the newest first; where it is asked for, each with how many workflows name it."""
        rows = await repository.list_connections(transaction, principal.workspace_id, after=after, limit=limit + 1)
        grants = await _find_grants(transaction, rows)
        counts = await count_uses(transaction, principal.workspace_id) if is_use_counted and rows else None

        def show(row: repository.AnyRow) -> ConnectionSummary:
            count = None if counts is None else counts.get(row.name, 0)
            return ConnectionSummary(**self._fields(row, grants.get(row.id)), used_by_count=count)

        return make_page(rows, limit, show, lambda row: row.id)

    async def read(self, transaction: AsyncConnection, principal: Principal, connection_id: UUID) -> ConnectionDetail:
        """One of them, with the workflows that name it; raises NotFound."""
        row = await repository.find_connection(transaction, principal.workspace_id, connection_id)
        if row is None:
            raise NotFound
        return await self._detail(transaction, row)

    async def change(
        self,
        transaction: AsyncConnection,
        principal: Principal,
        connection_id: UUID,
        change: ConnectionChange,
        *,
        if_match: str | None,
        is_forced: bool,
    ) -> ConnectionDetail:
        """Change what is named; attempts that start from now on use it so.

        Raises NotFound, PreconditionFailed, InvalidRequest, NameTaken, or ConnectionInUse for another name.
        """
        await repository.lock_names(transaction, principal.workspace_id)
        row = await _lock(transaction, principal, connection_id, if_match)
        values: dict[str, Any] = {}
        if change.name is not UNSET and change.name != row.name:
            if await repository.find_by_name(transaction, principal.workspace_id, change.name) is not None:
                raise _taken(change.name)
            await _refuse_used(transaction, row, is_forced=is_forced)
            values["name"] = change.name
        if change.allowed_hosts is not UNSET:
            values["allowed_hosts"] = _read_hosts(change.allowed_hosts)
        kind: ConnectionType = row.type if change.type is UNSET else change.type
        if change.secret is not UNSET:
            secret = _read_secret(kind, bytes(change.secret))
            version = row.secret_version + 1
            sealed = self._envelopes.seal(secret, place_of_secret(row.workspace_id, row.id, version))
            values |= {"type": kind, "secret": sealed.value, "wrapped_key": sealed.wrapped_key}
            values["secret_version"] = version
            # What was granted to the old secret is not to be shown to whatever the new one names.
            await forget_tokens(await driver_connection(transaction), row.workspace_id, row.id)
        elif kind != row.type:
            raise InvalidRequest(errors=[Problem("/secret", "required", f"another type needs its secret: `{kind}`")])
        if values:
            before = row
            row = await repository.update_connection(
                transaction, principal.workspace_id, connection_id, **values, updated_by=principal.user_id
            )
            await _enter(transaction, principal, Action.CONNECTION_CHANGED, before, row)
        return await self._detail(transaction, row)

    async def delete(
        self,
        transaction: AsyncConnection,
        principal: Principal,
        connection_id: UUID,
        *,
        if_match: str | None,
        is_forced: bool,
    ) -> None:
        """Remove it with its secret. Raises NotFound, PreconditionFailed, ConnectionInUse."""
        await repository.lock_names(transaction, principal.workspace_id)
        row = await _lock(transaction, principal, connection_id, if_match)
        await _refuse_used(transaction, row, is_forced=is_forced)
        await repository.delete_connection(transaction, principal.workspace_id, connection_id)
        await _enter(transaction, principal, Action.CONNECTION_DELETED, row, None)

    async def _detail(self, transaction: AsyncConnection, row: Any) -> ConnectionDetail:
        uses = await find_uses(transaction, row.workspace_id, row.name)
        used_by = [ConnectionUse(**msgspec.structs.asdict(use)) for use in uses]
        grants = await _find_grants(transaction, [row])
        return ConnectionDetail(**self._fields(row, grants.get(row.id)), used_by=used_by)

    def _fields(self, row: Any, grant: Grant | None) -> dict[str, Any]:
        """What may be shown of a row."""
        own = {name: getattr(row, name) for name in ConnectionView.__struct_fields__ if name != "authorization"}
        is_signed_in_for = row.type == SIGNED_IN_TYPE
        return {**own, "authorization": _describe(grant, self._redirect_uri) if is_signed_in_for else None}


async def _enter(transaction: AsyncConnection, principal: Principal, action: Action, before: Any, after: Any) -> None:
    """Enter what a connection was and is. Of its secret the number alone, which moves on with each new one."""
    sides = [
        row and {name: getattr(row, name) for name in ("name", "type", "allowed_hosts", "secret_version")}
        for row in (before, after)
    ]
    target = Target(type="connection", id=str((after or before).id), name=(after or before).name)
    await enter(transaction, principal, Act(action=action, target=target, before=sides[0], after=sides[1]))


async def _lock(
    transaction: AsyncConnection, principal: Principal, connection_id: UUID, if_match: str | None
) -> repository.AnyRow:
    row = await repository.find_connection(transaction, principal.workspace_id, connection_id, is_locked=True)
    if row is None:
        raise NotFound
    etag = make_etag(row.revision)
    if if_match is not None and not matches(if_match, etag):
        members = {"etag": etag, "updated_by": {"id": row.updated_by}, "updated_at": row.updated_at}
        raise PreconditionFailed(headers={"etag": etag}, members=members)
    return row


async def _refuse_used(transaction: AsyncConnection, row: Any, *, is_forced: bool) -> None:
    if not is_forced and (uses := await find_uses(transaction, row.workspace_id, row.name)):
        raise ConnectionInUse(members={"used_by": uses})


async def _find_grants(transaction: AsyncConnection, rows: Sequence[Any]) -> dict[UUID, Grant]:
    """What may be shown of sign-ins; nothing is asked where none of the connections is used so."""
    ids = [row.id for row in rows if row.type == SIGNED_IN_TYPE]
    if not ids:
        return {}
    return await list_grants(await driver_connection(transaction), rows[0].workspace_id, ids)


def _describe(grant: Grant | None, redirect_uri: str) -> Authorization:
    grant = grant or _NO_GRANT
    return Authorization(
        status="granted" if grant.need is None else "needed",
        reason=grant.need,
        message=grant.failure,
        granted_by=grant.granted_by,
        granted_at=grant.granted_at,
        refreshed_at=grant.obtained_at,
        expires_at=grant.expires_at,
        scope=grant.scope,
        redirect_uri=redirect_uri,
    )


def _read_secret(kind: ConnectionType, raw: bytes) -> bytes:
    """The secret as it is sealed; raises InvalidRequest, which never tells a value."""
    if len(raw) > MAX_SECRET_BYTES:
        message = f"a secret has at most {MAX_SECRET_BYTES:,} bytes of JSON"
        raise InvalidRequest(errors=[Problem("/secret", "length", message)])
    try:
        secret = decode_body(raw, SECRET_TYPES[kind])
    except InvalidRequest as error:
        problems = [Problem("/secret" + fault.pointer, fault.code, fault.message) for fault in error.errors]
        raise InvalidRequest(errors=problems) from None
    if faults := find_faults(secret):
        raise InvalidRequest(errors=[Problem("/secret" + pointer, code, text) for pointer, code, text in faults])
    return msgspec.json.encode(secret)


def _read_hosts(hosts: Sequence[str]) -> list[str]:
    normal, problems = [], []
    for index, host in enumerate(hosts):
        try:
            normal.append(normalise_allowed_host(host))
        except ValueError as error:
            problems.append(Problem(f"/allowed_hosts/{index}", "format", str(error)))
    if problems:
        raise InvalidRequest(errors=problems)
    return list(dict.fromkeys(normal))


def _taken(name: str) -> NameTaken:
    return NameTaken(f"There is another connection by the name '{name}'.")
