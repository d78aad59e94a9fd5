"""The scheduler: one relay of all fires the schedules that are due, each due time once.

It sleeps until the next one is due. A bell tells of changes, and it looks once a second in case none was heard. Those
on time and those that are late come in turn, who waits longest first. Each gets so many runs a turn: who has more to
make up for waits until all others had theirs. There is one for the sake of economy: rows are locked and due times are
dedup keys, so that several would do no harm.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from engine.infra.metrics import RUNS_CREATED, SCHEDULE_LATE_SECONDS, SCHEDULES_SKIPPED
from engine.infra.settings import Settings
from engine.relay.ears import Ears
from engine.relay.leading import Leader
from engine.relay.listener import ANSWER_SECONDS, Session
from engine.store.schedules import (
    SCHEDULE_CHANNEL,
    SCHEDULER_LOCK,
    DueSchedule,
    Move,
    find_next_due,
    move_schedules,
    ring_outbox,
    take_due,
)
from engine.store.starts import Accepted, Start, accept_starts
from engine.triggers.faults import OWN_FAULTS, is_own_fault
from engine.triggers.schedule import decode_config
from engine.triggers.schedule_plan import GRACE, Plan, describe_due, make_due_key, make_plan
from engine.triggers.starting import make_start

BATCH_SCHEDULES = 200
BATCH_STARTS = 500
# What one transaction computes and starts, so that it is over long before anybody takes its session for a dead one.
PLAN_SECONDS = 1.0
PLAN_STARTS = 1000
LOOK_SECONDS = 1.0
LOCKED_SECONDS = 0.02
# A batch may hold thousands of starts after a long downtime.
BATCH_SECONDS = 30.0
# One that cannot be fired keeps nobody else up, and is tried again after this.
PUT_OFF_SECONDS = 60.0

_CREATED = RUNS_CREATED.labels("schedule")
_log = structlog.get_logger(__name__)


class SchedulerSession(Session):
    """A session that holds the scheduler's lock and hears of changed schedules."""

    lock = SCHEDULER_LOCK
    channel = SCHEDULE_CHANNEL
    is_guest = True


class Scheduler(Leader[SchedulerSession]):
    """Fires schedules until stopped, whatever happens to PostgreSQL."""

    duty = "scheduler"
    session_type = SchedulerSession

    def __init__(self, settings: Settings, ears: Ears | None = None) -> None:
        super().__init__(settings, ears)
        self._put_off: dict[UUID, float] = {}
        # Those that had their turn and are due nevertheless. No others need be remembered: they are not due any more.
        self._served: set[UUID] = set()

    async def lead(self, session: SchedulerSession) -> None:
        """Fire what is due, and sleep until the next one is."""
        while not self.is_stopping:
            wait = await find_next_due(session.connection, self._left_alone(), ANSWER_SECONDS)
            self.backoff.reset()
            if wait is None or wait > 0:
                await session.rest(LOOK_SECONDS if wait is None else min(wait, LOOK_SECONDS))
            elif not await self.fire(session.connection):
                # Somebody is about to change it.
                await session.rest(LOCKED_SECONDS)

    async def fire(self, connection: asyncpg.Connection) -> int:
        """Fire a batch of what is due; how many schedules were."""
        rows: list[DueSchedule] = []
        try:
            starts = await self._fire(connection, rows, None)
        except OWN_FAULTS as error:
            if connection.is_closed() or not is_own_fault(error):
                raise
            starts = await self._fire_each(connection, [row.trigger_id for row in rows])
        if starts:
            await ring_outbox(connection)
        return len(rows)

    async def _fire_each(self, connection: asyncpg.Connection, trigger_ids: Sequence[UUID]) -> int:
        """One of them cannot be fired: it must not keep the others up."""
        starts = 0
        for trigger_id in trigger_ids:
            try:
                starts += await self._fire(connection, [], trigger_id)
            except OWN_FAULTS as error:
                if connection.is_closed() or not is_own_fault(error):
                    raise
                _log.exception("schedule_not_fired", trigger_id=str(trigger_id))
                self._put_off[trigger_id] = asyncio.get_running_loop().time() + PUT_OFF_SECONDS
        return starts

    async def _fire(self, connection: asyncpg.Connection, rows: list[DueSchedule], alone: UUID | None) -> int:
        """Start what is due and say when it is due again, in one transaction; how many runs were started."""
        async with asyncio.timeout(BATCH_SECONDS), connection.transaction():
            rows += await self._take(connection, alone)
            if not rows:
                return 0
            now = rows[0].now
            # Beside the event loop, which has the outbox to publish: cron times cost a fifth of a millisecond each.
            plans = await asyncio.to_thread(_make_plans, rows, now)
            # The others stay due, for the next transaction.
            del rows[len(plans) :]
            starts = [_make_starts(row, plan, now) for row, plan in zip(rows, plans, strict=True)]
            accepted = await _accept(connection, [start for part in starts for start in part])
            moves = []
            for row, plan, part in zip(rows, plans, starts, strict=True):
                outcomes = [accepted[start.run_id] for start in part]
                # With one that is not current the whole schedule is looked at anew.
                if all(outcome.run_id is not None for outcome in outcomes):
                    moves.append(_make_move(row, plan, outcomes))
            await move_schedules(connection, moves)
        over = {move.trigger_id for move in moves if move.next_due_at is None or move.next_due_at > now}
        self._served |= {row.trigger_id for row in rows} - over
        made = sum(outcome.run_id is not None and not outcome.is_duplicate for outcome in accepted.values())
        _CREATED.inc(made)
        for row in rows:
            SCHEDULE_LATE_SECONDS.observe((now - row.next_due_at).total_seconds())
        for move in moves:
            if move.skip_reason is not None:
                SCHEDULES_SKIPPED.labels(move.skip_reason).inc()
        return made

    async def _take(self, connection: asyncpg.Connection, alone: UUID | None) -> list[DueSchedule]:
        """The next in turn; once all that are late had theirs, those that still are have another one."""
        put_off = self._left_alone()
        if alone is not None:
            return await take_due(connection, 1, grace=GRACE, alone=alone)
        rows = await take_due(connection, BATCH_SCHEDULES, grace=GRACE, without=[*put_off, *self._served])
        if self._served and not any(row.is_late for row in rows):
            self._served.clear()
            if not rows:
                rows = await take_due(connection, BATCH_SCHEDULES, grace=GRACE, without=put_off)
        return rows

    def _left_alone(self) -> list[UUID]:
        now = asyncio.get_running_loop().time()
        self._put_off = {trigger_id: until for trigger_id, until in self._put_off.items() if until > now}
        return list(self._put_off)


def _make_plans(rows: Sequence[DueSchedule], now: datetime) -> list[Plan]:
    """The plans of the first rows: of all of them, unless they come to a lot."""
    plans: list[Plan] = []
    began, starts = time.monotonic(), 0
    for row in rows:
        plans.append(make_plan(decode_config(row.config), row.next_due_at, now))
        starts += len(plans[-1].due)
        if starts >= PLAN_STARTS or time.monotonic() - began > PLAN_SECONDS:
            break
    return plans


def _make_starts(row: DueSchedule, plan: Plan, now: datetime) -> list[Start]:
    if row.origin is None:
        return []
    return [
        make_start(
            row.origin,
            trigger_type="schedule",
            trigger=describe_due(due, now),
            key=make_due_key(due.at),
            at=now,
        )
        for due in plan.due
    ]


def _make_move(row: DueSchedule, plan: Plan, outcomes: Sequence[Accepted]) -> Move:
    skip_reason = "not_published" if row.origin is None else "missed" if plan.has_skipped else None
    return Move(
        trigger_id=row.trigger_id,
        trigger_updated_at=row.updated_at,
        next_due_at=None if row.is_gone else plan.next_due_at,
        last_due_at=plan.due[-1].at if outcomes else None,
        last_run_id=outcomes[-1].run_id if outcomes else None,
        skip_reason=skip_reason,
    )


async def _accept(connection: asyncpg.Connection, starts: Sequence[Start]) -> dict[UUID, Accepted]:
    accepted: dict[UUID, Accepted] = {}
    for first in range(0, len(starts), BATCH_STARTS):
        part = starts[first : first + BATCH_STARTS]
        outcomes = await accept_starts(connection, part)
        accepted |= {start.run_id: outcome for start, outcome in zip(part, outcomes, strict=True)}
    return accepted
