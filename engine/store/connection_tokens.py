"""The SQL of what all processes share of OAuth clients: their tokens, and the lease of who asks for the next ones.

A row stands for one secret of its connection (`secret_version`): with another secret it goes. Whoever adds one locks
the connection's row for it, as whoever changes the secret does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from time import monotonic
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import structlog

from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.infra.kept_connections import KeptConnection, KeptToken, NewToken, TokenState
from engine.store.connections import COLUMNS_OF_TOKENS, read_token

PAUSE_SECONDS: Final = 0.2
# A target that refuses every token is not to have them asked for without end.
ENDED_AT_MOST_EVERY_SECONDS: Final = 60.0
MAX_FAILURE_CHARACTERS: Final = 1000

Result = TypeVar("Result")
Pool: TypeAlias = asyncpg.Pool | asyncpg.Connection

_log = structlog.get_logger()

_READ = f"""
SELECT {COLUMNS_OF_TOKENS} FROM connection_token AS token
WHERE workspace_id = $1 AND connection_id = $2 AND secret_version = $3
"""  # noqa: S608 - put together of constants
# A row of another secret was left by a release that knows nothing of tokens. Who holds the lease takes it again: the
# answer to the first time may have been lost. Nobody asks again with what was refused.
_TAKE_LEASE = """
INSERT INTO connection_token AS token (connection_id, workspace_id, secret_version, lease_id, lease_until)
SELECT id, workspace_id, secret_version, $5::uuid, clock_timestamp() + make_interval(secs => $6)
FROM connection WHERE workspace_id = $1 AND id = $2 AND secret_version = $3 FOR SHARE
ON CONFLICT (connection_id) DO UPDATE SET lease_id = EXCLUDED.lease_id, lease_until = EXCLUDED.lease_until,
    secret_version = EXCLUDED.secret_version,
    token_id = CASE WHEN token.secret_version = EXCLUDED.secret_version THEN token.token_id END,
    tokens = CASE WHEN token.secret_version = EXCLUDED.secret_version THEN token.tokens END,
    wrapped_key = CASE WHEN token.secret_version = EXCLUDED.secret_version THEN token.wrapped_key END
WHERE token.secret_version <> EXCLUDED.secret_version
    OR (token.token_id IS NOT DISTINCT FROM $4 AND token.refused_at IS NULL
        AND (token.lease_until IS NULL OR token.lease_until <= clock_timestamp() OR token.lease_id = $5))
RETURNING lease_id
"""
# The first answer counts: one that comes late, behind a lease that has ended, finds other tokens there.
_KEEP = """
UPDATE connection_token SET token_id = $5, tokens = $6, wrapped_key = $7, is_refreshable = $8,
    usable_until = clock_timestamp() + make_interval(secs => $9),
    expires_at = clock_timestamp() + make_interval(secs => $10),
    scope = coalesce($11, scope), obtained_at = clock_timestamp(),
    lease_id = NULL, lease_until = NULL, refused_at = NULL, failure = NULL
WHERE workspace_id = $1 AND connection_id = $2 AND secret_version = $3
    AND (token_id IS NOT DISTINCT FROM $4 OR token_id = $5)
RETURNING token_id
"""
_GIVE_UP = """
UPDATE connection_token SET lease_id = NULL, lease_until = NULL, failure = $4
WHERE workspace_id = $1 AND connection_id = $2 AND lease_id = $3
RETURNING connection_id
"""
# Only the word of who holds the lease counts: to whoever comes late, behind another one that has spent the same refresh
# token, the endpoint says that it is worth nothing, and it is right.
_REFUSE = """
UPDATE connection_token SET lease_id = NULL, lease_until = NULL, failure = $4, refused_at = clock_timestamp()
WHERE workspace_id = $1 AND connection_id = $2 AND lease_id = $3
RETURNING connection_id
"""
_END = """
UPDATE connection_token
SET usable_until = clock_timestamp(), expires_at = clock_timestamp(), ended_early_at = clock_timestamp()
WHERE workspace_id = $1 AND connection_id = $2 AND token_id = $3 AND is_refreshable AND refused_at IS NULL
    AND (ended_early_at IS NULL OR ended_early_at <= clock_timestamp() - make_interval(secs => $4))
RETURNING token_id
"""
_IS_REPLACED = """
SELECT token_id IS DISTINCT FROM $3 OR usable_until <= clock_timestamp()
FROM connection_token WHERE workspace_id = $1 AND connection_id = $2
"""
_GRANT = """
INSERT INTO connection_token AS token (
    connection_id, workspace_id, secret_version, token_id, tokens, wrapped_key, is_refreshable, usable_until,
    expires_at, scope, obtained_at, granted_by, granted_at
)
SELECT id, workspace_id, secret_version, $4::uuid, $5::bytea, $6::bytea, $7::boolean,
    clock_timestamp() + make_interval(secs => $8), clock_timestamp() + make_interval(secs => $9), $10::text,
    clock_timestamp(), $11::uuid, clock_timestamp()
FROM connection WHERE workspace_id = $1 AND id = $2 AND secret_version = $3 FOR SHARE
ON CONFLICT (connection_id) DO UPDATE SET secret_version = EXCLUDED.secret_version, token_id = EXCLUDED.token_id,
    tokens = EXCLUDED.tokens, wrapped_key = EXCLUDED.wrapped_key, is_refreshable = EXCLUDED.is_refreshable,
    usable_until = EXCLUDED.usable_until, expires_at = EXCLUDED.expires_at, scope = EXCLUDED.scope,
    obtained_at = EXCLUDED.obtained_at, granted_by = EXCLUDED.granted_by, granted_at = EXCLUDED.granted_at,
    lease_id = NULL, lease_until = NULL, ended_early_at = NULL, refused_at = NULL, failure = NULL
RETURNING token_id
"""
_NOTE_FAILURE = """
INSERT INTO connection_token AS token (connection_id, workspace_id, secret_version, failure)
SELECT id, workspace_id, secret_version, $4::text
FROM connection WHERE workspace_id = $1 AND id = $2 AND secret_version = $3 FOR SHARE
ON CONFLICT (connection_id) DO UPDATE SET failure = EXCLUDED.failure
"""
_FORGET = "DELETE FROM connection_token WHERE workspace_id = $1 AND connection_id = $2"
_LIST_GRANTS = """
SELECT token.connection_id, token.token_id, token.is_refreshable, token.refused_at IS NOT NULL AS is_refused,
    token.failure, extract(epoch FROM token.expires_at - clock_timestamp())::float8 AS left_seconds,
    token.granted_by, token.granted_at, token.obtained_at, token.expires_at, token.scope
FROM connection_token AS token JOIN connection
    ON connection.id = token.connection_id AND connection.secret_version = token.secret_version
WHERE token.workspace_id = $1 AND token.connection_id = ANY ($2::uuid[])
"""


class Grant(TokenState, frozen=True, kw_only=True):
    """What may be shown of a sign-in and of the tokens that came of it."""

    granted_by: UUID | None = None
    granted_at: datetime | None = None
    obtained_at: datetime | None = None
    expires_at: datetime | None = None
    scope: str | None = None


class TokenStore:
    """Keeps tokens for `AccessTokens`. A database that is away is waited for, up to `patience` seconds if any."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Pool]], patience: float | None = None) -> None:
        self._connect = connect
        self._patience = patience

    async def read(self, kept: KeptConnection) -> KeptToken | None:
        """What is kept for this secret of the connection now; None where there is nothing."""
        row = await self._insist(lambda pool: pool.fetchrow(_READ, *_named(kept)))
        return None if row is None else read_token(row)

    async def take_lease(self, kept: KeptConnection, seen: UUID | None, lease_id: UUID, seconds: float) -> bool:
        """The right to ask for the next tokens, unless somebody else has it, or `seen` is not what there is."""
        arguments = (*_named(kept), seen, lease_id, seconds)
        return await self._insist(lambda pool: pool.fetchval(_TAKE_LEASE, *arguments)) is not None

    async def keep(self, kept: KeptConnection, seen: UUID | None, new: NewToken) -> bool:
        """Put new tokens in the place of `seen`, durably; False where others stand there, or another secret."""
        arguments = (*_named(kept), seen, *_values(new), new.scope)
        return await self._insist(lambda pool: pool.fetchval(_KEEP, *arguments)) is not None

    async def give_up(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        """Let others ask; `failure` tells why nothing came. False where the lease is not this one any more."""
        return await self._insist(lambda pool: pool.fetchval(_GIVE_UP, *_of_lease(kept, lease_id, failure))) is not None

    async def refuse(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        """The grant of the tokens is not accepted any more. False where the lease is not this one any more."""
        arguments = _of_lease(kept, lease_id, failure)
        is_refused = await self._insist(lambda pool: pool.fetchval(_REFUSE, *arguments)) is not None
        if is_refused:
            _log.warning("connection_needs_authorization", connection_id=str(kept.id), reason=failure)
        return is_refused

    async def end(self, kept: KeptConnection, token_id: UUID) -> bool:
        """A target has refused this access token: whether another one can be had, which is not often asked for so."""
        arguments = (kept.workspace_id, kept.id, token_id)
        seconds = ENDED_AT_MOST_EVERY_SECONDS
        if await self._insist(lambda pool: pool.fetchval(_END, *arguments, seconds)) is not None:
            return True
        # A statement of its own: it sees what somebody else has done while the other one waited.
        return await self._insist(lambda pool: pool.fetchval(_IS_REPLACED, *arguments)) is True

    async def _insist(self, work: Callable[[asyncpg.Pool], Awaitable[Result]]) -> Result:
        started = monotonic()
        while True:
            try:
                return await work(await self._connect())
            except DATABASE_ERRORS as error:
                is_late = self._patience is not None and monotonic() - started >= self._patience
                if is_late or not is_transient(error):
                    raise
                _log.warning("tokens_unavailable", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)


async def grant_tokens(connection: Pool, kept: KeptConnection, new: NewToken, user_id: UUID) -> bool:
    """Keep what a sign-in ended with, in the place of all that was; False where the connection has another secret."""
    arguments = (*_named(kept), *_values(new), new.scope, user_id)
    return await connection.fetchval(_GRANT, *arguments) is not None


async def note_failure(connection: Pool, kept: KeptConnection, failure: str) -> None:
    """Note why a sign-in failed. What was granted before stays."""
    await connection.execute(_NOTE_FAILURE, *_named(kept), write_failure(failure))


async def forget_tokens(connection: Pool, workspace_id: UUID, connection_id: UUID) -> None:
    """Forget the tokens of a secret that is replaced; the connection's row is locked by then."""
    await connection.execute(_FORGET, workspace_id, connection_id)


async def list_grants(connection: Pool, workspace_id: UUID, connection_ids: Collection[UUID]) -> dict[UUID, Grant]:
    """What may be shown of these connections' tokens; nothing for those that never had any."""
    rows = await connection.fetch(_LIST_GRANTS, workspace_id, list(connection_ids))
    return {row["connection_id"]: Grant(**{name: row[name] for name in Grant.__struct_fields__}) for row in rows}


def write_failure(failure: str) -> str:
    """The text as the database takes it."""
    return failure.replace("\x00", "\ufffd").encode(errors="replace").decode()[:MAX_FAILURE_CHARACTERS]


def _named(kept: KeptConnection) -> tuple[UUID, UUID, int]:
    return kept.workspace_id, kept.id, kept.secret_version


def _of_lease(kept: KeptConnection, lease_id: UUID, failure: str) -> tuple[UUID, UUID, UUID, str]:
    return kept.workspace_id, kept.id, lease_id, write_failure(failure)


def _values(new: NewToken) -> tuple[UUID, bytes, bytes, bool, float | None, float | None]:
    return (
        new.token_id,
        new.sealed.value,
        new.sealed.wrapped_key,
        new.is_refreshable,
        new.usable_seconds,
        new.left_seconds,
    )
