"""The relay: reads rows of the outbox, publishes them, and only then deletes them.

One relay leads, others stand by. The bell makes it fast, polling makes it certain: what is committed is published at
least once, in the order of the rows. While Redis is away the rows wait, and what listens to their events does not.
What was published is deleted by the statement that reads the next rows, so that a batch costs one statement; with what
listens to its events it is deleted at once, in the transaction that starts it.
"""

import asyncio
import contextlib
import math
from uuid import UUID

import structlog
from redis.asyncio import Redis

from engine.infra.backoff import Backoff
from engine.infra.metrics import OUTBOX_OLDEST_SECONDS, OUTBOX_ROWS, RELAY_BATCH_ROWS, RELAY_FAILURES, RELAY_LEADS
from engine.infra.redis import REDIS_ERRORS
from engine.infra.settings import Settings
from engine.relay.ears import Ears
from engine.relay.events import EventMatcher, Hit, count_fitting
from engine.relay.hurry import Hurry
from engine.relay.leading import Leader
from engine.relay.listener import ANSWER_SECONDS, Session
from engine.relay.publisher import Publisher
from engine.store.outbox import OutboxRow, delete, find_newest, has_rows, look, mark_heard, measure, take

BATCH_ROWS = 500
POLL_SECONDS = 1.0
# Between batches that the bell asks for: many runs then share one job. Where hardly anything comes, nothing would
# gather, and the end of a run would only wait behind its beginning.
LINGER_SECONDS = 0.005
FEW_ROWS = 2
# Where nothing more comes, what was published is deleted after so long.
TIDY_SECONDS = 0.2
# More than so many are deleted by a statement of their own: the one that reads compares each row with them.
DELETED_IN_PASSING = 100
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

    def __init__(self, settings: Settings, redis: Redis, ears: Ears | None = None) -> None:
        super().__init__(settings, ears)
        self._publisher = Publisher(redis)
        self._events = EventMatcher(settings.held_events_per_trigger)
        self._measured_at = -math.inf
        # What the gauges say: rows that wait, and the age of the oldest in seconds.
        self._told = 0, 0.0
        # Whether rows of the last batch had to stay.
        self._is_cut = False
        self._rung_ahead: dict[UUID, None] = {}
        self._hurry: Hurry | None = None
        # Published and still there.
        self._done: list[int] = []
        # While Redis is away: the row up to which was looked for who listens.
        self._heard_until = 0

    def on_lead(self) -> None:
        """The database may be another one than before."""
        self.backoff.reset()
        self._events.forget()
        self._done = []
        self._measured_at = -math.inf
        RELAY_LEADS.set(1)

    def on_leave(self) -> None:
        """Whatever it was that ended the session: from now on it is the next leader's to say what waits."""
        RELAY_LEADS.set(0)
        self._tell(0, 0)

    def on_failure(self, of: str) -> None:
        """Count it."""
        RELAY_FAILURES.labels(of).inc()

    async def lead(self, session: Session) -> None:
        """Publish batch after batch, and meanwhile ring for what is named."""
        self._hurry = Hurry(self._publisher, session.alarm.set, lambda: self._events.has_listeners)
        session.on_named = self._hurry.name
        hurrying = asyncio.create_task(self._hurry.run())
        try:
            await self._publish_all(session)
        finally:
            hurrying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hurrying
            self._hurry = None

    async def _publish_all(self, session: Session) -> None:
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
                await self._tidy(session)
                await self._measure(session)
                await self._hear(session)
                await self.sleep(seconds)
                continue
            self._heard_until = 0
            if count == BATCH_ROWS:
                await self._tidy(session)
                await self._measure(session)
                await self._ring_ahead(session)
                continue
            if self._is_cut:
                await self._measure(session)
            else:
                self._tell(0, 0)
            if await session.rest(TIDY_SECONDS if self._done else POLL_SECONDS):
                if count > FEW_ROWS:
                    await self.sleep(began + LINGER_SECONDS - loop.time())
                must_take = True
            else:
                must_take = bool(self._done) or await has_rows(session.connection, ANSWER_SECONDS)
        await self._tidy(session)

    async def _publish_batch(self, session: Session) -> int:
        """Publish the next rows and start what listens; how many they were."""
        self._is_cut = False
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            rows = await self._read(session)
            if not rows:
                return 0
            hits = await self._events.find(session.connection, rows)
            if (fitting := count_fitting(rows, hits)) < len(rows):
                rows, left = rows[:fitting], rows[fitting:]
                session.alarm.set()
                self._is_cut = True
                # So many at least: they are counted now and then.
                self._tell(max(len(left), self._told[0]), max(left[0].age, self._told[1]))
            try:
                await self._publisher.publish(
                    rows,
                    is_awaited=self._events.has_listeners,
                    take_rung=self._hurry.take_rung if self._hurry else None,
                )
            except REDIS_ERRORS as error:
                RELAY_FAILURES.labels("redis").inc()
                raise RedisUnavailable(repr(error)) from error
            done = [row.id for row in rows]
            if hits:
                await self._start(session, hits, done)
            else:
                self._done = done
        RELAY_BATCH_ROWS.observe(len(rows))
        return len(rows)

    async def _read(self, session: Session) -> list[OutboxRow]:
        """The next rows; what was published before is gone."""
        if self._hurry is not None:
            self._hurry.note_reading()
        if len(self._done) > DELETED_IN_PASSING:
            await self._tidy(session)
        rows = await take(session.connection, BATCH_ROWS, self._done, ANSWER_SECONDS)
        self._done = []
        return rows

    async def _start(self, session: Session, hits: list[Hit], done: list[int]) -> None:
        """Start what listens to published rows, in the transaction that deletes them."""
        known = set(done)
        async with session.connection.transaction():
            made = await self._events.start(session.connection, [hit for hit in hits if hit.row.id in known])
            await delete(session.connection, done, ANSWER_SECONDS)
        if made:
            # What was started waits in the outbox already.
            session.alarm.set()

    async def _tidy(self, session: Session) -> None:
        """Delete what was published."""
        if self._done:
            await delete(session.connection, self._done, ANSWER_SECONDS)
            self._done = []

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

    async def _measure(self, session: Session) -> None:
        """Have the gauges say what waits, as it is counted every few seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < _MEASURE_SECONDS:
            return
        self._measured_at = now
        self._tell(*await measure(session.connection, ANSWER_SECONDS))

    def _tell(self, rows: int, oldest_seconds: float) -> None:
        self._told = rows, oldest_seconds
        OUTBOX_ROWS.set(rows)
        OUTBOX_OLDEST_SECONDS.set(oldest_seconds)
