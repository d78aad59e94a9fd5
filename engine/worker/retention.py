"""Retention: one worker of all makes partitions ahead, drops those whose runs are all old, and deletes what else is."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS, connect
from engine.infra.ids import floor_id, moment_of
from engine.infra.settings import Settings
from engine.infra.telemetry import span
from engine.store import partitions, retention
from engine.store.partitions import Partition
from engine.store.timers import read_time

# Every partition costs each statement on runs a few microseconds: few wide ones rather than many narrow ones.
PARTITIONS_KEPT = 6
DAYS_WITHOUT_RETENTION = 30
# A pass that has not come to the end is followed by another one at once.
PASS_SECONDS = 30.0
PAUSE_SECONDS = 1.0
# Longer than any statement of ours: the way to the database is broken, and another worker shall take over.
LONGEST_PASS_SECONDS = 600.0
# Between two batches others have the disk.
BREATH_SECONDS = 0.02
# Whoever is in the way of a partition is so for a moment, as a rule.
TRIES = 5

IDEMPOTENCY = timedelta(hours=24)
DAY = timedelta(days=1)
# People look at what became of an invitation, and a line of runs may go on for as long as its delays are.
MONTH = timedelta(days=30)

Delete = Callable[[asyncpg.Connection, datetime, int], Awaitable[int]]

_log = structlog.get_logger()


def partition_width(retention_days: int) -> timedelta:
    """The time that one partition is for: what is kept fits into a handful, however long that is."""
    return timedelta(days=max(1, retention_days // PARTITIONS_KEPT) if retention_days else DAYS_WITHOUT_RETENTION)


class Retention:
    """Deletes what is old, where no other worker does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limit = settings.retention_batch_rows

    async def run(self) -> None:
        """Look after it until cancelled: as the one that does, or ready to take over."""
        interval = self._settings.retention_interval_seconds
        connection: asyncpg.Connection | None = None
        try:
            while True:
                is_done = True
                try:
                    if connection is None or connection.is_closed():
                        connection = await connect(self._settings, name="worker-retention", synchronous_commit="off")
                    if await retention.take_retention(connection):
                        async with asyncio.timeout(LONGEST_PASS_SECONDS):
                            is_done = await self.make_pass(connection)
                    else:
                        # Nothing to do here: the session would only stand about.
                        await connection.close()
                except DATABASE_ERRORS as error:
                    _log.warning("retention_interrupted", error=repr(error))
                    _drop(connection)
                    connection = None
                except Exception:
                    _log.exception("retention_failed")
                    _drop(connection)
                    connection = None
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - it only keeps many workers from looking in step
                await asyncio.sleep(interval * jitter if is_done else min(PAUSE_SECONDS, interval))
        finally:
            _drop(connection)

    async def make_pass(self, connection: asyncpg.Connection) -> bool:
        """Make partitions, drop partitions, delete rows; False where time ran out with more to do."""
        started = time.monotonic()
        with span("retention pass"):
            now = await read_time(connection)
            kept = self._settings.retention_days
            before = now - timedelta(days=kept) if kept else None
            async with self._partitions(connection) as may_change:
                # The last table that a migration makes partitions of: before, they are its own affair.
                if may_change and await partitions.list_partitions(connection, partitions.TABLES[-1]):
                    await self._keep_ahead(connection, now)
                    if before is not None:
                        await self._drop_old(connection, before)
            cleaning = _Cleaning(connection, self._limit, started + PASS_SECONDS)
            is_done = (before is None or await cleaning.delete_runs(before)) and await cleaning.delete_rest(
                now, before, timedelta(hours=self._settings.dedup_hours)
            )
        metrics.RETENTION_SECONDS.observe(time.monotonic() - started)
        return is_done

    @asynccontextmanager
    async def _partitions(self, connection: asyncpg.Connection) -> AsyncIterator[bool]:
        may_change = await partitions.try_partitions(connection)
        try:
            yield may_change
        finally:
            if may_change and not connection.is_closed():
                await partitions.release_partitions(connection)

    async def _keep_ahead(self, connection: asyncpg.Connection, now: datetime) -> None:
        """Make the partitions of the time to come: two widths of it, at least three days."""
        width = partition_width(self._settings.retention_days)
        known = await partitions.list_partitions(connection)
        today = floor_id(_midnight(now))
        start = max(known[-1].upper, today) if known else today
        if await partitions.find_latest_beyond(connection, start, now + timedelta(hours=1)):
            # Nobody made partitions for a while: what came meanwhile lies in the default one, and stays there.
            start = floor_id(_midnight(now + timedelta(hours=1)) + DAY)
        while moment_of(start) < now + max(2 * width, 3 * DAY):
            beyond = floor_id(moment_of(start) + width)
            partition = Partition(name=f"{moment_of(start):%Y%m%d}", lower=start, upper=beyond)
            if not await _insist(partial(partitions.create_partition, connection, "run", partition)):
                break
            _log.info("partition_made", name=partition.name, until=moment_of(beyond).isoformat())
            start = beyond
        wanted = [one for one in await partitions.list_partitions(connection) if one.upper > today and one.lower]
        for table in partitions.TABLES[1:]:
            have = await partitions.list_partitions(connection, table)
            for partition in partitions.missing(have, wanted):
                await _insist(partial(partitions.create_partition, connection, table, partition))

    async def _drop_old(self, connection: asyncpg.Connection, before: datetime) -> None:
        """Drop partitions in which every run has ended long enough ago, and what belonged to them."""
        floor = floor_id(before)
        for partition in await partitions.list_partitions(connection):
            if partition.upper > floor:
                break
            if await partitions.is_over(connection, partition.name, before):
                await _insist(partial(_drop_runs, connection, partition, before))
        alive = await partitions.list_partitions(connection)
        for table in partitions.TABLES[1:]:
            for partition in partitions.missing(alive, await partitions.list_partitions(connection, table)):
                await _insist(partial(partitions.drop_partition, connection, table, partition.name))


class _Cleaning:
    """Deletes batch after batch until nothing is left, or the time is up."""

    def __init__(self, connection: asyncpg.Connection, limit: int, deadline: float) -> None:
        self._connection = connection
        self._limit = limit
        self._deadline = deadline

    async def delete_runs(self, before: datetime) -> bool:
        """Delete old runs where no partition can be dropped: beside one that is kept, and in the default one."""
        floor = floor_id(before)
        known = await partitions.list_partitions(self._connection)
        old = [one.name for one in known if one.upper <= floor]
        # One that is over was in use a moment ago: it is dropped another time, and not emptied row by row until then.
        kept = [name for name in old if not await partitions.is_over(self._connection, name, before)]
        for name in [*kept, partitions.DEFAULT]:
            after = retention.NO_RUN
            while True:
                ids = await retention.delete_runs(self._connection, name, before, after=after, limit=self._limit)
                metrics.RETENTION_ROWS.labels("run").inc(len(ids))
                if len(ids) < self._limit:
                    break
                after = ids[-1]
                if await self._is_time_up():
                    return False
        return True

    async def delete_rest(self, now: datetime, before: datetime | None, dedup: timedelta) -> bool:
        """Delete what is old of everything else; `before` bounds what belongs to runs, None keeps it."""
        aged: list[tuple[str, Delete, datetime]] = [
            ("dedup_key", retention.delete_dedup_keys, now - dedup),
            ("idempotency_key", retention.delete_idempotency_keys, now - IDEMPOTENCY),
            ("user_session", retention.delete_sessions, now - DAY),
            ("refresh_token", retention.delete_refresh_tokens, now - DAY),
            ("signing_key", retention.delete_signing_keys, now - DAY),
            ("worker", retention.delete_workers, now - DAY),
            ("invitation", retention.delete_invitations, now - MONTH),
            ("event_line", retention.delete_event_lines, now - MONTH),
        ]
        if before is not None:
            first = await retention.find_first_run(self._connection)
            untested = before if first is None else min(before, moment_of(first) - DAY)
            aged += [
                ("inbound_event", retention.delete_receipts, before),
                ("filtered_payload", retention.delete_filtered_payloads, before),
                ("ingest_minute", retention.delete_minutes, before),
                ("workflow_version", retention.delete_drafts, untested),
                ("approval", _of("approval", retention.delete_of_dropped), before),
                ("inbox", _of("inbox", retention.delete_of_dropped), before),
                ("journal", _of("journal", retention.delete_strays), before),
                ("payload", _of("payload", retention.delete_strays), before),
            ]
        return all([await self._delete_all(*one) for one in aged])

    async def _delete_all(self, table: str, delete: Delete, before: datetime) -> bool:
        while True:
            count = await delete(self._connection, before, self._limit)
            metrics.RETENTION_ROWS.labels(table).inc(count)
            if count < self._limit:
                return True
            if await self._is_time_up():
                return False

    async def _is_time_up(self) -> bool:
        await asyncio.sleep(BREATH_SECONDS)
        return time.monotonic() > self._deadline


def _of(table: str, delete: Callable[[asyncpg.Connection, str, datetime, int], Awaitable[int]]) -> Delete:
    return lambda connection, before, limit: delete(connection, table, before, limit)


async def _drop_runs(connection: asyncpg.Connection, partition: Partition, before: datetime) -> None:
    if await partitions.drop_runs(connection, partition.name, before):
        metrics.PARTITIONS_DROPPED.inc()
        _log.info("partition_dropped", name=partition.name, until=moment_of(partition.upper).isoformat())


async def _insist(change: Callable[[], Awaitable[None]]) -> bool:
    """Make a change that nobody may be held up for, in a few tries; whether it was made."""
    for number in range(1, TRIES + 1):
        try:
            await change()
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(BREATH_SECONDS * 10 * number)
        except asyncpg.CheckViolationError as error:
            # Rows of its time came into the default partition in this very moment.
            _log.warning("partition_refused", error=str(error))
            return False
        else:
            return True
    _log.warning("partition_in_use")
    return False


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _drop(connection: asyncpg.Connection | None) -> None:
    if connection is not None:
        connection.terminate()
