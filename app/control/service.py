"""What the calls do that steer runs: retry, rerun, signal."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, Raw, Struct

from app.auth.principal import Principal
from app.control.schemas import RerunRequest, SignalRequest
from app.errors import (
    InvalidRequest,
    NotFound,
    NotPublished,
    PayloadTooLarge,
    RunFinished,
    RunNotRetryable,
    RunUnfinished,
    TooManySignals,
)
from engine.core.definition import Definition
from engine.core.events import Origin, decode_to_copy
from engine.core.problems import Problem
from engine.core.queueing import announce_queued, make_queued_event
from engine.core.reuse import find_changed, take_over
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.bell import OutboxBell
from engine.infra.clock import Clock
from engine.infra.ids import new_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.steps.compilation import compile_definition
from engine.store.control import (
    Beginning,
    TakenOver,
    accept_rerun,
    pack_taken_over,
    read_beginnings,
    retry_runs,
)
from engine.store.histories import read_top_level
from engine.store.inbox import put_message, sum_large_signals
from engine.store.runs import load_definition
from engine.store.starts import Start

MAX_SIGNAL_BYTES: Final = 1_048_576
# A run keeps its signals in memory. Small ones do not count: whoever sends many takes long for it.
SMALL_SIGNAL_BYTES: Final = 4096
MAX_LARGE_SIGNALS_BYTES: Final = 64 * 1_048_576
_STEPS_NAMED: Final = 50


class _Queued(Struct, frozen=True, kw_only=True):
    """A run's first event, as far as its repetition needs it; what people gave is passed on as it is."""

    trigger: Raw
    input: Raw
    mocks: Raw = Raw()
    preset: Raw = Raw()


_queued_decoder = msgspec.json.Decoder(_Queued)


class ControlService:
    """Lets runs go on, repeats them, and sends them signals. Each call acts in its caller's transaction.

    After the commit, the caller rings the bell.
    """

    def __init__(self, clock: Clock, bell: OutboxBell) -> None:
        self._clock = clock
        self._bell = bell

    async def retry(self, connection: asyncpg.Connection, principal: Principal, run_id: UUID) -> UUID:
        """Let an ended run go on from what failed; its id. Raises NotFound, or RunNotRetryable."""
        traceparent = current_traceparent() or new_traceparent()
        outcomes = await retry_runs(
            connection, [run_id], principal.workspace_id, by=str(principal.user_id), traceparent=traceparent
        )
        if not outcomes:
            raise NotFound
        if not outcomes[0].is_done:
            status = outcomes[0].status
            reason = "has succeeded: rerun it" if status == RunStatus.SUCCEEDED else f"is {status}"
            raise RunNotRetryable(
                f"Only a run that failed, timed out or was cancelled can be retried; this one {reason}."
            )
        return run_id

    async def signal(
        self, connection: asyncpg.Connection, principal: Principal, run_id: UUID, request: SignalRequest
    ) -> UUID:
        """Leave a signal for the run; its id. Raises NotFound, RunFinished, PayloadTooLarge, or TooManySignals."""
        size = len(msgspec.json.encode(request.payload))
        if size > MAX_SIGNAL_BYTES:
            raise PayloadTooLarge(f"The payload has {size:,} bytes as JSON; a signal's has at most 1 MiB.")
        payload = {"name": request.name, "payload": request.payload, "by": str(principal.user_id)}
        status = await put_message(connection, run_id, principal.workspace_id, "signal", payload)
        if status is None:
            raise NotFound
        if RunStatus(status) in TERMINAL_RUN:
            raise RunFinished(f"The run has ended: it is {status}.")
        if size > SMALL_SIGNAL_BYTES:
            # With this one, which is taken back where it is too much.
            total = await sum_large_signals(connection, run_id, SMALL_SIGNAL_BYTES)
            if total > MAX_LARGE_SIGNALS_BYTES:
                raise TooManySignals("The run has been sent signals of 64 MiB together; it takes small ones alone.")
        return run_id

    async def rerun(
        self, connection: asyncpg.Connection, principal: Principal, run_id: UUID, request: RerunRequest
    ) -> UUID:
        """Accept a run that repeats this one. Raises NotFound, NotPublished, RunUnfinished, or InvalidRequest."""
        beginnings = await read_beginnings(connection, [run_id], principal.workspace_id)
        if not beginnings:
            raise NotFound("There is no such run, or its workflow was deleted: then it cannot be repeated.")
        beginning = beginnings[0]
        if RunStatus(beginning.status) not in TERMINAL_RUN:
            raise RunUnfinished(f"The run is {beginning.status}; it can be repeated once it has ended.")
        start = self.prepare(principal, beginning, request)
        taken_over = TakenOver()
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
        queued = _queued_decoder.decode(beginning.queued)
        test: dict[str, Any] = {
            name: getattr(queued, name) for name in ("mocks", "preset") if len(getattr(queued, name))
        }
        at = self._clock.now()
        run_id = new_id(at)
        traceparent = current_traceparent() or new_traceparent()
        trigger: Any = queued.trigger
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
                trigger=trigger,
                run_input=queued.input if request.input is UNSET else request.input,
                workflow_id=beginning.workflow_id,
                workflow_name=beginning.workflow_name,
                version=version,
                traceparent=traceparent,
                origin=Origin(run_id=str(beginning.id), from_step=request.from_step),
                **test,
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
) -> TakenOver:
    """What holds of the original in the new run too. Raises InvalidRequest for a step that is not there."""
    source = await load_definition(connection, start.version_id)
    before = None
    if start.version_id != beginning.version_id:
        before = await load_definition(connection, beginning.version_id)
    history = await read_top_level(connection, beginning.id)
    payloads = [payload for _, payload in history.rows]
    # It takes a while for a large run, and the event loop has others to serve.
    return await asyncio.to_thread(_select, source, before, payloads, from_step, start.at)


def _select(source: bytes, before: bytes | None, payloads: Sequence[bytes], from_step: str, at: datetime) -> TakenOver:
    graph = compile_definition(source)
    if from_step not in graph.index_by_id:
        steps = ", ".join(f"'{step}'" for step in list(graph.index_by_id)[:_STEPS_NAMED])
        problem = Problem("/from_step", "unknown_step", f"there is no step '{from_step}'; the steps are {steps}")
        raise InvalidRequest(errors=[problem])
    changed = set() if before is None else find_changed(_decode(before), _decode(source))
    # Outputs are passed on as they are: as objects they may take many times their bytes.
    events = [decode_to_copy(payload) for payload in payloads]
    return pack_taken_over(take_over(graph, events, from_step, changed, at=at))


def _decode(definition: bytes) -> Definition:
    return msgspec.json.decode(definition, type=Definition)
