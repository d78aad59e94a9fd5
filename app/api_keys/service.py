"""Making, listing and revoking API keys."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys import repository
from app.api_keys.schemas import ApiKeyView, MadeApiKey, NewApiKey
from app.api_keys.secrets import make_key
from app.audit.entries import Act, Action, Target
from app.audit.trail import enter
from app.auth.authenticator import Authenticator
from app.auth.confirmation import confirm
from app.auth.permissions import Permission, is_above
from app.auth.principal import Principal
from app.errors import InvalidRequest, MissingPermission, NotFound
from app.pagination import Page, decode_cursor, make_page
from engine.core.problems import Problem
from engine.infra.ids import new_id
from engine.infra.secrets import SecretBox

_log = structlog.get_logger()


class ApiKeyService:
    """What the calls do, each in the request's transaction."""

    def __init__(self, authenticator: Authenticator, box: SecretBox) -> None:
        """`box` seals answers that are kept for their repetition: a new key's secret is in them."""
        self._authenticator = authenticator
        self.box = box

    async def create(self, connection: AsyncConnection, principal: Principal, new: NewApiKey) -> MadeApiKey:
        """Make a key of at most the maker's role. Raises MissingPermission, InvalidRequest, InvalidToken."""
        role = await confirm(connection, principal, Permission.API_KEYS_WRITE)
        if is_above(new.role, role):
            raise MissingPermission(f"Your role is {role}: a key of yours cannot be {new.role}.")
        expires_at = await _read_expiry(connection, new.expires_at)
        key, key_id = make_key(), new_id()
        row = await repository.insert_api_key(
            connection,
            id=key_id,
            workspace_id=principal.workspace_id,
            created_by=principal.user_id,
            name=new.name,
            role=new.role.value,
            prefix=key.prefix,
            key_hash=key.digest,
            expires_at=expires_at,
        )
        made = {"role": new.role.value, "prefix": key.prefix, "expires_at": expires_at}
        target = Target(type="api_key", id=str(key_id), name=new.name)
        await enter(connection, principal, Act(action=Action.API_KEY_CREATED, target=target, after=made))
        _log.info("api key made", key_id=str(key_id), role=new.role.value, by=str(principal.user_id))
        return MadeApiKey(**row, secret=key.secret)

    async def list_all(
        self, connection: AsyncConnection, principal: Principal, *, limit: int, cursor: str | None
    ) -> Page[ApiKeyView]:
        """The workspace's keys, the newest first; raises InvalidCursor."""
        rows = await repository.list_api_keys(
            connection, principal.workspace_id, before=decode_cursor(cursor), limit=limit + 1
        )
        return make_page(rows, limit, lambda row: ApiKeyView(**row), lambda row: row["id"])

    async def revoke(self, connection: AsyncConnection, principal: Principal, key_id: UUID) -> None:
        """Revoke a key: here at once, everywhere within 5 seconds. Raises NotFound."""
        row = await repository.revoke_api_key(connection, principal.workspace_id, key_id)
        if row is None:
            raise NotFound
        target = Target(type="api_key", id=str(key_id), name=row.name)
        before = {"role": row.role, "prefix": row.prefix, "expires_at": row.expires_at}
        await enter(connection, principal, Act(action=Action.API_KEY_REVOKED, target=target, before=before))
        self._authenticator.forget_api_key(key_id)
        _log.info("api key revoked", key_id=str(key_id), by=str(principal.user_id))


async def _read_expiry(connection: AsyncConnection, expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    aware = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    try:
        moment = aware.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(errors=[Problem("/expires_at", "range", "no key lives beyond the year 9999")]) from None
    if moment <= await repository.read_time(connection):
        raise InvalidRequest(errors=[Problem("/expires_at", "range", "a key must expire in the future")])
    return moment
