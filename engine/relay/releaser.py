"""The releaser: one relay of all starts the runs of events that were held back, once they are due.

It sleeps until the next group is due. A bell tells of new ones, and it looks once a second in case none was heard.
There is one for the sake of economy: groups are locked, so that several would do no harm.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from engine.core.queueing import announce_queued, make_queued_event
from engine.infra import metrics
from engine.infra.bell import HELD_CHANNEL
from engine.infra.ids import moment_of, new_id
from engine.infra.telemetry import new_traceparent
from engine.relay.held_pieces import note_piece, review_piece
from engine.relay.leading import Leader
from engine.relay.listener import ANSWER_SECONDS, Session
from engine.store import held
from engine.store.held import GroupMove, HeldEvent, HeldGroup
from engine.store.held_pieces import leave_remainder
from engine.store.starts import Start, accept_starts
from engine.triggers.faults import OWN_FAULTS, is_own_fault
from engine.triggers.flow import (
    FlowConfig,
    Group,
    count_due,
    find_rule,
    join_events,
    next_look,
    read_rule,
    recent_starts,
)

BATCH_GROUPS = 50
# In one transaction; the rest follows in the next one. A batch has at most so many events.
MOST_EVENTS = 1000
MOST_BATCHES = 10
MOST_DISCARDED = 2000
# Of one group, and of all that are released at once.
MOST_BYTES = 4 * 1024 * 1024
MOST_BYTES_AT_ONCE = 8 * 1024 * 1024
LOOK_SECONDS = 1.0
LOCKED_SECONDS = 0.02
BATCH_SECONDS = 30.0
# What cannot be released is looked at again after this.
PUT_OFF_SECONDS = 30.0

_log = structlog.get_logger(__name__)
_decode_config = msgspec.json.Decoder(FlowConfig).decode


class _Changed(Exception):
    """A trigger or workflow was changed while its events were released: they are looked at anew."""


class _Release(Struct, kw_only=True):
    """What is released of one group: runs, and the events of each; then what the group is."""

    group: HeldGroup
    state: Group
    is_lifted: bool
    take: int
    is_cut: bool = False
    # A debounce ends for all of its events together: of very many, most are noted afterwards.
    is_long: bool = False
    events: list[HeldEvent] = []
    starts: list[Start] = []


class ReleaserSession(Session):
    """A session that holds the releaser's lock and hears of held events."""

    lock = held.RELEASER_LOCK
    channel = HELD_CHANNEL
    is_guest = True


class Releaser(Leader[ReleaserSession]):
    """Releases until stopped, whatever happens to PostgreSQL."""

    duty = "releaser"
    session_type = ReleaserSession

    async def lead(self, session: ReleaserSession) -> None:
        """Release what is due, and sleep until the next group is."""
        while not self.is_stopping:
            wait = await held.find_next_release(session.connection, ANSWER_SECONDS)
            self.backoff.reset()
            if wait is None or wait > 0:
                await session.rest(LOOK_SECONDS if wait is None else min(wait, LOOK_SECONDS))
            elif not await release_due(session.connection):
                # Somebody is about to add to it.
                await session.rest(LOCKED_SECONDS)


async def release_due(connection: asyncpg.Connection) -> int:
    """Do a piece of each thing that is due; of how many groups and events."""
    reviewed = await review_piece(connection)
    noted = await note_piece(connection)
    return reviewed + noted + await _release_groups(connection)


async def _release_groups(connection: asyncpg.Connection) -> int:
    """Release a batch of groups that are due; how many were looked at."""
    groups: list[HeldGroup] = []
    try:
        runs = await _release(connection, groups, None)
    except _Changed:
        runs = 0
    except OWN_FAULTS as error:
        if connection.is_closed() or not is_own_fault(error):
            raise
        runs = await _release_each(connection, groups)
    if runs:
        await held.ring_outbox(connection)
    return len(groups)


async def _release_each(connection: asyncpg.Connection, groups: Sequence[HeldGroup]) -> int:
    """One of them cannot be released: it must not keep the others up."""
    runs = 0
    for group in groups:
        name = (group.trigger_id, group.kind, group.key)
        try:
            runs += await _release(connection, [], name)
        except _Changed:
            continue
        except OWN_FAULTS as error:
            if connection.is_closed() or not is_own_fault(error):
                raise
            _log.exception("held_events_not_released", trigger_id=str(group.trigger_id), kind=group.kind)
            await held.put_off(connection, name, PUT_OFF_SECONDS)
    return runs


async def _release(connection: asyncpg.Connection, groups: list[HeldGroup], only: tuple[UUID, str, str] | None) -> int:
    """Start what is due, and say what is left and when, in one transaction; how many runs were started."""
    async with asyncio.timeout(BATCH_SECONDS), connection.transaction():
        groups += await held.take_groups(connection, BATCH_GROUPS, only)
        moves = await _discard_all(connection, [group for group in groups if group.is_gone])
        releases = [_plan(group) for group in groups if group.is_live and not group.is_gone]
        _bound(releases)
        await _read_events(connection, [release for release in releases if release.take])
        starts = [start for release in releases for start in release.starts]
        if starts and any(outcome.run_id is None for outcome in await accept_starts(connection, starts)):
            raise _Changed
        await _mark(connection, releases)
        # Of what has to wait for the next transaction nothing has changed.
        moves += [_move(release) for release in releases if release.take or not release.is_cut]
        await held.move_groups(connection, moves)
        # Whose trigger is switched off starts nothing; what it accepted waits until somebody changes it.
        await held.pause_groups(connection, [group for group in groups if not group.is_live and not group.is_gone])
    for release in releases:
        if release.starts:
            metrics.RUNS_CREATED.labels(release.starts[0].trigger_type).inc(len(release.starts))
            metrics.HELD_RELEASED.labels(release.group.kind).inc(len(release.starts))
            metrics.HELD_LATE_SECONDS.observe((release.group.now - release.group.due_at).total_seconds())
    return len(starts)


def _plan(group: HeldGroup) -> _Release:
    rule = find_rule(_decode_config(group.config or b"{}"))
    now_kind, size, period = (None, group.size, group.period_seconds) if rule is None else read_rule(rule)
    is_lifted = now_kind != group.kind
    state = Group(
        kind=group.kind,  # type: ignore[arg-type]  # the table allows no other
        size=group.size if is_lifted else size,
        period_seconds=group.period_seconds if is_lifted else period,
        waiting=group.waiting,
        first_at=group.first_at,
        last_at=group.last_at,
        starts=list(group.starts),
    )
    return _Release(
        group=group,
        state=state,
        is_lifted=is_lifted,
        take=count_due(state, group.now, is_lifted=is_lifted),
    )


def _bound(releases: Sequence[_Release]) -> None:
    """Take no more at once than a transaction should hold."""
    events, batches = MOST_EVENTS, MOST_BATCHES
    for release in releases:
        if release.group.kind == "batch" and release.take:
            batches -= 1
        release.is_long = release.group.kind == "debounce" and release.take > MOST_EVENTS
        written = 1 if release.is_long else release.take
        # A throttle's events go one by one; a batch or a debounce is taken whole or not at all.
        fits = written <= events and (release.group.kind == "debounce" or batches >= 0)
        room = events if release.group.kind == "throttle" else written * fits
        release.is_cut = room < written
        if release.is_cut:
            release.take = written = room
        events -= written


async def _read_events(connection: asyncpg.Connection, releases: Sequence[_Release]) -> None:
    """Read what is released, and make the runs of it."""
    await _read_first(connection, [release for release in releases if release.group.kind != "debounce"])
    left = MOST_BYTES_AT_ONCE
    for release in releases:
        if release.group.kind != "debounce":
            continue
        if left <= 0:
            release.take, release.is_cut = 0, True
            continue
        last = await held.read_last_event(connection, release.group)
        if last is not None:
            left -= len(last.trigger or b"")
            release.events = [last]
            release.starts = [_make_start(release.group, _read_trigger(last), last)]


async def _read_first(connection: asyncpg.Connection, releases: Sequence[_Release]) -> None:
    if not releases:
        return
    groups, most = [release.group for release in releases], [release.take for release in releases]
    found = await held.read_first_events(connection, groups, most, (MOST_BYTES, MOST_BYTES_AT_ONCE))
    for release, events in zip(releases, found, strict=True):
        release.events = events
        taken = [event for event in events if event.trigger is not None]
        if events and not taken:
            release.take, release.is_cut = 0, True
        elif release.group.kind == "throttle":
            release.starts = [_make_start(release.group, _read_trigger(event), event) for event in taken]
        elif taken:
            joined = join_events([event.trigger or b"" for event in taken])
            release.starts = [_make_start(release.group, joined, taken[-1])]


def _read_trigger(event: HeldEvent) -> dict[str, Any]:
    return msgspec.json.decode(event.trigger or b"{}", type=dict[str, msgspec.Raw])


def _make_start(group: HeldGroup, trigger: dict[str, Any], event: HeldEvent) -> Start:
    if group.version_id is None or group.version is None or group.workflow_name is None:
        raise ValueError("a live trigger has a published workflow")
    at, run_id = group.now, new_id(group.now)
    traceparent = event.traceparent or new_traceparent()
    return Start(
        run_id=run_id,
        workspace_id=group.workspace_id,
        workflow_id=group.workflow_id,
        version_id=group.version_id,
        version=group.version,
        trigger_id=group.trigger_id,
        trigger_type=group.type or "webhook",
        at=at,
        queued=make_queued_event(
            at=at,
            trigger=trigger,
            run_input={},
            workflow_id=group.workflow_id,
            workflow_name=group.workflow_name,
            version=group.version,
            traceparent=traceparent,
        ),
        message=announce_queued(at=at, run_id=run_id, workspace_id=group.workspace_id, workflow_id=group.workflow_id),
        traceparent=traceparent,
        trigger_updated_at=group.updated_at,
    )


async def _mark(connection: asyncpg.Connection, releases: Sequence[_Release]) -> None:
    """Let receipts tell of the runs, and count what is left."""
    pairs: list[tuple[UUID, UUID]] = []
    for release in releases:
        state = release.state
        if not release.take:
            continue
        if release.group.kind == "debounce":
            await _mark_debounce(connection, release)
            state.waiting = 0
            continue
        taken = [event for event in release.events if event.trigger is not None]
        runs = release.starts if release.group.kind == "throttle" else release.starts * len(taken)
        pairs += [(event.event_id, start.run_id) for event, start in zip(taken, runs, strict=True)]
        rest = next((event for event in release.events if event.trigger is None), None)
        state.waiting = 0 if rest is None else max(1, state.waiting - len(taken))
        if rest is not None:
            state.first_at = moment_of(rest.event_id)
    if pairs:
        await held.mark_started(connection, pairs)


async def _mark_debounce(connection: asyncpg.Connection, release: _Release) -> None:
    """Note that all its events have started one run: at once, or, of very many, the last one now and the rest soon."""
    for start, last in zip(release.starts, release.events, strict=True):
        if not release.is_long:
            await held.mark_group_started(connection, release.group, start.run_id)
            continue
        await held.mark_started(connection, [(last.event_id, start.run_id)])
        group = release.group
        await leave_remainder(connection, (group.trigger_id, group.kind, group.key), last.place, start.run_id)


def _move(release: _Release) -> GroupMove:
    """What the group is now, by the trigger's present rule."""
    group, state, now = release.group, release.state, release.group.now
    if group.kind == "throttle":
        state.starts = [*recent_starts(state, now), *(now for _ in release.starts)][-state.size :]
    if release.is_cut:
        due_at: datetime | None = now
    else:
        due_at = (now if state.waiting else None) if release.is_lifted else next_look(state, now)
    return _describe(group, state, due_at)


async def _discard_all(connection: asyncpg.Connection, groups: Sequence[HeldGroup]) -> list[GroupMove]:
    """Whose trigger or workflow was deleted starts nothing any more; the receipts say so."""
    left = MOST_DISCARDED
    moves = []
    for group in groups:
        event_ids = await held.list_held(connection, group, left)
        await held.discard(connection, event_ids, "trigger_deleted" if group.config is None else "workflow_deleted")
        left -= len(event_ids)
        if not left:
            # There may be more; it stays due.
            break
        moves.append(_forget(group))
    return moves


def _forget(group: HeldGroup) -> GroupMove:
    state = Group(
        kind=group.kind,  # type: ignore[arg-type]  # the table allows no other
        size=group.size,
        period_seconds=group.period_seconds,
        waiting=0,
        first_at=group.first_at,
        last_at=group.last_at,
        starts=[],
    )
    return _describe(group, state, None)


def _describe(group: HeldGroup, state: Group, due_at: datetime | None) -> GroupMove:
    return GroupMove(
        trigger_id=group.trigger_id,
        kind=group.kind,
        key=group.key,
        waiting=state.waiting,
        size=state.size,
        period_seconds=state.period_seconds,
        first_at=state.first_at,
        due_at=due_at,
        starts=state.starts,
    )
