"""Event triggers, matched in the transaction that takes run events out of the outbox: each event is seen once.

Who listens is kept in memory. Every batch of rows comes with the revision of the event triggers that was current when
the rows were seen, and with another revision they are read anew: no event is held against a list older than itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from engine.infra.ids import new_id
from engine.infra.metrics import EVENT_TRIGGERS, RUNS_CREATED
from engine.relay.listener import ANSWER_SECONDS
from engine.store.held import ring_releaser
from engine.store.held_pieces import look_again
from engine.store.keeping import Hold, Kept, keep_events
from engine.store.listeners import CauseRow, add_following, count_following, find_causes, list_listeners
from engine.store.outbox import OutboxRow
from engine.store.starts import Accepted, Start, accept_starts
from engine.store.trigger_origins import TriggerOrigin, find_live_origins
from engine.triggers.event import (
    FILTER_FUEL,
    MOST_FOLLOWING,
    Cause,
    EventConfig,
    FilterFailed,
    describe_event,
    find_cut_off,
    is_wanted,
)
from engine.triggers.faults import OWN_FAULTS, is_own_fault
from engine.triggers.flow import FlowKeyError, find_rule, make_hold
from engine.triggers.held_room import HeldRoom
from engine.triggers.starting import make_start

# A trigger or a version may be changed between being looked up and being started.
TRIES = 5
# All that a batch starts is written while nobody else's events are published.
MOST_HITS = 500

_log = structlog.get_logger(__name__)


class ListenersChanged(Exception):
    """Triggers were changed again and again while events were held against them; the batch is taken anew."""


class _Head(Struct):
    type: str
    workflow_id: UUID


class _Trigger(Struct):
    chain: tuple[str, ...] = ()
    depth: int | None = None
    root: str | None = None


class _Beginning(Struct):
    trigger: _Trigger


class _Listener(Struct, frozen=True):
    trigger_id: UUID
    config: EventConfig
    updated_at: datetime


class Hit(Struct, frozen=True):
    """An event that a trigger hears."""

    listener: _Listener
    row: OutboxRow


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_beginning = msgspec.json.Decoder(_Beginning).decode


def count_fitting(rows: Sequence[OutboxRow], hits: Sequence[Hit]) -> int:
    """How many of the first rows may be taken at once, so that few enough runs start with them; one at least."""
    if len(hits) <= MOST_HITS:
        return len(rows)
    return max(next(place for place, row in enumerate(rows) if row is hits[MOST_HITS].row), 1)


class EventMatcher:
    """Starts what listens to the events of a batch, or holds them back."""

    def __init__(self, most_held: int = 0) -> None:
        """`most_held` events of one trigger may be held back; 0: any number."""
        self._room = HeldRoom(most_held)
        self._revision: int | None = None
        self._listeners: dict[UUID, dict[str, list[_Listener]]] = {}

    def forget(self) -> None:
        """Read anew who listens, with the next batch: the database may be another one."""
        self._revision = None
        self._room.forget()

    @property
    def has_listeners(self) -> bool:
        """Whether any event trigger was switched on when the last batch was seen."""
        return bool(self._listeners)

    async def find(self, connection: asyncpg.Connection, rows: Sequence[OutboxRow]) -> list[Hit]:
        """Who hears the events of the rows, in their order; within the transaction that took them."""
        if rows[0].revision != self._revision:
            await self._reload(connection)
        return self._find_hits(rows) if self._listeners else []

    async def start(self, connection: asyncpg.Connection, hits: Sequence[Hit]) -> int:
        """Start the runs of those that hear something, within the same transaction; how many.

        What is held back is not among them: whoever releases it is told with the commit.
        """
        made = await self._attempt(connection, hits)
        if made is not None:
            return made
        if len(hits) == 1:
            EVENT_TRIGGERS.labels("failed").inc()
            return 0
        # One of them cannot be started: it must not sink the others.
        middle = len(hits) // 2
        return await self.start(connection, hits[:middle]) + await self.start(connection, hits[middle:])

    async def _reload(self, connection: asyncpg.Connection) -> None:
        revision, found = await list_listeners(connection, ANSWER_SECONDS)
        self._listeners = {}
        for row in found:
            try:
                config = msgspec.json.decode(row.config, type=EventConfig)
            except msgspec.MsgspecError as error:
                _log.error("event_trigger_unreadable", trigger_id=str(row.trigger_id), error=str(error))
                continue
            heard = self._listeners.setdefault(row.workspace_id, {})
            heard.setdefault(config.event, []).append(_Listener(row.trigger_id, config, row.updated_at))
        self._revision = revision

    def _find_hits(self, rows: Sequence[OutboxRow]) -> list[Hit]:
        hits = []
        for row in rows:
            heard = self._listeners.get(row.workspace_id)
            if heard is None or row.is_heard or not row.payload or row.kind not in {"event", "dispatch"}:
                continue
            try:
                head = _decode_head(row.payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # The publisher has passed it on as it is; nobody can tell what it says.
                continue
            hits += [
                Hit(listener, row)
                for listener in heard.get(head.type, ())
                if listener.config.workflow_id in (msgspec.UNSET, head.workflow_id)
            ]
        return hits

    async def _attempt(self, connection: asyncpg.Connection, hits: Sequence[Hit]) -> int | None:
        """Start them, or leave no trace; None where one of them cannot be started for what it holds."""
        await connection.execute("SAVEPOINT events")
        try:
            made = await _start_all(connection, hits, self._room)
        except OWN_FAULTS as error:
            if connection.is_closed() or not is_own_fault(error):
                raise
            if len(hits) == 1:
                _log.exception("event_not_started", trigger_id=str(hits[0].listener.trigger_id))
            await connection.execute("ROLLBACK TO SAVEPOINT events")
            return None
        await connection.execute("RELEASE SAVEPOINT events")
        return made


class _Lines:
    """How many runs have followed from the events with which lines of runs began, and how many more may."""

    def __init__(self, runs: Mapping[str, int]) -> None:
        self._runs = dict(runs)
        self._taken: Counter[str] = Counter()

    @classmethod
    async def read(cls, connection: asyncpg.Connection, causes: Iterable[Cause]) -> Self:
        """As they are now; what events start that nothing led to need not be counted."""
        roots = {cause.root for cause in causes if cause.root is not None}
        return cls(await count_following(connection, sorted(roots)) if roots else {})

    def may_go_on(self, cause: Cause) -> bool:
        """Whether one more run may follow."""
        return cause.root is None or self._runs.get(cause.root, 0) + self._taken[cause.root] < MOST_FOLLOWING

    def take(self, cause: Cause) -> None:
        """Count a run that is to follow."""
        if cause.root is not None:
            self._taken[cause.root] += 1


async def _start_all(connection: asyncpg.Connection, hits: Sequence[Hit], room: HeldRoom) -> int:
    """Start what the hits are to start, keep what waits and receipts of what is cut off; how many runs were started."""
    rows = await find_causes(connection, list({hit.row.run_id for hit in hits}))
    causes = {run_id: _describe_cause(row) for run_id, row in rows.items() if not row.is_test}
    made = 0
    for _ in range(TRIES):
        origins = await find_live_origins(connection, list({hit.listener.trigger_id for hit in hits}))
        lines = await _Lines.read(connection, causes.values())
        await room.look(connection, Counter(hit.listener.trigger_id for hit in hits if find_rule(hit.listener.config)))
        starts: list[tuple[Hit, Start]] = []
        kept: list[tuple[Hit, Kept]] = []
        for hit in hits:
            origin, cause = origins.get(hit.listener.trigger_id), causes.get(hit.row.run_id)
            if origin is None or cause is None:
                continue
            match _decide(hit, origin, cause, (lines, room), rows[hit.row.run_id].now):
                case Start() as start:
                    starts.append((hit, start))
                case Kept() as event:
                    kept.append((hit, event))
        outcomes = [
            *(await accept_starts(connection, [start for _, start in starts]) if starts else ()),
            *(await keep_events(connection, [event for _, event in kept]) if kept else ()),
        ]
        fresh, has_led = _count(outcomes), {"started", "pending"}
        asked = [hit for hit, _ in [*starts, *kept]]
        results = list(zip(asked, outcomes, strict=True))
        following = Counter(causes[hit.row.run_id].root for hit, outcome in results if outcome.outcome in has_led)
        if counted := {root: runs for root, runs in following.items() if root is not None}:
            await add_following(connection, counted)
        await _tell_releaser(connection, results, origins)
        made += fresh
        hits = [hit for hit, outcome in results if outcome.outcome == "stale"]
        if not hits:
            return made
    raise ListenersChanged


def _count(outcomes: Sequence[Accepted]) -> int:
    """Have the metrics tell of what became of events; how many runs were started."""
    for outcome in outcomes:
        EVENT_TRIGGERS.labels(outcome.outcome).inc()
    fresh = len([outcome for outcome in outcomes if outcome.outcome == "started"])
    RUNS_CREATED.labels("event").inc(fresh)
    return fresh


async def _tell_releaser(
    connection: asyncpg.Connection, results: Sequence[tuple[Hit, Accepted]], origins: Mapping[UUID, TriggerOrigin]
) -> None:
    """Have what is held back released in time."""
    held = {hit.listener for hit, outcome in results if outcome.outcome == "pending"}
    for listener in held:
        if origins[listener.trigger_id].updated_at != listener.updated_at:
            # By a rule that has been changed since, and whose groups may have been looked at already.
            await look_again(connection, listener.trigger_id)
    if held:
        await ring_releaser(connection)


def _decide(
    hit: Hit, origin: TriggerOrigin, cause: Cause, bounds: tuple[_Lines, HeldRoom], now: datetime
) -> Start | Kept | None:
    """The run that a hit starts, what it is held back as, or why it does not; None where the filter is false."""
    lines, room = bounds
    event: dict[str, Any] = msgspec.json.decode(hit.row.payload)
    trigger = describe_event(event, cause, origin.trigger_id, now)
    key = str(event["id"])
    try:
        if not is_wanted(hit.listener.config, trigger):
            return None
        hold = make_hold(hit.listener.config, trigger, FILTER_FUEL)
    except (FilterFailed, FlowKeyError) as failure:
        failed = "filter_failed" if isinstance(failure, FilterFailed) else "key_failed"
        shown = msgspec.json.encode({"trigger": trigger, "message": str(failure)})
        return _keep(origin, key, now, reason=failed, trigger=shown)
    cut_off: str | None = find_cut_off(origin.trigger_id, cause.chain, cause.level)
    if cut_off is None and not lines.may_go_on(cause):
        cut_off = "event_storm"
    if cut_off is None and hold is not None and not room.take(origin.trigger_id):
        cut_off = "too_many_held"
    if cut_off is not None:
        _log.debug("event_cut_off", trigger_id=str(origin.trigger_id), reason=cut_off)
        return _keep(origin, key, now, reason=cut_off)
    lines.take(cause)
    if hold is not None:
        return _keep(origin, key, now, hold=hold, trigger=msgspec.json.encode(trigger))
    return make_start(origin, trigger_type="event", trigger=trigger, key=key, at=now)


def _describe_cause(row: CauseRow) -> Cause:
    """The run, with the line of runs that it is in. Who starts a run again begins a line of its own."""
    if row.beginning is None:
        return Cause(run_id=row.id, chain=(), details=_describe_run(row))
    trigger = _decode_beginning(row.beginning).trigger
    root = None if row.is_rerun else trigger.root
    return Cause(
        run_id=row.id,
        chain=trigger.chain,
        details=_describe_run(row),
        root=root or f"run:{row.first_run_id}",
        depth=trigger.depth,
    )


def _keep(
    origin: TriggerOrigin,
    key: str,
    at: datetime,
    *,
    reason: str | None = None,
    hold: Hold | None = None,
    trigger: bytes = b"",
) -> Kept:
    return Kept(
        event_id=new_id(at),
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        trigger_id=origin.trigger_id,
        trigger_updated_at=origin.updated_at,
        at=at,
        hold=hold,
        reason=reason,
        dedup_key=key,
        trigger=trigger,
    )


def _describe_run(row: CauseRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "workflow_name": row.workflow_name,
        "version": row.version,
        "trigger_type": row.trigger_type,
        "attempt": row.attempt,
        "parent_run_id": None if row.parent_run_id is None else str(row.parent_run_id),
        "created_at": _text(row.created_at),
        "started_at": _text(row.started_at),
        "finished_at": _text(row.finished_at),
    }


def _text(moment: datetime | None) -> str | None:
    convert: Callable[[datetime], str] = msgspec.to_builtins
    return None if moment is None else convert(moment)
