"""The reconciler: one worker of all compares what was accepted with the receipts, and tells by how many they differ."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS, connect
from engine.infra.settings import Settings
from engine.infra.telemetry import span
from engine.store.accounts import BEGINNING, Place, find_drift, fold_tallies, recount, take_reconciliation
from engine.store.timers import read_time

INTERVAL_SECONDS = 30.0
# A pass reads about so many receipts of minutes that are not settled, and a few of those that are.
MOST_OPEN = 300_000
MOST_SETTLED = 20_000
# What is settled is checked again this often, as far as the few receipts of each pass allow.
CHECKED_EVERY = timedelta(hours=1)
# Receipts on the edge of being deleted are in no account any more.
MARGIN = timedelta(hours=1)

_log = structlog.get_logger()


class Reconciler:
    """Keeps the accounts where no other worker does."""

    def __init__(self, settings: Settings) -> None:
        self._kept = timedelta(days=settings.retention_days) - MARGIN if settings.retention_days else None
        self._settings = settings
        self._drift = 0
        # Where counting goes on, and when it last began anew with what is settled.
        self._open: Place = BEGINNING
        self._settled: Place | None = BEGINNING
        self._began_at = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Reconcile until cancelled: as the one that does, or ready to take over."""
        connection: asyncpg.Connection | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await connect(self._settings, name="worker-accounts", synchronous_commit="off")
                    if await take_reconciliation(connection):
                        await self.make_pass(connection)
                    else:
                        metrics.INGEST_DRIFT.set(0)
                        await connection.close()
                except DATABASE_ERRORS as error:
                    _log.warning("reconciliation_interrupted", error=repr(error))
                    _drop(connection)
                    connection = None
                except Exception:
                    _log.exception("reconciliation_failed")
                    _drop(connection)
                    connection = None
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - it only keeps many workers from looking in step
                await asyncio.sleep(INTERVAL_SECONDS * jitter)
        finally:
            _drop(connection)

    async def make_pass(self, connection: asyncpg.Connection) -> int:
        """Count what is open, check some of what is settled; the drift."""
        with span("reconciliation pass"):
            now = await read_time(connection)
            since = datetime.min.replace(tzinfo=UTC) if self._kept is None else now - self._kept
            await fold_tallies(connection)
            await self._check_settled(connection, now, since)
            await self._count_open(connection, now, since)
            drift = await find_drift(connection, since)
        metrics.INGEST_DRIFT.set(drift)
        if drift != self._drift:
            _log.error("ingest_drift", drift=drift) if drift else _log.info("ingest_drift_gone")
        self._drift = drift
        return drift

    async def _count_open(self, connection: asyncpg.Connection, now: datetime, since: datetime) -> None:
        _, following = await recount(
            connection, settled=False, before=now, most=MOST_OPEN, since=since, after=self._open
        )
        self._open = following or BEGINNING

    async def _check_settled(self, connection: asyncpg.Connection, now: datetime, since: datetime) -> None:
        """Count a few of those again, all of them in a while, and then rest until that was long enough ago."""
        before = now - CHECKED_EVERY
        if self._settled is None and self._began_at > before:
            return
        if self._settled is None:
            self._settled = BEGINNING
        is_first = self._settled == BEGINNING
        minutes, self._settled = await recount(
            connection, settled=True, before=before, most=MOST_SETTLED, since=since, after=self._settled
        )
        if is_first and minutes:
            self._began_at = now


def _drop(connection: asyncpg.Connection | None) -> None:
    if connection is not None:
        connection.terminate()
