"""`/v1/approvals`."""

from typing import Annotated, Any, get_args
from uuid import UUID

import asyncpg
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK

from app.approvals.schemas import ApprovalStatus, ApprovalView, DecisionRequest
from app.audit.entries import Act, Action, Target
from app.audit.trail import enter
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.control.service import ControlService
from app.dependencies import Isolation, driver_connection
from app.errors import ApprovalDecided, InvalidRequest, NotFound
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import Cursor, Limit, Page, decode_cursor, make_page
from app.query_parameters import read_choices
from engine.core.problems import Problem
from engine.store.approvals import ApprovalRecord, decide_approval, find_approval, list_approvals

STATUSES = get_args(ApprovalStatus)

Statuses = Annotated[
    str | None, QueryParameter(max_length=200, description="one status or several, comma separated; all if left out")
]


class ApprovalController(Controller):
    """Reading and deciding approvals."""

    path = "/approvals"
    tags = ("approvals",)

    @get(
        operation_id="listApprovals",
        summary="List approvals",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400),
    )
    async def list_page(
        self,
        state: State,
        principal: NamedDependency[Principal],
        status: FromQuery[Statuses] = None,
        run_id: FromQuery[UUID | None] = None,
        limit: FromQuery[Limit] = 50,
        cursor: FromQuery[Cursor] = None,
    ) -> Page[ApprovalView]:
        """Approvals of the workspace, the newest first."""
        isolation: Isolation = state.isolation
        before = decode_cursor(cursor)
        statuses = _read_statuses(status)
        async with isolation.begin(principal.workspace_id) as transaction:
            rows = await list_approvals(
                await driver_connection(transaction),
                principal.workspace_id,
                statuses=statuses,
                run_id=run_id,
                before=before,
                limit=limit + 1,
            )
        return make_page(rows, limit, _describe, lambda row: row.id)

    @get(
        "/{approval_id:uuid}",
        operation_id="getApproval",
        summary="Read an approval",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(404),
    )
    async def read(
        self, state: State, approval_id: FromPath[UUID], principal: NamedDependency[Principal]
    ) -> ApprovalView:
        """One approval."""
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:
            return _describe(await _find(await driver_connection(transaction), approval_id, principal))

    @post(
        "/{approval_id:uuid}",
        operation_id="decideApproval",
        summary="Approve or reject",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.APPROVALS_DECIDE)],
        responses=problems(404, 409),
        idempotent=True,
    )
    async def decide(
        self,
        request: Request[Any, Any, Any],
        state: State,
        approval_id: FromPath[UUID],
        data: JSONBody[DecisionRequest],
        principal: NamedDependency[Principal],
        control: NamedDependency[ControlService],
    ) -> Response[ApprovalView]:
        """Decide what a run waits for; 409 where that has been decided, or is not waited for any more."""
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:

            async def create() -> Answer:
                connection = await driver_connection(transaction)
                return Answer(status=HTTP_200_OK, body=await _decide(connection, approval_id, principal, data))

            response = await answer_once(request, transaction, principal, create)
        control.ring()
        return response


async def _decide(
    connection: asyncpg.Connection, approval_id: UUID, principal: Principal, data: DecisionRequest
) -> ApprovalView:
    is_done = await decide_approval(
        connection,
        approval_id,
        principal.workspace_id,
        decision=data.decision,
        comment=data.comment,
        by=principal.user_id,
    )
    found = await _find(connection, approval_id, principal)
    if not is_done:
        raise ApprovalDecided(f"The approval is {found.status}." if found.status != "pending" else None)
    target = Target(type="approval", id=str(approval_id), name=found.workflow_name)
    decided = {"decision": data.decision, "comment": data.comment, "run_id": found.run_id, "step_id": found.step}
    act = Act(action=Action.APPROVAL_DECIDED, target=target, before={"status": "pending"}, after=decided)
    await enter(connection, principal, act)
    return _describe(found)


async def _find(connection: asyncpg.Connection, approval_id: UUID, principal: Principal) -> ApprovalRecord:
    found = await find_approval(connection, approval_id, principal.workspace_id)
    if found is None:
        raise NotFound
    return found


def _read_statuses(text: str | None) -> list[str] | None:
    problems: list[Problem] = []
    statuses = read_choices(text, STATUSES, "status", problems)
    if problems:
        raise InvalidRequest(errors=problems)
    return statuses


def _describe(row: ApprovalRecord) -> ApprovalView:
    return ApprovalView(
        id=row.id,
        run_id=row.run_id,
        step_id=row.step,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        message=row.message,
        status=row.status,
        created_at=row.created_at,
        due_at=row.due_at,
        comment=row.comment,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
