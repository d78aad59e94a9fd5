"""What the calls do that steer runs: retry, rerun, signal."""

from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from app.auth.principal import Principal
from app.control.schemas import RerunRequest, SignalRequest
from app.errors import InvalidRequest, NotFound, NotPublished, RunFinished, RunUnfinished
from engine.core.definition import Definition
from engine.core.events import Origin, RunQueued, decode_event
from engine.core.problems import Problem
from engine.core.queueing import announce_queued, make_queued_event
from engine.core.reuse import StepEnd, find_changed, take_over
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.bell import OutboxBell
from engine.infra.clock import Clock
from engine.infra.ids import new_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.steps.compilation import compile_definition
from engine.store.control import Beginning, accept_rerun, read_beginnings, retry_runs
from engine.store.inbox import put_message
from engine.store.journal import read_journal
from engine.store.runs import load_definition
from engine.store.starts import Start


class ControlService:
    """Lets runs go on, repeats them, and sends them signals."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, bell: OutboxBell) -> None:
        self._pool = pool
        self._clock = clock
        self._bell = bell

    async def retry(self, principal: Principal, run_id: UUID) -> None:
        """Let an ended run go on from what failed. Raises NotFound, or RunUnfinished."""
        traceparent = current_traceparent() or new_traceparent()
        outcomes = await retry_runs(
            self._pool, [run_id], principal.workspace_id, by=str(principal.user_id), traceparent=traceparent
        )
        if not outcomes:
            raise NotFound
        if not outcomes[0].is_done:
            status = outcomes[0].status
            reason = "has succeeded: rerun it" if status == RunStatus.SUCCEEDED else f"is {status}"
            raise RunUnfinished(
                f"Only a run that failed, timed out or was cancelled can be retried; this one {reason}."
            )
        self.ring()

    async def signal(self, principal: Principal, run_id: UUID, request: SignalRequest) -> None:
        """Leave a signal for the run. Raises NotFound, or RunFinished."""
        payload = {"name": request.name, "payload": request.payload, "by": str(principal.user_id)}
        status = await put_message(self._pool, run_id, principal.workspace_id, "signal", payload)
        if status is None:
            raise NotFound
        if RunStatus(status) in TERMINAL_RUN:
            raise RunFinished(f"The run has ended: it is {status}.")
        self.ring()

    async def rerun(
        self, connection: asyncpg.Connection, principal: Principal, run_id: UUID, request: RerunRequest
    ) -> UUID:
        """Accept a run that repeats this one, in the caller's transaction; ring the bell after its commit.

        Raises NotFound, NotPublished, RunUnfinished, or InvalidRequest.
        """
        beginnings = await read_beginnings(connection, [run_id], principal.workspace_id)
        if not beginnings:
            raise NotFound
        beginning = beginnings[0]
        if RunStatus(beginning.status) not in TERMINAL_RUN:
            raise RunUnfinished(f"The run is {beginning.status}; it can be repeated once it has ended.")
        start = self.prepare(principal, beginning, request)
        taken_over: list[StepEnd] = []
        if request.from_step is not None:
            taken_over = await _find_taken_over(connection, beginning, start, request.from_step)
        accepted = await accept_rerun(connection, start, taken_over, run_id)
        if accepted.run_id is None:
            # The workflow was deleted at this very moment.
            raise NotFound
        return accepted.run_id

    def prepare(self, principal: Principal, beginning: Beginning, request: RerunRequest) -> Start:
        """The start of a run that repeats another; raises NotPublished."""
        version_id, version = beginning.version_id, beginning.version
        if request.version == "latest" and not beginning.is_test:
            if beginning.latest_id is None or beginning.latest is None:
                raise NotPublished
            version_id, version = beginning.latest_id, beginning.latest
        queued = decode_event(beginning.queued)
        if not isinstance(queued, RunQueued):
            raise TypeError("a journal begins with run.queued")
        at = self._clock.now()
        run_id = new_id(at)
        traceparent = current_traceparent() or new_traceparent()
        return Start(
            run_id=run_id,
            workspace_id=principal.workspace_id,
            workflow_id=beginning.workflow_id,
            version_id=version_id,
            version=version,
            trigger_id=None,
            trigger_type=beginning.trigger_type,
            at=at,
            queued=make_queued_event(
                at=at,
                trigger=queued.trigger,
                run_input=queued.input if request.input is UNSET else request.input,
                workflow_id=beginning.workflow_id,
                workflow_name=beginning.workflow_name,
                version=version,
                traceparent=traceparent,
                origin=Origin(run_id=str(beginning.id), from_step=request.from_step),
                mocks=queued.mocks,
                preset=queued.preset,
            ),
            message=announce_queued(
                at=at, run_id=run_id, workspace_id=principal.workspace_id, workflow_id=beginning.workflow_id
            ),
            traceparent=traceparent,
            is_pinned=True,
            origin_run_id=beginning.id,
            is_test=beginning.is_test,
            depth=beginning.depth,
        )

    def ring(self) -> None:
        """Tell the relay that there is something to publish."""
        self._bell.ring()


async def _find_taken_over(
    connection: asyncpg.Connection, beginning: Beginning, start: Start, from_step: str
) -> list[StepEnd]:
    source = await load_definition(connection, start.version_id)
    graph = compile_definition(source)
    if from_step not in graph.index_by_id:
        steps = ", ".join(f"'{step}'" for step in list(graph.index_by_id)[:50])
        problem = Problem("/from_step", "unknown_step", f"there is no step '{from_step}'; the steps are {steps}")
        raise InvalidRequest(errors=[problem])
    changed: set[str] = set()
    if start.version_id != beginning.version_id:
        before = await load_definition(connection, beginning.version_id)
        changed = find_changed(_decode(before), _decode(source))
    events = [decode_event(row["payload"]) for row in await read_journal(connection, beginning.id)]
    return take_over(graph, events, from_step, changed, at=start.at)


def _decode(definition: bytes) -> Definition:
    return msgspec.json.decode(definition, type=Definition)
