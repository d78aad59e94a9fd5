"""One action on many runs, chosen as in the list of runs; a dry run tells how many it would be."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from app.audit.entries import Act
from app.audit.entries import Action as Audited
from app.audit.trail import enter
from app.auth.principal import Principal
from app.control.schemas import Action, BulkFilter, BulkOutcome, BulkRequest, RerunRequest
from app.control.service import ControlService
from app.errors import InvalidRequest
from app.pagination import decode_cursor, encode_cursor
from engine.core.problems import Problem
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.ids import floor_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.store.control import cancel_runs, read_beginning_sizes, read_beginnings, retry_runs
from engine.store.reads import RunFilter, RunRow, count_runs, list_runs
from engine.store.starts import accept_starts

AT_ONCE: Final = 1_000
MOST_COUNTED: Final = 100_000
# A run begins with up to a mebibyte, which is read and written again: so much of it a call, so much in memory.
MOST_BYTES: Final = 64 * 1_048_576
BATCH_BYTES: Final = 1_048_576
BATCH_RUNS: Final = 100
# In the audit log.
MOST_NAMED: Final = 50
CHILD_TRIGGER: Final = "workflow"
_FOR: Final[dict[Action, frozenset[RunStatus]]] = {
    "cancel": frozenset(set(RunStatus) - TERMINAL_RUN),
    "retry": frozenset(TERMINAL_RUN - {RunStatus.SUCCEEDED}),
    "rerun": frozenset(TERMINAL_RUN),
}


class BulkService:
    """Cancels, retries and reruns many runs, in the caller's transaction."""

    def __init__(self, control: ControlService) -> None:
        self._control = control

    async def apply(self, connection: asyncpg.Connection, principal: Principal, request: BulkRequest) -> BulkOutcome:
        """Act on up to 1,000 matching runs, all or none. Raises InvalidRequest for a filter that cannot be used."""
        chosen = _read_filter(request.filter, request.action)
        before = decode_cursor(request.cursor)
        if request.dry_run:
            return await _count(connection, principal, request, chosen, before)
        rows = await list_runs(connection, principal.workspace_id, chosen, before=before, limit=AT_ONCE + 1)
        has_more, rows = len(rows) > AT_ONCE, rows[:AT_ONCE]
        fit = [row.id for row in rows if row.status in _FOR[request.action]]
        if request.action == "rerun":
            sizes = await read_beginning_sizes(connection, fit)
            kept = _fit_in(rows, sizes)
            has_more, rows = has_more or len(kept) < len(rows), kept
            done = await self._rerun(connection, principal, [row.id for row in rows if row.id in sizes], sizes)
        else:
            steered = await _steer(connection, principal, request.action, fit) if fit else []
            done = {run_id: run_id for run_id in steered}
        if done:
            told = {"action": request.action, "done": len(done), "run_ids": list(done)[:MOST_NAMED]}
            await enter(connection, principal, Act(action=Audited.RUNS_STEERED, after=told))
        return BulkOutcome(
            action=request.action,
            dry_run=False,
            matched=len(rows),
            done=len(done),
            skipped=_count_skipped(rows, done),
            run_ids=list(done.values()),
            next_cursor=encode_cursor(rows[-1].id) if has_more else None,
        )

    async def _rerun(
        self, connection: asyncpg.Connection, principal: Principal, run_ids: Sequence[UUID], sizes: dict[UUID, int]
    ) -> dict[UUID, UUID]:
        """The new run of each; batch by batch, for what they began with need not be in memory all at once."""
        done: dict[UUID, UUID] = {}
        for batch in _split(run_ids, sizes):
            found = {one.id: one for one in await read_beginnings(connection, batch, principal.workspace_id)}
            # One of a workflow that was deleted has no beginning.
            origins = [run_id for run_id in batch if run_id in found]
            starts = [self._control.prepare(principal, found[run_id], RerunRequest()) for run_id in origins]
            accepted = await accept_starts(connection, starts)
            done |= {
                run_id: one.run_id for run_id, one in zip(origins, accepted, strict=True) if one.run_id is not None
            }
        return done


async def _steer(
    connection: asyncpg.Connection, principal: Principal, action: Action, run_ids: Sequence[UUID]
) -> list[UUID]:
    by, workspace_id = str(principal.user_id), principal.workspace_id
    if action == "cancel":
        outcomes = await cancel_runs(connection, run_ids, workspace_id, by=by)
    else:
        traceparent = current_traceparent() or new_traceparent()
        outcomes = await retry_runs(connection, run_ids, workspace_id, by=by, traceparent=traceparent)
    return [outcome.run_id for outcome in outcomes if outcome.is_done]


async def _count(
    connection: asyncpg.Connection, principal: Principal, request: BulkRequest, chosen: RunFilter, before: UUID | None
) -> BulkOutcome:
    counts = await count_runs(connection, principal.workspace_id, chosen, before=before, limit=MOST_COUNTED)
    skipped = {status: count for status, count in counts.items() if status not in _FOR[request.action]}
    matched = sum(counts.values())
    return BulkOutcome(
        action=request.action,
        dry_run=True,
        matched=matched,
        done=matched - sum(skipped.values()),
        skipped=skipped,
        run_ids=[],
        next_cursor=None,
    )


def _count_skipped(rows: Iterable[RunRow], done: Iterable[UUID]) -> dict[str, int]:
    acted_on = set(done)
    return dict(Counter(row.status for row in rows if row.id not in acted_on))


def _fit_in(rows: list[RunRow], sizes: dict[UUID, int]) -> list[RunRow]:
    """The first of the rows, at least one, as far as one call takes them."""
    total = 0
    for count, row in enumerate(rows):
        total += sizes.get(row.id, 0)
        if count and total > MOST_BYTES:
            return rows[:count]
    return rows


def _split(run_ids: Sequence[UUID], sizes: dict[UUID, int]) -> Iterator[list[UUID]]:
    batch: list[UUID] = []
    size = 0
    for run_id in run_ids:
        if batch and (len(batch) == BATCH_RUNS or size + sizes[run_id] > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(run_id)
        size += sizes[run_id]
    if batch:
        yield batch


def _read_filter(asked: BulkFilter, action: Action) -> RunFilter:
    meant = [asked.status] if isinstance(asked.status, RunStatus) else asked.status
    statuses = [str(status) for status in meant] if isinstance(meant, list) else None
    ids = asked.ids if isinstance(asked.ids, list) else None
    problems = []
    if asked == BulkFilter():
        # Everything is never meant by nothing.
        problems.append(Problem("/filter", "required", "say which runs are meant: give at least one field"))
    bounds = {}
    for name in ("since", "until"):
        moment = getattr(asked, name)
        try:
            bounds[name] = None if moment is None else floor_id(moment)
        except (ValueError, OverflowError):
            problems.append(Problem(f"/filter/{name}", "range", "this time is before 1970 or too far ahead"))
    if problems:
        raise InvalidRequest(errors=problems)
    # What a run started is done again with that run: to do it for itself as well, it has to be meant.
    is_with_children = action == "cancel" or ids is not None or asked.trigger_type == CHILD_TRIGGER
    return RunFilter(
        workflow_id=asked.workflow_id,
        statuses=statuses,
        trigger_type=asked.trigger_type,
        since=bounds["since"],
        until=bounds["until"],
        q=asked.q,
        is_test=None if ids else False,
        ids=ids,
        is_child=None if is_with_children else False,
    )
