"""What the run calls do."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter
from app.auth.principal import Principal
from app.dependencies import Isolation, driver_connection
from app.errors import InvalidRequest, NotFound, NotPublished, RunFinished, WorkflowChanged
from app.moments import read_floor
from app.pagination import Page, decode_cursor, make_page
from app.query_parameters import read_choices
from app.runs.counts import CountCache
from app.runs.reader import RunReader, read_large_value
from app.runs.schemas import (
    CountedRuns,
    IterationView,
    RunCounts,
    RunDefinition,
    RunDetail,
    RunEventView,
    RunSummary,
    StartRunRequest,
)
from app.runs.starter import RunStarter
from app.runs.views import describe_event, summarise
from engine.core.events import decode_event
from engine.core.loops import MAX_ITEMS
from engine.core.problems import Problem
from engine.core.queueing import announce_queued, make_queued_event
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.bell import OutboxBell
from engine.infra.ids import new_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.store.inbox import put_message
from engine.store.journal import read_journal, read_last_seq
from engine.store.origins import find_version
from engine.store.reads import RunFilter, RunRow, list_runs, open_run
from engine.store.runs import load_definition
from engine.store.starts import Start, accept_starts

_SEARCH = re.compile(r"[^\x00-\x1f]{1,200}")
_TESTS: Final[Mapping[str | None, bool | None]] = {None: False, "false": False, "true": True, "all": None}


class RunService:
    """Starts, reads and cancels runs."""

    def __init__(self, pool: asyncpg.Pool, isolation: Isolation, starter: RunStarter, bell: OutboxBell) -> None:
        self._pool = pool
        self._isolation = isolation
        self._starter = starter
        self._bell = bell
        self._counts = CountCache(isolation)
        self._reader = RunReader(isolation, starter.clock)

    async def prepare(
        self, reader: asyncpg.Connection, principal: Principal, workflow_id: UUID, request: StartRunRequest
    ) -> Start:
        """The start of a run by a person or a program. Raises NotFound, NotPublished, InvalidRequest."""
        version = request.version if isinstance(request.version, int) else None
        origin = await find_version(reader, workflow_id, principal.workspace_id, version)
        if origin is None:
            raise NotFound
        if origin.published_version is None:
            raise NotPublished
        if origin.version_id is None or origin.version is None:
            raise InvalidRequest(errors=[Problem("/version", "unknown_version", f"there is no version {version}")])
        at = self._starter.clock.now()
        run_id = new_id(at)
        traceparent = current_traceparent() or new_traceparent()
        run_input = {} if request.input is msgspec.UNSET else request.input
        trigger: dict[str, Any] = {
            "type": "api",
            "body": None,
            "headers": {},
            "query": {},
            "method": None,
            "received_at": at,
        }
        return Start(
            run_id=run_id,
            workspace_id=principal.workspace_id,
            workflow_id=workflow_id,
            version_id=origin.version_id,
            version=origin.version,
            trigger_id=None,
            trigger_type="api",
            at=at,
            queued=make_queued_event(
                at=at,
                trigger=trigger,
                run_input=run_input,
                workflow_id=workflow_id,
                workflow_name=origin.workflow_name,
                version=origin.version,
                traceparent=traceparent,
            ),
            message=announce_queued(at=at, run_id=run_id, workspace_id=principal.workspace_id, workflow_id=workflow_id),
            traceparent=traceparent,
            is_pinned=version is not None,
        )

    async def start(self, principal: Principal, workflow_id: UUID, request: StartRunRequest) -> UUID:
        """Accept a run with all others that come at this moment; its id, once it is durable."""
        for _ in range(3):
            async with self._isolation.read(principal.workspace_id) as reader:
                start = await self.prepare(reader, principal, workflow_id, request)
            accepted = await self._starter.accept(start)
            if accepted.run_id is not None:
                return accepted.run_id
        raise WorkflowChanged

    async def start_within(
        self, connection: asyncpg.Connection, principal: Principal, workflow_id: UUID, request: StartRunRequest
    ) -> UUID:
        """Accept a run in the caller's transaction; ring the bell after its commit."""
        start = await self.prepare(connection, principal, workflow_id, request)
        (accepted,) = await accept_starts(connection, [start])
        if accepted.run_id is None:
            raise WorkflowChanged
        return accepted.run_id

    def ring(self) -> None:
        """Tell the relay that there is something to publish."""
        self._bell.ring()

    async def list_page(
        self, principal: Principal, chosen: Mapping[str, Any], *, cursor: str | None, limit: int
    ) -> Page[RunSummary]:
        """A page of runs, the newest first. Raises InvalidRequest for a filter that cannot be used."""
        run_filter, before = _read_filter(chosen), decode_cursor(cursor)
        async with self._isolation.read(principal.workspace_id) as reader:
            rows = await list_runs(reader, principal.workspace_id, run_filter, before=before, limit=limit + 1)
        return make_page(rows, limit, summarise, lambda row: row.id)

    async def count(self, principal: Principal, chosen: Mapping[str, Any]) -> CountedRuns:
        """How many runs there are by status, lately. Raises InvalidRequest for a filter that cannot be used."""
        run_filter = _read_filter(chosen)
        counted = await self._counts.read(principal.workspace_id, run_filter)
        return CountedRuns(by_status=RunCounts(**counted.by_status), since=counted.since)

    async def read(self, principal: Principal, run_id: UUID) -> RunDetail:
        """A run with its steps; raises NotFound."""
        return await self._reader.read(await self._find(principal, run_id))

    async def read_definition(self, principal: Principal, run_id: UUID) -> RunDefinition:
        """What the run is of, whatever has become of its workflow since; raises NotFound."""
        async with self._isolation.read(principal.workspace_id) as reader:
            row = await _open(reader, principal, run_id)
            return RunDefinition(definition=msgspec.Raw(await load_definition(reader, row.version_id)))

    async def list_iterations(
        self, principal: Principal, run_id: UUID, parent: str, *, only_failed: bool, cursor: str | None, limit: int
    ) -> Page[IterationView]:
        """A page of the items of a `foreach`, in order. Raises NotFound, or InvalidRequest for what is no `foreach`."""
        row = await self._find(principal, run_id)
        first = 0 if cursor is None else min(read_number(cursor), MAX_ITEMS)
        views = await self._reader.list_iterations(row, parent, first=first, limit=limit + 1, only_failed=only_failed)
        return Page(items=list(views[:limit]), next_cursor=str(views[limit].index) if len(views) > limit else None)

    async def read_payload(self, principal: Principal, run_id: UUID, ref: str) -> bytes:
        """The JSON of a large output of the run; raises NotFound."""
        async with self._isolation.read(principal.workspace_id) as reader:
            await _open(reader, principal, run_id)
            return await read_large_value(reader, run_id, ref)

    async def read_events(self, principal: Principal, run_id: UUID, *, after: int, limit: int) -> list[RunEventView]:
        """Events of a run with a seq above `after`; raises NotFound."""
        async with self._isolation.read(principal.workspace_id) as reader:
            await _open(reader, principal, run_id)
            rows = await read_journal(reader, run_id, after=after, limit=limit)
        return _describe(run_id, rows)

    async def read_events_after(self, run_id: UUID, after: int, limit: int) -> list[RunEventView]:
        """Events of a run that the caller may read, for live streams: in no transaction."""
        return _describe(run_id, await read_journal(self._pool, run_id, after=after, limit=limit))

    async def find_resumption(self, principal: Principal, run_id: UUID, after: int) -> int | None:
        """The seq that a stream of the run goes on after; None where nothing can follow. Raises NotFound."""
        async with self._isolation.read(principal.workspace_id) as reader:
            row = await _open(reader, principal, run_id)
            last_seq = await read_last_seq(reader, run_id)
        if after >= last_seq and RunStatus(row.status) in TERMINAL_RUN:
            return None
        return min(after, last_seq)

    async def cancel(self, principal: Principal, run_id: UUID) -> None:
        """Ask the run's owner to cancel it. Raises NotFound, or RunFinished."""
        payload = {"by": str(principal.user_id)}
        async with self._isolation.begin(principal.workspace_id) as transaction:
            connection = await driver_connection(transaction)
            status = await put_message(connection, run_id, principal.workspace_id, "cancel", payload)
            if status is None:
                raise NotFound
            if RunStatus(status) in TERMINAL_RUN:
                raise RunFinished(f"The run has ended: it is {status}.")
            target = Target(type="run", id=str(run_id))
            act = Act(action=Action.RUN_CANCELLED, target=target, before={"status": status})
            await enter(connection, principal, act)
        self._bell.ring()

    async def _find(self, principal: Principal, run_id: UUID) -> RunRow:
        async with self._isolation.read(principal.workspace_id) as reader:
            return await _open(reader, principal, run_id)


async def _open(reader: asyncpg.Connection, principal: Principal, run_id: UUID) -> RunRow:
    row = await open_run(reader, run_id, principal.workspace_id)
    if row is None:
        raise NotFound
    return row


def read_number(cursor: str) -> int:
    """The position that a cursor of a list in order stands for; raises InvalidRequest."""
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 10:  # noqa: PLR2004 - digits of an int32
        raise InvalidRequest(errors=[Problem("/query/cursor", "invalid", "this cursor was not given out here")])
    return min(int(cursor), 2_147_483_647)


def _describe(run_id: UUID, rows: Sequence[asyncpg.Record]) -> list[RunEventView]:
    return [describe_event(run_id, row["seq"], decode_event(row["payload"])) for row in rows]


def _read_filter(chosen: Mapping[str, Any]) -> RunFilter:
    problems: list[Problem] = []
    statuses = read_choices(chosen.get("status") or None, list(RunStatus), "status", problems)
    query = chosen.get("q") or None
    if query is not None and not _SEARCH.fullmatch(query):
        problems.append(Problem("/query/q", "invalid", "a search is 1 to 200 characters on one line"))
    if problems:
        raise InvalidRequest(errors=problems)
    return RunFilter(
        workflow_id=chosen.get("workflow_id"),
        statuses=statuses,
        trigger_type=chosen.get("trigger_type"),
        since=read_floor(chosen.get("since"), "since"),
        until=read_floor(chosen.get("until"), "until"),
        q=query,
        is_test=_TESTS[chosen.get("test")],
    )
