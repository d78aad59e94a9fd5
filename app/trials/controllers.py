"""Trying out: `/v1/expressions/evaluate`, `/v1/workflows/{id}/test` and `/v1/workflows/{id}/steps/{step}/test`."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.dependencies import Isolation, driver_connection
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.problems import MEDIA_TYPE
from app.runs.schemas import RunStarted
from app.runs.service import RunService
from app.trials.evaluation import Evaluator
from app.trials.schemas import (
    DraftTest,
    EvaluateRequest,
    Evaluation,
    ExpressionProblem,
    StepOutcome,
    StepPending,
    StepTest,
)
from app.trials.service import TrialService

_PENDING = ResponseSpec(data_container=StepPending, generate_examples=False, description="It is not over yet")
_REFUSED = ResponseSpec(
    data_container=ExpressionProblem,
    media_type=MEDIA_TYPE,
    generate_examples=False,
    description="It cannot be read or evaluated",
)

NOTHING_SAID = DraftTest()


@post(
    "/expressions/evaluate",
    operation_id="evaluateExpression",
    summary="Evaluate an expression",
    tags=["trying out"],
    status_code=HTTP_200_OK,
    guards=[requires(Permission.RUNS_READ)],
    responses={**problems(404), 422: _REFUSED},
)
async def evaluate_expression(
    data: JSONBody[EvaluateRequest],
    principal: NamedDependency[Principal],
    evaluator: NamedDependency[Evaluator],
) -> Evaluation:
    """The value of an expression, or of a text with `{{ … }}`, in a run or in a given context."""
    return await evaluator.evaluate(principal, data)


class TrialController(Controller):
    """Tests of drafts."""

    path = "/workflows"
    tags = ("trying out",)

    @post(
        "/{workflow_id:uuid}/test",
        operation_id="testDraft",
        summary="Run the draft",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        responses=problems(404, 409, 422),
        idempotent=True,
    )
    async def test_draft(
        self,
        request: Request[Any, Any, Any],
        state: State,
        workflow_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        trials: NamedDependency[TrialService],
        data: JSONBody[DraftTest] = NOTHING_SAID,
    ) -> Response[RunStarted]:
        """Accept a test run of the draft as it stands. Steps with a mock are not performed."""
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:

            async def create() -> Answer:
                connection = await driver_connection(transaction)
                run_id = await trials.start_draft(connection, principal, workflow_id, data)
                return Answer(status=HTTP_202_ACCEPTED, body=RunStarted(run_id=run_id))

            response = await answer_once(request, transaction, principal, create)
        runs.ring()
        return response

    @post(
        "/{workflow_id:uuid}/steps/{step:str}/test",
        operation_id="testStep",
        summary="Run one step of the draft",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        responses={HTTP_202_ACCEPTED: _PENDING, **problems(404, 409, 422)},
        idempotent=True,
    )
    async def test_step(
        self,
        request: Request[Any, Any, Any],
        state: State,
        workflow_id: FromPath[UUID],
        step: Annotated[str, PathParameter(max_length=600, description="its id, or its path like `each.fetch`")],
        data: JSONBody[StepTest],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        trials: NamedDependency[TrialService],
    ) -> Response[StepOutcome]:
        """Run the step alone, in a given context, and wait for its end: 202 where that has not come in time."""
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:
            run_id = await _start_step(request, transaction, workflow_id, step, data, principal, trials)
        runs.ring()
        outcome = await trials.wait_for_step(principal, run_id, data.timeout)
        status = HTTP_202_ACCEPTED if isinstance(outcome, StepPending) else HTTP_200_OK
        response: Response[Any] = Response(outcome, status_code=status)
        return response


async def _start_step(
    request: Request[Any, Any, Any],
    transaction: AsyncConnection,
    workflow_id: UUID,
    step: str,
    data: StepTest,
    principal: Principal,
    trials: TrialService,
) -> UUID:
    """The run of the test; one that was started before under the same Idempotency-Key is waited for again."""

    async def create() -> Answer:
        connection = await driver_connection(transaction)
        run_id = await trials.start_step(connection, principal, workflow_id, step, data)
        return Answer(status=HTTP_202_ACCEPTED, body=RunStarted(run_id=run_id))

    content = (await answer_once(request, transaction, principal, create)).content
    if isinstance(content, RunStarted):
        return content.run_id
    return msgspec.json.decode(content, type=RunStarted).run_id
