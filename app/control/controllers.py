"""`/v1/runs/{id}/retry`, `…/rerun`, `…/signal` and `/v1/runs/bulk`."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Controller, Request, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.bodies import NOTHING_SAID, NoFields
from app.control.bulk import BulkService
from app.control.schemas import BulkOutcome, BulkRequest, RerunRequest, RunAccepted, SignalRequest
from app.control.service import ControlService
from app.dependencies import Isolation, driver_connection
from app.idempotency.service import Answer, answer_once
from app.openapi import problems

AS_BEFORE = RerunRequest()


class Steering:
    """Acts in one transaction, once an `Idempotency-Key`, and has it published after the commit."""

    def __init__(self, request: Request[Any, Any, Any], principal: Principal, control: ControlService) -> None:
        self._request = request
        self._principal = principal
        self._control = control

    async def act(self, status: int, act: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Response[Any]:
        """Answer with what `act` gives."""
        isolation: Isolation = self._request.app.state.isolation
        async with isolation.begin(self._principal.workspace_id) as transaction:

            async def create() -> Answer:
                return Answer(status=status, body=await act(await driver_connection(transaction)))

            response = await answer_once(self._request, transaction, self._principal, create)
        self._control.ring()
        return response

    async def accept(self, steer: Callable[[asyncpg.Connection], Awaitable[UUID]]) -> Response[RunAccepted]:
        """Answer with the run that `steer` gives, which goes on after this."""

        async def act(connection: asyncpg.Connection) -> RunAccepted:
            return RunAccepted(run_id=await steer(connection))

        return await self.act(HTTP_202_ACCEPTED, act)


def _provide_steering(
    request: Request[Any, Any, Any], principal: NamedDependency[Principal], control: NamedDependency[ControlService]
) -> Steering:
    return Steering(request, principal, control)


class ControlController(Controller):
    """Steering runs."""

    path = "/runs"
    tags = ("runs",)
    dependencies = {"steering": Provide(_provide_steering, sync_to_thread=False)}  # noqa: RUF012 - Litestar reads the attribute of this class and changes nothing in it

    @post(
        "/{run_id:uuid}/retry",
        operation_id="retryRun",
        summary="Go on from what failed",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.RUNS_CONTROL)],
        responses=problems(404, 409),
        idempotent=True,
    )
    async def retry_run(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
        steering: NamedDependency[Steering],
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> Response[RunAccepted]:
        """The same run goes on: failed and cancelled steps run again, what succeeded is kept."""
        del data
        return await steering.accept(lambda connection: control.retry(connection, principal, run_id))

    @post(
        "/{run_id:uuid}/rerun",
        operation_id="rerunRun",
        summary="Repeat a run",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.RUNS_START)],
        responses=problems(400, 404, 409),
        idempotent=True,
    )
    async def rerun_run(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
        steering: NamedDependency[Steering],
        data: JSONBody[RerunRequest] = AS_BEFORE,
    ) -> Response[RunAccepted]:
        """Start a new run of the same trigger, with other input, another version, or from a step on."""
        return await steering.accept(lambda connection: control.rerun(connection, principal, run_id, data))

    @post(
        "/{run_id:uuid}/signal",
        operation_id="signalRun",
        summary="Send a signal",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.RUNS_CONTROL)],
        responses=problems(404, 409),
        idempotent=True,
    )
    async def signal_run(
        self,
        run_id: FromPath[UUID],
        data: JSONBody[SignalRequest],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
        steering: NamedDependency[Steering],
    ) -> Response[RunAccepted]:
        """Give a payload to the step that waits for this name, or keep it until one does."""
        return await steering.accept(lambda connection: control.signal(connection, principal, run_id, data))

    @post(
        "/bulk",
        operation_id="changeRuns",
        summary="Cancel, retry or repeat many runs",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.RUNS_CONTROL)],
        responses=problems(400, 409),
        idempotent=True,
    )
    async def change_runs(
        self,
        data: JSONBody[BulkRequest],
        principal: NamedDependency[Principal],
        bulk: NamedDependency[BulkService],
        steering: NamedDependency[Steering],
    ) -> Response[BulkOutcome]:
        """Act on the runs that match, the newest first, up to 1,000 a call; `dry_run` only counts them."""
        return await steering.act(HTTP_200_OK, lambda connection: bulk.apply(connection, principal, data))
