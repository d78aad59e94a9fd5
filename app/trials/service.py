"""What the calls do that run tests: of a whole draft, or of one step."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import UNSET

from app.auth.principal import Principal
from app.dependencies import Isolation
from app.errors import InvalidDefinition, NotFound, WorkflowChanged
from app.runs.hub import Hub
from app.runs.service import RunService
from app.trials.documents import check_mocks, find_step, isolate
from app.trials.schemas import DraftTest, StepOutcome, StepPending, StepTest
from app.trials.scopes import preset_scope
from app.trials.triggers import make_trigger
from app.workflows.definitions import decode_document, find_problems
from engine.core.events import RunWaiting, decode_event
from engine.core.queueing import announce_queued, make_queued_event
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.clock import Clock
from engine.infra.ids import new_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.store.starts import Start, accept_starts
from engine.store.trials import Draft, TrialStatus, find_draft, keep_draft, read_trial_status

# How often a test is looked at, should Redis keep silent; and how long after a change of any run at the earliest.
LOOK_SECONDS = 1.0
REST_SECONDS = 0.02
# Waits that only somebody outside can end.
_FOR_OTHERS = frozenset({"signal", "approval"})


class TrialService:
    """Starts tests as runs like any other, of versions that nothing else runs, and waits for those of single steps."""

    def __init__(self, isolation: Isolation, runs: RunService, hub: Hub, clock: Clock, draining: asyncio.Event) -> None:
        self._isolation = isolation
        self._runs = runs
        self._hub = hub
        self._clock = clock
        self._draining = draining

    async def start_draft(
        self, connection: asyncpg.Connection, principal: Principal, workflow_id: UUID, request: DraftTest
    ) -> UUID:
        """Accept a run of the draft as it stands, in the caller's transaction.

        Raises NotFound, InvalidDefinition with every fault of the draft, or InvalidTest.
        """
        draft = await self._find(connection, principal, workflow_id)
        document = decode_document(draft.definition)
        problems = await find_problems(document, len(draft.definition))
        if problems:
            raise InvalidDefinition(errors=problems)
        check_mocks(document, request.mocks)
        at = self._clock.now()
        origin = {
            "trigger": make_trigger(request.trigger, at),
            "run_input": {} if request.input is UNSET else request.input,
            "mocks": request.mocks,
        }
        return await self._start(connection, principal, workflow_id, draft, draft.definition, at, origin)

    async def start_step(
        self, connection: asyncpg.Connection, principal: Principal, workflow_id: UUID, path: str, request: StepTest
    ) -> UUID:
        """Accept a run of one step of the draft, which sees the given context, in the caller's transaction.

        Raises NotFound, InvalidDefinition with the step's faults, or InvalidTest.
        """
        draft = await self._find(connection, principal, workflow_id)
        chosen = find_step(decode_document(draft.definition), path)
        definition = await asyncio.to_thread(isolate, chosen)
        check_mocks({"steps": [chosen.step]}, request.mocks)
        context, at = request.context, self._clock.now()
        origin = {
            "trigger": make_trigger(context.trigger, at, pointer="/context/trigger"),
            "run_input": {} if context.input is UNSET else context.input,
            "mocks": request.mocks,
            "preset": preset_scope(context),
        }
        return await self._start(connection, principal, workflow_id, draft, definition, at, origin)

    async def wait_for_step(self, principal: Principal, run_id: UUID, seconds: float) -> StepOutcome | StepPending:
        """How a test of one step ended, or that it has not, after so many seconds or once it waits for others."""
        status = await self._wait(principal, run_id, seconds)
        if status not in TERMINAL_RUN:
            return StepPending(run_id=run_id, status=status)
        (step,) = (await self._runs.read(principal, run_id)).steps
        return StepOutcome(
            run_id=run_id,
            status=step.status,
            output=step.output,
            error=step.error,
            attempts=step.attempts,
            port=step.port,
            started_at=step.started_at,
            finished_at=step.finished_at,
        )

    async def _wait(self, principal: Principal, run_id: UUID, seconds: float) -> RunStatus:
        deadline = time.monotonic() + seconds
        async with self._hub.listen(f"ff:stream:{principal.workspace_id}", is_channel=False) as hints:
            while True:
                async with self._isolation.read(principal.workspace_id) as reader:
                    found = await read_trial_status(reader, run_id)
                status = RunStatus(found.status)
                left = deadline - time.monotonic()
                if status in TERMINAL_RUN or left <= 0 or self._draining.is_set() or self._waits_longer(found, left):
                    return status
                await hints.wait(min(left, LOOK_SECONDS))
                # The hints are of all runs of the workspace: a flood of them is one look.
                await asyncio.sleep(min(max(left, 0), REST_SECONDS))

    def _waits_longer(self, found: TrialStatus, seconds: float) -> bool:
        """Whether the test waits for somebody, or for a time that is further away."""
        event = None if found.waiting is None else decode_event(found.waiting)
        if not isinstance(event, RunWaiting):
            return False
        if event.reason == "delay":
            return (event.wake_at - self._clock.now()).total_seconds() > seconds
        return event.reason in _FOR_OTHERS

    async def _find(self, connection: asyncpg.Connection, principal: Principal, workflow_id: UUID) -> Draft:
        draft = await find_draft(connection, workflow_id, principal.workspace_id)
        if draft is None:
            raise NotFound("There is no such workflow.")
        return draft

    async def _start(
        self,
        connection: asyncpg.Connection,
        principal: Principal,
        workflow_id: UUID,
        draft: Draft,
        definition: bytes,
        at: datetime,
        origin: Mapping[str, Any],
    ) -> UUID:
        """Keep the definition and accept a run of it; `origin` are fields of its first event."""
        run_id = new_id(at)
        traceparent = current_traceparent() or new_traceparent()
        version_id = await keep_draft(
            connection,
            workspace_id=principal.workspace_id,
            workflow_id=workflow_id,
            definition=definition,
            user_id=principal.user_id,
        )
        start = Start(
            run_id=run_id,
            workspace_id=principal.workspace_id,
            workflow_id=workflow_id,
            version_id=version_id,
            version=0,
            trigger_id=None,
            trigger_type=origin["trigger"]["type"],
            at=at,
            queued=make_queued_event(
                at=at,
                workflow_id=workflow_id,
                workflow_name=draft.workflow_name,
                version=0,
                traceparent=traceparent,
                **origin,
            ),
            message=announce_queued(at=at, run_id=run_id, workspace_id=principal.workspace_id, workflow_id=workflow_id),
            traceparent=traceparent,
            is_pinned=True,
            is_test=True,
        )
        (accepted,) = await accept_starts(connection, [start])
        if accepted.run_id is None:
            raise WorkflowChanged
        return accepted.run_id
