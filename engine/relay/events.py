"""Event triggers, matched in the transaction that takes run events out of the outbox: each event is seen once.

Who listens is kept in memory. Every batch of rows comes with the revision of the event triggers that was current when
the rows were seen, and with another revision they are read anew: no event is held against a list older than itself.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from engine.infra.ids import new_id
from engine.infra.metrics import EVENT_TRIGGERS, RUNS_CREATED
from engine.relay.listener import ANSWER_SECONDS
from engine.store.keeping import Kept, keep_events
from engine.store.listeners import CauseRow, find_causes, list_listeners
from engine.store.outbox import OutboxRow
from engine.store.starts import Start, accept_starts
from engine.store.trigger_origins import TriggerOrigin, find_live_origins
from engine.triggers.event import Cause, EventConfig, FilterFailed, describe_event, find_cut_off, is_wanted
from engine.triggers.faults import OWN_FAULTS, is_own_fault
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


class _Beginning(Struct):
    trigger: _Trigger


class _Listener(Struct, frozen=True):
    trigger_id: UUID
    config: EventConfig


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
    """Starts what listens to the events of a batch."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._listeners: dict[UUID, dict[str, list[_Listener]]] = {}

    def forget(self) -> None:
        """Read anew who listens, with the next batch: the database may be another one."""
        self._revision = None

    async def find(self, connection: asyncpg.Connection, rows: Sequence[OutboxRow]) -> list[Hit]:
        """Who hears the events of the rows, in their order; within the transaction that took them."""
        if rows[0].revision != self._revision:
            await self._reload(connection)
        return self._find_hits(rows) if self._listeners else []

    async def start(self, connection: asyncpg.Connection, hits: Sequence[Hit]) -> int:
        """Start the runs of those that hear something, within the same transaction; how many."""
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
            heard.setdefault(config.event, []).append(_Listener(row.trigger_id, config))
        self._revision = revision

    def _find_hits(self, rows: Sequence[OutboxRow]) -> list[Hit]:
        hits = []
        for row in rows:
            heard = self._listeners.get(row.workspace_id)
            if heard is None or not row.payload or row.kind not in {"event", "dispatch"}:
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
            made = await _start_all(connection, hits)
        except OWN_FAULTS as error:
            if connection.is_closed() or not is_own_fault(error):
                raise
            if len(hits) == 1:
                _log.exception("event_not_started", trigger_id=str(hits[0].listener.trigger_id))
            await connection.execute("ROLLBACK TO SAVEPOINT events")
            return None
        await connection.execute("RELEASE SAVEPOINT events")
        return made


async def _start_all(connection: asyncpg.Connection, hits: Sequence[Hit]) -> int:
    """Start what the hits are to start, and keep receipts of what is cut off; how many runs were started."""
    causes = await find_causes(connection, list({hit.row.run_id for hit in hits}))
    made = 0
    for _ in range(TRIES):
        origins = await find_live_origins(connection, list({hit.listener.trigger_id for hit in hits}))
        starts: list[tuple[Hit, Start]] = []
        kept: list[tuple[Hit, Kept]] = []
        for hit in hits:
            origin, cause = origins.get(hit.listener.trigger_id), causes.get(hit.row.run_id)
            if origin is None or cause is None or cause.is_test:
                continue
            match _decide(hit, origin, cause):
                case Start() as start:
                    starts.append((hit, start))
                case Kept() as event:
                    kept.append((hit, event))
        outcomes = [
            *(await accept_starts(connection, [start for _, start in starts]) if starts else ()),
            *(await keep_events(connection, [event for _, event in kept]) if kept else ()),
        ]
        for outcome in outcomes:
            EVENT_TRIGGERS.labels(outcome.outcome).inc()
        fresh = len([outcome for outcome in outcomes if outcome.outcome == "started"])
        RUNS_CREATED.labels("event").inc(fresh)
        made += fresh
        asked = [hit for hit, _ in [*starts, *kept]]
        hits = [hit for hit, outcome in zip(asked, outcomes, strict=True) if outcome.outcome == "stale"]
        if not hits:
            return made
    raise ListenersChanged


def _decide(hit: Hit, origin: TriggerOrigin, row: CauseRow) -> Start | Kept | None:
    """The run that a hit starts, or the receipt of why it does not; None where the filter is false."""
    event: dict[str, Any] = msgspec.json.decode(hit.row.payload)
    cause = Cause(run_id=row.id, chain=_read_chain(row), details=_describe_run(row))
    trigger = describe_event(event, cause, origin.trigger_id, row.now)
    key = str(event["id"])
    try:
        if not is_wanted(hit.listener.config, trigger):
            return None
    except FilterFailed as failure:
        _log.debug("event_filter_failed", trigger_id=str(origin.trigger_id), error=str(failure))
        return _keep(origin, key, "filter_failed", row.now)
    cut_off = find_cut_off(origin.trigger_id, cause.chain)
    if cut_off is not None:
        _log.debug("event_cut_off", trigger_id=str(origin.trigger_id), reason=cut_off)
        return _keep(origin, key, cut_off, row.now)
    return make_start(origin, trigger_type="event", trigger=trigger, key=key, at=row.now)


def _keep(origin: TriggerOrigin, key: str, reason: str, at: datetime) -> Kept:
    return Kept(
        event_id=new_id(at),
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        trigger_id=origin.trigger_id,
        trigger_updated_at=origin.updated_at,
        at=at,
        reason=reason,
        dedup_key=key,
    )


def _read_chain(row: CauseRow) -> tuple[str, ...]:
    return () if row.beginning is None else _decode_beginning(row.beginning).trigger.chain


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
