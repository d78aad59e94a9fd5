"""Signing keys: made on first use, kept sealed in the database, shared by all API processes."""

import asyncio
import time

import structlog
from joserfc.jwk import OKPKey
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.auth import tables
from app.auth.tokens import KeyPair, load_private_key, load_public_key, make_key_pair
from app.errors import InvalidToken
from app.outages import as_outage
from engine.infra.ids import new_id
from engine.infra.secrets import SecretBox, SecretError, SecretKeys
from engine.store.sealed import SIGNING_PURPOSE

# Serialises the making of the first key over all processes; any constant of our own.
_LOCK = 5_077_011_431
_RELOAD_SECONDS = 5.0
# Within this time after it was retired, a key verifies no more, and signs no more, in any process.
REFRESH_SECONDS = 30.0

logger = structlog.get_logger(__name__)


class SigningKeys:
    """The keys that sign and verify access tokens. A retired key verifies no more."""

    def __init__(self, database: AsyncEngine, secret_key: str | SecretKeys) -> None:
        self._database = database
        self._box = SecretBox(secret_key, SIGNING_PURPOSE)
        self._lock = asyncio.Lock()
        self._current: OKPKey | None = None
        self._verifying: dict[str, OKPKey] = {}
        self._loaded_at = float("-inf")

    async def current(self) -> OKPKey:
        """The key to sign with, made where there is none that this installation's secret key opens."""
        if self._current is None or self._is_old():
            async with self._lock:
                if self._current is None:
                    await self._load(create=True)
                elif self._is_old():
                    await self._look_again()
        if self._current is None:
            raise RuntimeError("no signing key although one was just made")
        return self._current

    async def verifying(self, kid: str) -> OKPKey:
        """The key with this id; raises InvalidToken where there is none."""
        if kid not in self._verifying or self._is_old():
            async with self._lock:
                # Made-up ids must not become a database query each.
                patience = _RELOAD_SECONDS if kid not in self._verifying else REFRESH_SECONDS
                if time.monotonic() - self._loaded_at > patience:
                    await self._load(create=False)
        key = self._verifying.get(kid)
        if key is None:
            raise InvalidToken
        return key

    async def _look_again(self) -> None:
        """Find what was made and retired meanwhile; while the database is away, what was known goes on to hold.

        Whoever is about to be given tokens has spent a refresh token by now: it must not be in vain.
        """
        try:
            await self._load(create=True)
        except Exception as error:
            if as_outage(error) is None:
                raise
            logger.warning("signing keys not read again", error=repr(error))

    def _is_old(self) -> bool:
        return time.monotonic() - self._loaded_at > REFRESH_SECONDS

    async def _load(self, *, create: bool) -> None:
        async with self._database.begin() as connection:
            if create:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await self._read(connection)
            if create and self._current is None:
                await self._insert(connection)
                await self._read(connection)
        self._loaded_at = time.monotonic()

    async def _read(self, connection: AsyncConnection) -> None:
        rows = await connection.execute(
            select(tables.signing_key)
            .where(tables.signing_key.c.retired_at.is_(None))
            .order_by(tables.signing_key.c.created_at.desc(), tables.signing_key.c.kid.desc())
        )
        verifying, current = {}, None
        for row in rows:
            verifying[row.kid] = load_public_key(row.kid, row.public_key)
            if current is None:
                current = self._open(row.kid, row.public_key, row.sealed_private_key)
        self._verifying, self._current = verifying, current

    def _open(self, kid: str, public_key: bytes, sealed: bytes) -> OKPKey | None:
        try:
            return load_private_key(kid, public_key, self._box.open(sealed, _place(kid)))
        except SecretError as error:
            logger.warning("a signing key does not open; another one is used", kid=kid, error=str(error))
            return None

    async def _insert(self, connection: AsyncConnection) -> None:
        pair: KeyPair = make_key_pair(str(new_id()))
        await connection.execute(
            insert(tables.signing_key).values(
                kid=pair.kid,
                public_key=pair.public_key,
                sealed_private_key=self._box.seal(pair.private_key, _place(pair.kid)),
                created_at=func.now(),
            )
        )


def _place(kid: str) -> str:
    return f"signing_key/{kid}/sealed_private_key"
