"""`/v1/runs/{id}/retry`, `…/rerun`, `…/signal` and `/v1/runs/bulk`."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.control.bulk import BulkService
from app.control.schemas import BulkOutcome, BulkRequest, RerunRequest, RunAccepted, SignalRequest
from app.control.service import ControlService
from app.dependencies import driver_connection
from app.idempotency.service import Answer, answer_once
from app.openapi import problems

NOTHING_SAID = RerunRequest()


class ControlController(Controller):
    """Steering runs."""

    path = "/runs"
    tags = ("runs",)

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
        request: Request[Any, Any, Any],
        state: State,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
    ) -> Response[RunAccepted]:
        """The same run goes on: failed and cancelled steps run again, what succeeded is kept."""

        async def act(connection: asyncpg.Connection) -> Answer:
            await control.retry(connection, principal, run_id)
            return Answer(status=HTTP_202_ACCEPTED, body=RunAccepted(run_id=run_id))

        return await _act_once(request, state, principal, control, act)

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
        request: Request[Any, Any, Any],
        state: State,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
        data: JSONBody[RerunRequest] = NOTHING_SAID,
    ) -> Response[RunAccepted]:
        """Start a new run of the same trigger, with other input, another version, or from a step on."""

        async def act(connection: asyncpg.Connection) -> Answer:
            started = await control.rerun(connection, principal, run_id, data)
            return Answer(status=HTTP_202_ACCEPTED, body=RunAccepted(run_id=started))

        return await _act_once(request, state, principal, control, act)

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
        request: Request[Any, Any, Any],
        state: State,
        run_id: FromPath[UUID],
        data: JSONBody[SignalRequest],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
    ) -> Response[RunAccepted]:
        """Give a payload to the step that waits for this name, or keep it until one does."""

        async def act(connection: asyncpg.Connection) -> Answer:
            await control.signal(connection, principal, run_id, data)
            return Answer(status=HTTP_202_ACCEPTED, body=RunAccepted(run_id=run_id))

        return await _act_once(request, state, principal, control, act)

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
        request: Request[Any, Any, Any],
        state: State,
        data: JSONBody[BulkRequest],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
        bulk: NamedDependency[BulkService],
    ) -> Response[BulkOutcome]:
        """Act on the runs that match, the newest first, up to 1,000 a call; `dry_run` only counts them."""

        async def act(connection: asyncpg.Connection) -> Answer:
            return Answer(status=HTTP_200_OK, body=await bulk.apply(connection, principal, data))

        return await _act_once(request, state, principal, control, act)


async def _act_once(
    request: Request[Any, Any, Any],
    state: State,
    principal: Principal,
    control: ControlService,
    act: Callable[[asyncpg.Connection], Awaitable[Answer]],
) -> Response[Any]:
    """Act in one transaction, once an `Idempotency-Key`, and have it published after the commit."""
    database: AsyncEngine = state.database
    async with database.begin() as transaction:

        async def create() -> Answer:
            return await act(await driver_connection(transaction))

        response = await answer_once(request, transaction, principal, create)
    control.ring()
    return response
