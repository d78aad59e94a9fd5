"""Runs that runs start: accepted like any other, at most once a step and round of the parent."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from engine.core.decisions import StartChild
from engine.core.events import ErrorInfo
from engine.core.observations import ChildRefused, ChildStarted
from engine.core.queueing import announce_queued, make_queued_event
from engine.infra.clock import Clock
from engine.infra.database import DATABASE_ERRORS
from engine.infra.ids import new_id
from engine.store.inbox import put_message, read_end
from engine.store.origins import VersionOrigin, find_version
from engine.store.runs import ClaimedRun
from engine.store.starts import Start, accept_starts, find_by_key
from engine.worker.extras import describe_child_end

MAX_DEPTH = 8
PAUSE_SECONDS = 0.2
# A version may be published between being looked up and being started.
TRIES = 3

_log = structlog.get_logger()


class ChildStarter:
    """Starts the runs of `workflow` steps; over a database that is away it waits."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Pool]], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock

    async def start(
        self, parent: ClaimedRun, start: StartChild, traceparent: str | None
    ) -> ChildStarted | ChildRefused:
        """Start the child, or find the one that was started for this step before."""
        while True:
            try:
                return await self._start(parent, start, traceparent)
            except DATABASE_ERRORS as error:
                _log.warning("child_start_retried", run_id=str(parent.id), step=start.step, error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _start(
        self, parent: ClaimedRun, start: StartChild, traceparent: str | None
    ) -> ChildStarted | ChildRefused:
        now = self._clock.now()
        if parent.depth >= MAX_DEPTH:
            message = f"workflows start each other at most {MAX_DEPTH} deep"
            return _refuse(start, now, "too_deep", message)
        workflow_id = _read_id(start.workflow_id)
        if workflow_id is None:
            return _refuse(start, now, "unknown_workflow", f"{start.workflow_id!r} is no workflow's id")
        pool = await self._connect()
        for _ in range(TRIES):
            origin = await find_version(pool, workflow_id, parent.workspace_id, None)
            if origin is None:
                refused = _refuse(start, now, "unknown_workflow", f"there is no workflow {workflow_id}")
                return await self._find_started(pool, parent, start) or refused
            if origin.version_id is None or origin.version is None:
                message = f"the workflow '{origin.workflow_name}' is not published"
                refused = _refuse(start, now, "not_published", message)
                return await self._find_started(pool, parent, start) or refused
            async with pool.acquire() as connection:
                child = _make_start(parent, start, origin, origin.version_id, origin.version, now, traceparent)
                (accepted,) = await accept_starts(connection, [child])
            if accepted.run_id is not None:
                if accepted.is_duplicate:
                    await _repeat_end(pool, parent, start.step, accepted.run_id)
                return ChildStarted(at=self._clock.now(), step=start.step, run_id=str(accepted.run_id))
        refused = _refuse(start, now, "workflow_changed", "the workflow was published again and again meanwhile")
        return await self._find_started(pool, parent, start) or refused

    async def _find_started(self, pool: asyncpg.Pool, parent: ClaimedRun, start: StartChild) -> ChildStarted | None:
        """The child that an earlier try has started, before its workflow went away: then it is not refused."""
        run_id = await find_by_key(pool, parent.id, _make_key(parent, start))
        if run_id is None:
            return None
        await _repeat_end(pool, parent, start.step, run_id)
        return ChildStarted(at=self._clock.now(), step=start.step, run_id=str(run_id))


async def _repeat_end(pool: asyncpg.Pool, parent: ClaimedRun, step: str, run_id: UUID) -> None:
    """Tell the parent of its child's end once more.

    The child was found, so that the parent's last worker died before it journalled it: what the child said at its end
    may have been read, and thrown away, while nobody knew of it.
    """
    end = await read_end(pool, run_id)
    if end is not None:
        payload = describe_child_end(step, run_id, *end)
        await put_message(pool, parent.id, parent.workspace_id, "child", payload)


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _refuse(start: StartChild, at: datetime, code: str, message: str) -> ChildRefused:
    return ChildRefused(at=at, step=start.step, error=ErrorInfo(code=code, message=message))


def _make_key(parent: ClaimedRun, start: StartChild) -> str:
    """A retried parent starts a run of its own for each round; `engine.store.inbox` tells them apart by this."""
    return f"{start.step}#{parent.attempt}"


def _make_start(
    parent: ClaimedRun,
    start: StartChild,
    origin: VersionOrigin,
    version_id: UUID,
    version: int,
    at: datetime,
    traceparent: str | None,
) -> Start:
    run_id = new_id(at)
    depth = parent.depth + 1
    trigger = {
        "type": "workflow",
        "run_id": str(parent.id),
        "step": start.step,
        "depth": depth,
        "body": None,
        "headers": {},
        "query": {},
        "method": None,
        "received_at": at,
    }
    return Start(
        run_id=run_id,
        workspace_id=parent.workspace_id,
        workflow_id=origin.workflow_id,
        version_id=version_id,
        version=version,
        trigger_id=None,
        trigger_type="workflow",
        at=at,
        queued=make_queued_event(
            at=at,
            trigger=trigger,
            run_input=start.input,
            workflow_id=origin.workflow_id,
            workflow_name=origin.workflow_name,
            version=version,
            traceparent=traceparent,
        ),
        message=announce_queued(at=at, run_id=run_id, workspace_id=parent.workspace_id, workflow_id=origin.workflow_id),
        traceparent=traceparent,
        scope=parent.id,
        key=_make_key(parent, start),
        parent_run_id=parent.id,
        parent_step=start.step,
        depth=depth,
        is_test=parent.is_test,
    )
