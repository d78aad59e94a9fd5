"""From a bearer token to a principal: of a session's access token or an API key; what was found is kept for seconds."""

import asyncio
import hashlib
import math
import time
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from app.api_keys.repository import find_api_key, note_use
from app.api_keys.secrets import MARK, hash_key, is_well_formed
from app.audit.refusals import Refusals
from app.auth import repository
from app.auth.permissions import Role, weaker_of
from app.auth.principal import Principal
from app.auth.signing_keys import SigningKeys
from app.auth.tokens import read_kid, verify_token
from app.errors import InvalidToken

CACHE_SECONDS = 5.0
# One that was never issued or is revoked does not become good, unless a restored backup brings it back.
VOID_SECONDS = 60.0
MAX_VOID = 10_000
_MAX_ENTRIES = 10_000


class _Entry(Struct, frozen=True):
    principal: Principal
    until: float


class Authenticator:
    """Verifies access tokens and API keys. The end of either and a change of role take hold within 5 s everywhere."""

    def __init__(self, database: AsyncEngine, keys: SigningKeys, refusals: Refusals) -> None:
        self._database = database
        self._keys = keys
        self._refusals = refusals
        self._entries: dict[bytes, _Entry] = {}
        self._void: dict[bytes, float] = {}
        self._loading: dict[bytes, asyncio.Task[Principal]] = {}

    async def authenticate(self, token: str) -> Principal:
        """The principal of a valid token of a living session, or of a living key; raises InvalidToken."""
        digest = hashlib.sha256(token.encode()).digest()
        entry = self._entries.get(digest)
        if entry is not None and entry.until > time.monotonic():
            return entry.principal
        task = self._loading.get(digest)
        if task is None:
            # Requests that come together with one token cost one verification and one query.
            task = asyncio.create_task(self._load(token, digest))
            self._loading[digest] = task
            task.add_done_callback(lambda done: self._forget_task(digest, done))
        return await asyncio.shield(task)

    def forget_session(self, session_id: UUID) -> None:
        """Let no token of this session pass on what was found before."""
        for digest in [key for key, entry in self._entries.items() if entry.principal.session_id == session_id]:
            del self._entries[digest]

    def forget_user(self, user_id: UUID) -> None:
        """Let nothing of this user's pass on what was found before."""
        for digest in [key for key, entry in self._entries.items() if entry.principal.user_id == user_id]:
            del self._entries[digest]

    def forget_api_key(self, key_id: UUID) -> None:
        """Let this key not pass on what was found before."""
        for digest in [key for key, entry in self._entries.items() if entry.principal.api_key_id == key_id]:
            del self._entries[digest]

    def _forget_task(self, digest: bytes, task: asyncio.Task[Principal]) -> None:
        self._loading.pop(digest, None)
        if not task.cancelled():
            # Whoever waited has the exception; asking for it keeps asyncio from reporting it again.
            task.exception()

    async def _load(self, token: str, digest: bytes) -> Principal:
        # What ends while it is being looked up is to end here, too, within the time that is promised.
        began_at = time.monotonic()
        principal, expires_at = await (self._read_key(token) if token.startswith(MARK) else self._read_token(token))
        while len(self._entries) >= _MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        lifetime = min(CACHE_SECONDS, expires_at - time.time())
        self._entries.pop(digest, None)
        self._entries[digest] = _Entry(principal, began_at + lifetime)
        return principal

    async def _read_token(self, token: str) -> tuple[Principal, float]:
        claims = verify_token(await self._keys.verifying(read_kid(token)), token)
        async with self._database.begin() as connection:
            role = await repository.find_session_role(
                connection, claims.session_id, claims.user_id, claims.workspace_id
            )
        if role is None:
            raise InvalidToken
        principal = Principal(
            user_id=claims.user_id, workspace_id=claims.workspace_id, session_id=claims.session_id, role=Role(role)
        )
        return principal, claims.expires_at

    async def _read_key(self, secret: str) -> tuple[Principal, float]:
        key_hash = hash_key(secret)
        if not is_well_formed(secret) or self._void.get(key_hash, 0.0) > time.monotonic():
            raise InvalidToken
        async with self._database.begin() as connection:
            row = await find_api_key(connection, key_hash)
            if row is not None and row.is_living:
                await note_use(connection, row.id)
        if row is None or row.revoked_at is not None:
            self._remember_void(key_hash)
        if row is None:
            raise InvalidToken
        if not row.is_living:
            self._refusals.note_ended_key(row.workspace_id, row.id, row.name, _tell_why(row))
            raise InvalidToken
        principal = Principal(
            user_id=row.created_by,
            workspace_id=row.workspace_id,
            api_key_id=row.id,
            role=weaker_of(Role(row.role), Role(row.makers_role)),
        )
        return principal, math.inf if row.expires_at is None else row.expires_at.timestamp()

    def _remember_void(self, key_hash: bytes) -> None:
        """Ask the database no more about a key that is none."""
        while len(self._void) >= MAX_VOID:
            del self._void[next(iter(self._void))]
        self._void.pop(key_hash, None)
        self._void[key_hash] = time.monotonic() + VOID_SECONDS


def _tell_why(row: Any) -> str:
    """Why a key is good no more."""
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.is_expired else "maker_gone"
