"""What the variable calls do."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Act, Action, Target, describe_bytes
from app.audit.trail import enter
from app.auth.principal import Principal
from app.errors import InvalidRequest, NotFound, PreconditionFailed
from app.etags import make_etag, matches
from app.variables import repository
from app.variables.schemas import VariableDetail, VariableList, VariableValue, VariableView
from app.workflows.uses import find_variable_uses
from engine.core.problems import Problem

# Every run that starts may take all of them along.
MAX_VALUE_BYTES: Final = 65_536
MAX_VARIABLES: Final = 1_000
MAX_BYTES: Final = 1_048_576
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class VariableService:
    """Reads and changes the variables of the principal's workspace, in the request's transaction."""

    def __init__(self, connection: AsyncConnection, principal: Principal) -> None:
        self._connection = connection
        self._principal = principal

    async def list_all(self) -> VariableList:
        """All of them, by name."""
        rows = await repository.list_variables(self._connection, self._principal.workspace_id)
        return VariableList(items=[_show(row) for row in rows])

    async def read(self, name: str) -> VariableDetail:
        """One of them, with the workflows that read it; raises NotFound."""
        row = await repository.find_variable(self._connection, self._principal.workspace_id, name)
        if row is None:
            raise NotFound
        uses = await find_variable_uses(self._connection, self._principal.workspace_id, name)
        return VariableDetail(**msgspec.structs.asdict(_show(row)), used_by=uses)

    async def put(self, name: str, request: VariableValue, *, if_match: str | None) -> tuple[VariableView, bool]:
        """Set it, and tell whether it is new.

        Raises PreconditionFailed, or InvalidRequest where it, or all together, would be too large.
        """
        value = msgspec.json.encode(request.value)
        if len(value) > MAX_VALUE_BYTES:
            raise _too_large(f"a variable has at most {MAX_VALUE_BYTES:,} bytes of JSON, and this one {len(value):,}")
        workspace_id = self._principal.workspace_id
        await repository.lock_variables(self._connection, workspace_id)
        earlier = await repository.find_variable(self._connection, workspace_id, name)
        _require_match(if_match, earlier)
        count, size = await repository.measure_others(self._connection, workspace_id, name)
        if count >= MAX_VARIABLES:
            raise _too_large(f"a workspace has at most {MAX_VARIABLES:,} variables; delete some first")
        if size + len(value) > MAX_BYTES:
            raise _too_large(f"the variables of a workspace have at most {MAX_BYTES:,} bytes of JSON together")
        row, is_new = await repository.put_variable(
            self._connection, workspace_id, name, value, self._principal.user_id
        )
        if earlier is None or earlier.value != value:
            await self._enter(Action.VARIABLE_SET, name, earlier, row)
        return _show(row), is_new

    async def delete(self, name: str, *, if_match: str | None) -> None:
        """Remove it; raises NotFound, PreconditionFailed."""
        workspace_id = self._principal.workspace_id
        await repository.lock_variables(self._connection, workspace_id)
        row = await repository.find_variable(self._connection, workspace_id, name)
        if row is None:
            raise NotFound
        _require_match(if_match, row)
        await repository.delete_variable(self._connection, workspace_id, name)
        await self._enter(Action.VARIABLE_DELETED, name, row, None)

    async def _enter(self, action: Action, name: str, before: Any, after: Any) -> None:
        """Its values by their digests: some keep credentials where they do not belong, and this log is for ever."""
        sides = [None if row is None else describe_bytes(row.value) for row in (before, after)]
        target = Target(type="variable", id=name)
        act = Act(action=action, target=target, before=sides[0], after=sides[1])
        await enter(self._connection, self._principal, act)


def make_variable_etag(updated_at: datetime) -> str:
    """The ETag of a variable, each of whose values has a time of its own: they are set one after the other."""
    return make_etag((updated_at - _BEGINNING) // timedelta(microseconds=1))


def _require_match(if_match: str | None, row: Any) -> None:
    """Raise PreconditionFailed unless `If-Match`, where it was sent, names what there is."""
    if if_match is None:
        return
    if row is None:
        raise PreconditionFailed("There is no such variable any more.")
    etag = make_variable_etag(row.updated_at)
    if not matches(if_match, etag):
        members = {"etag": etag, "updated_by": {"id": row.updated_by}, "updated_at": row.updated_at}
        raise PreconditionFailed(headers={"etag": etag}, members=members)


def _show(row: Any) -> VariableView:
    return VariableView(
        name=row.name,
        value=msgspec.json.decode(row.value),
        updated_by=row.updated_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _too_large(sentence: str) -> InvalidRequest:
    return InvalidRequest(errors=[Problem("/value", "length", sentence)])
