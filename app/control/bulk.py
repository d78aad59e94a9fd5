"""One action on many runs, chosen as in the list of runs; a dry run tells how many it would be."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from app.auth.principal import Principal
from app.control.schemas import Action, BulkFilter, BulkOutcome, BulkRequest, RerunRequest
from app.control.service import ControlService
from app.errors import InvalidRequest
from app.pagination import decode_cursor, encode_cursor
from engine.core.problems import Problem
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.ids import floor_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.store.control import cancel_runs, read_beginnings, retry_runs
from engine.store.reads import RunFilter, RunRow, list_runs
from engine.store.starts import accept_starts

AT_ONCE: Final = 1_000
MOST_COUNTED: Final = 100_000
_FOR: Final[dict[Action, frozenset[RunStatus]]] = {
    "cancel": frozenset(set(RunStatus) - TERMINAL_RUN),
    "retry": frozenset(TERMINAL_RUN - {RunStatus.SUCCEEDED}),
    "rerun": frozenset(TERMINAL_RUN),
}


class BulkService:
    """Cancels, retries and reruns many runs."""

    def __init__(self, pool: asyncpg.Pool, control: ControlService) -> None:
        self._pool = pool
        self._control = control

    async def apply(self, principal: Principal, request: BulkRequest) -> BulkOutcome:
        """Act on up to 1,000 matching runs, in one commit. Raises InvalidRequest for a filter that cannot be used."""
        chosen = _read_filter(request.filter)
        before = decode_cursor(request.cursor)
        if request.dry_run:
            return await self._count(principal, request, chosen, before)
        rows = await list_runs(self._pool, principal.workspace_id, chosen, before=before, limit=AT_ONCE + 1)
        has_more, rows = len(rows) > AT_ONCE, rows[:AT_ONCE]
        fit = [row.id for row in rows if row.status in _FOR[request.action]]
        done = await self._act(principal, request.action, fit) if fit else []
        if done:
            self._control.ring()
        return BulkOutcome(
            action=request.action,
            dry_run=False,
            matched=len(rows),
            done=len(done),
            skipped=_count_skipped(request.action, rows),
            run_ids=done,
            next_cursor=encode_cursor(rows[-1].id) if has_more else None,
        )

    async def _count(
        self, principal: Principal, request: BulkRequest, chosen: RunFilter, before: UUID | None
    ) -> BulkOutcome:
        matched, fit = 0, 0
        skipped: Counter[str] = Counter()
        while matched < MOST_COUNTED:
            rows = await list_runs(self._pool, principal.workspace_id, chosen, before=before, limit=AT_ONCE)
            matched += len(rows)
            fit += sum(row.status in _FOR[request.action] for row in rows)
            skipped.update(_count_skipped(request.action, rows))
            if len(rows) < AT_ONCE:
                break
            before = rows[-1].id
        return BulkOutcome(
            action=request.action,
            dry_run=True,
            matched=matched,
            done=fit,
            skipped=dict(skipped),
            run_ids=[],
            next_cursor=None,
        )

    async def _act(self, principal: Principal, action: Action, run_ids: Sequence[UUID]) -> list[UUID]:
        by, workspace_id = str(principal.user_id), principal.workspace_id
        if action == "cancel":
            outcomes = await cancel_runs(self._pool, run_ids, workspace_id, by=by)
            return [outcome.run_id for outcome in outcomes if outcome.is_done]
        if action == "retry":
            traceparent = current_traceparent() or new_traceparent()
            outcomes = await retry_runs(self._pool, run_ids, workspace_id, by=by, traceparent=traceparent)
            return [outcome.run_id for outcome in outcomes if outcome.is_done]
        async with self._pool.acquire() as connection, connection.transaction():
            beginnings = await read_beginnings(connection, run_ids, workspace_id)
            starts = [self._control.prepare(principal, beginning, RerunRequest()) for beginning in beginnings]
            accepted = await accept_starts(connection, starts)
            return [one.run_id for one in accepted if one.run_id is not None]


def _count_skipped(action: Action, rows: Sequence[RunRow]) -> dict[str, int]:
    return dict(Counter(row.status for row in rows if row.status not in _FOR[action]))


def _read_filter(asked: BulkFilter) -> RunFilter:
    statuses = [str(status) for status in asked.status] if isinstance(asked.status, list) else None
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
    return RunFilter(
        workflow_id=asked.workflow_id,
        statuses=statuses,
        trigger_type=asked.trigger_type,
        since=bounds["since"],
        until=bounds["until"],
        q=asked.q or None,
        is_test=None if ids else False,
        ids=ids,
    )
