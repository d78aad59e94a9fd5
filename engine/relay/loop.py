"""The relay: takes rows from the outbox, publishes them, and only then lets their deletion be committed.

One relay leads, others stand by. The bell makes it fast, polling makes it certain: what is committed is published at
least once, in the order of the rows. While Redis is away the rows wait, and what listens to their events does not.
"""

import asyncio
import contextlib
from uuid import UUID

import structlog
from redis.asyncio import Redis

from engine.infra.backoff import Backoff
from engine.infra.metrics import OUTBOX_OLDEST_SECONDS, OUTBOX_ROWS, RELAY_BATCH_ROWS, RELAY_FAILURES, RELAY_LEADS
from engine.infra.redis import REDIS_ERRORS
from engine.infra.settings import Settings
from engine.relay.events import EventMatcher, Hit, count_fitting
from engine.relay.leading import Leader
from engine.relay.listener import ANSWER_SECONDS, Session
from engine.relay.publisher import Publisher
from engine.store.outbox import OutboxRow, find_newest, has_rows, look, mark_heard, measure, take

BATCH_ROWS = 500
POLL_SECONDS = 1.0
# Between batches that the bell asks for: many runs then share one job.
LINGER_SECONDS = 0.005
_MEASURE_SECONDS = 5.0
# Rows are published in their order. So that nobody waits behind a flood of them, the newest ring before their turn.
AHEAD_ROWS = 500
AHEAD_OF_EACH = 5
_REMEMBERED = 2000
# Between two tries to reach Redis. Ids are taken before they are committed: one may come behind a later one.
HEARD_BATCHES = 20
LOOK_BACK = 1000

_log = structlog.get_logger(__name__)


class RedisUnavailable(Exception):
    """Redis did not take a batch; its rows stay in the outbox."""


class Relay(Leader[Session]):
    """Publishes the outbox until stopped, whatever happens to PostgreSQL and Redis."""

    duty = "relay"
    session_type = Session

    def __init__(self, settings: Settings, redis: Redis) -> None:
        super().__init__(settings)
        self._publisher = Publisher(redis)
        self._events = EventMatcher()
        self._measured_at = 0.0
        self._rung_ahead: dict[UUID, None] = {}
        # While Redis is away: the row up to which was looked for who listens.
        self._heard_until = 0

    def on_lead(self) -> None:
        """The database may be another one than before."""
        self.backoff.reset()
        self._events.forget()
        RELAY_LEADS.set(1)

    def on_leave(self) -> None:
        """Whatever it was that ended the session."""
        RELAY_LEADS.set(0)

    def on_failure(self, of: str) -> None:
        """Count it."""
        RELAY_FAILURES.labels(of).inc()

    async def lead(self, session: Session) -> None:
        """Publish batch after batch."""
        loop = asyncio.get_running_loop()
        redis_backoff = Backoff(0.1, 2.0)
        must_take = True
        while not self.is_stopping:
            began = loop.time()
            try:
                count = await self._publish_batch(session) if must_take else 0
                redis_backoff.reset()
            except RedisUnavailable as error:
                seconds = redis_backoff.pause()
                _log.warning("redis_unavailable", error=str(error), retry_in_seconds=round(seconds, 2))
                await self._measure(session, is_empty=False)
                await self._hear(session)
                await self.sleep(seconds)
                continue
            self._heard_until = 0
            await self._measure(session, is_empty=count < BATCH_ROWS)
            if count == BATCH_ROWS:
                await self._ring_ahead(session)
                continue
            if await session.rest(POLL_SECONDS):
                await self.sleep(began + LINGER_SECONDS - loop.time())
                must_take = True
            else:
                must_take = await has_rows(session.connection, ANSWER_SECONDS)

    async def _publish_batch(self, session: Session) -> int:
        """Publish the first rows, start what listens, and delete them if Redis took them; how many there were."""
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            await session.connection.execute("BEGIN", timeout=ANSWER_SECONDS)
            rows, hits = await self._take(session)
            if rows:
                try:
                    await self._publisher.publish(rows)
                except REDIS_ERRORS as error:
                    RELAY_FAILURES.labels("redis").inc()
                    await session.connection.execute("ROLLBACK", timeout=ANSWER_SECONDS)
                    raise RedisUnavailable(repr(error)) from error
                if hits and await self._events.start(session.connection, hits):
                    # What was started waits in the outbox already.
                    session.alarm.set()
            await session.connection.execute("COMMIT", timeout=ANSWER_SECONDS)
        if rows:
            RELAY_BATCH_ROWS.observe(len(rows))
        return len(rows)

    async def _take(self, session: Session) -> tuple[list[OutboxRow], list[Hit]]:
        """The first rows and who hears their events; fewer rows where too many do."""
        rows = await take(session.connection, BATCH_ROWS, ANSWER_SECONDS)
        if not rows:
            return rows, []
        hits = await self._events.find(session.connection, rows)
        fitting = count_fitting(rows, hits)
        if fitting < len(rows):
            await session.connection.execute("ROLLBACK", timeout=ANSWER_SECONDS)
            await session.connection.execute("BEGIN", timeout=ANSWER_SECONDS)
            rows = await take(session.connection, fitting, ANSWER_SECONDS)
            hits = await self._events.find(session.connection, rows) if rows else []
            session.alarm.set()
        return rows, hits

    async def _hear(self, session: Session) -> None:
        """Start what listens to events that cannot be published now, each once; their rows stay."""
        for _ in range(HEARD_BATCHES):
            rows = await look(session.connection, self._heard_until, BATCH_ROWS, ANSWER_SECONDS)
            if not rows or self.is_stopping:
                break
            async with asyncio.timeout(2 * ANSWER_SECONDS), session.connection.transaction():
                done = await self._start_unpublished(session, rows)
            self._heard_until = done[-1].id
            if len(done) == len(rows) < BATCH_ROWS:
                break
        self._heard_until = max(0, self._heard_until - LOOK_BACK)

    async def _start_unpublished(self, session: Session, rows: list[OutboxRow]) -> list[OutboxRow]:
        """Start what listens to the first of these rows, in one transaction; those that it came to."""
        hits = await self._events.find(session.connection, rows)
        rows = rows[: count_fitting(rows, hits)]
        known = {row.id for row in rows}
        wanted = {hit.row.id for hit in hits} & known
        if wanted:
            fresh = await mark_heard(session.connection, sorted(wanted), ANSWER_SECONDS)
            await self._events.start(session.connection, [hit for hit in hits if hit.row.id in fresh])
        return rows

    async def _ring_ahead(self, session: Session) -> None:
        """Ring for the newest runs, a few of each workspace: they ring again when it is their rows' turn."""
        newest = await find_newest(session.connection, AHEAD_ROWS, AHEAD_OF_EACH, ANSWER_SECONDS)
        fresh = [run_id for run_id in newest if run_id not in self._rung_ahead]
        if not fresh:
            return
        self._rung_ahead |= dict.fromkeys(fresh)
        while len(self._rung_ahead) > _REMEMBERED:
            del self._rung_ahead[next(iter(self._rung_ahead))]
        with contextlib.suppress(*REDIS_ERRORS):
            # Only a hurry: the rows themselves are still there.
            await self._publisher.ring(fresh)

    async def _measure(self, session: Session, *, is_empty: bool) -> None:
        if is_empty:
            OUTBOX_ROWS.set(0)
            OUTBOX_OLDEST_SECONDS.set(0)
            return
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < _MEASURE_SECONDS:
            return
        self._measured_at = now
        count, oldest = await measure(session.connection, ANSWER_SECONDS)
        OUTBOX_ROWS.set(count)
        OUTBOX_OLDEST_SECONDS.set(oldest)
