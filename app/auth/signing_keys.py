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
# It goes on to be known only where the database is away: there, nobody's session is found either.
REFRESH_SECONDS = 30.0
# So long is the database waited for where there is a key that was known.
PATIENCE_SECONDS = 1.0
# A read that hangs longer is given up.
_READ_SECONDS = 10.0

logger = structlog.get_logger(__name__)


class SigningKeys:
    """The keys that sign and verify access tokens. A retired key verifies no more."""

    def __init__(self, database: AsyncEngine, secret_key: str | SecretKeys) -> None:
        self._database = database
        self._box = SecretBox(secret_key, SIGNING_PURPOSE)
        # One that only reads, and one that makes a key.
        self._reads: dict[bool, asyncio.Task[None]] = {}
        self._began_at: dict[bool, float] = {}
        self._quiet_until = float("-inf")
        self._current: OKPKey | None = None
        self._verifying: dict[str, OKPKey] = {}
        self._loaded_at = float("-inf")

    async def current(self) -> OKPKey:
        """The key to sign with, made where there is none that this installation's secret key opens."""
        if self._current is not None and self._is_old():
            # Whoever is about to be given tokens has spent a refresh token by now: it must not be in vain.
            await self._look(create=False, can_do_without=True)
        if self._current is None:
            await self._look(create=True, can_do_without=False)
        if self._current is None:
            raise RuntimeError("no signing key although one was just made")
        return self._current

    async def verifying(self, kid: str) -> OKPKey:
        """The key with this id; raises InvalidToken where there is none."""
        is_known = kid in self._verifying
        # Made-up ids must not become a database query each.
        if time.monotonic() - self._loaded_at > (REFRESH_SECONDS if is_known else _RELOAD_SECONDS):
            await self._look(create=False, can_do_without=is_known)
        key = self._verifying.get(kid)
        if key is None:
            raise InvalidToken
        return key

    async def close(self) -> None:
        """Break off what is being read."""
        reads = list(self._reads.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    async def _look(self, *, create: bool, can_do_without: bool) -> None:
        """Find what was made and retired meanwhile, by one read for all who ask at a time.

        Who has a key that was known goes on with it where the database is away, or does not answer soon: whether a
        session goes on is asked there as well.
        """
        now = time.monotonic()
        if can_do_without and now < self._quiet_until:
            return
        read = self._reads.get(create)
        if read is None or read.done():
            read = self._reads[create] = asyncio.get_running_loop().create_task(self._read_in_time(create=create))
            # Nobody may be waiting any more when it fails.
            read.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._began_at[create] = now
        patience = max(self._began_at[create] + PATIENCE_SECONDS - now, 0.0) if can_do_without else None
        done, _ = await asyncio.wait({read}, timeout=patience)
        error = read.exception() if done else None
        if error is None:
            return
        if not can_do_without or as_outage(error) is None:
            raise error

    async def _read_in_time(self, *, create: bool) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                await self._load(create=create)
        except Exception as error:
            if as_outage(error) is not None:
                self._quiet_until = time.monotonic() + _RELOAD_SECONDS
                logger.warning("signing keys not read again", error=repr(error))
            raise

    def _is_old(self) -> bool:
        return time.monotonic() - self._loaded_at > REFRESH_SECONDS

    async def _load(self, *, create: bool) -> None:
        began_at = time.monotonic()
        async with self._database.begin() as connection:
            if create:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await self._read(connection)
            if create and self._current is None:
                await self._insert(connection)
                await self._read(connection)
        self._loaded_at = began_at

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
