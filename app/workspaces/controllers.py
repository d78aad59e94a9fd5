"""`/v1/workspaces`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.dependencies import begin_account_transaction
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import Cursor, WholeLimit, cut_page
from app.workspaces.schemas import MyWorkspace, MyWorkspaces, NewWorkspace, WorkspaceChange
from app.workspaces.service import WorkspaceService


class WorkspaceController(Controller):
    """What one belongs to."""

    path = "/workspaces"
    tags = ("workspaces",)
    # A user's workspaces are several, and the new one is none of theirs yet.
    dependencies = {"transaction": Provide(begin_account_transaction)}  # noqa: RUF012 - Litestar reads the attribute of this class and changes nothing in it

    @get(operation_id="listWorkspaces", summary="List your workspaces", guards=[requires(Permission.ACCOUNT_READ)])
    async def list_workspaces(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        limit: WholeLimit = None,
        cursor: Cursor = None,
    ) -> MyWorkspaces:
        """Those that you are a member of, with your role, by name."""
        everything = await WorkspaceService(transaction, principal).list_all()
        items, next_cursor = cut_page(everything.items, limit, cursor, lambda item: str(item.id))
        return MyWorkspaces(items=items, next_cursor=next_cursor)

    @post(
        operation_id="createWorkspace",
        summary="Make a workspace",
        status_code=HTTP_201_CREATED,
        idempotent=True,
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(400, 403),
    )
    async def create_workspace(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewWorkspace],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
    ) -> Response[MyWorkspace]:
        """You own it. `POST /v1/auth/switch` gives tokens for it."""

        async def create() -> Answer:
            body = await WorkspaceService(transaction, principal).create(data)
            return Answer(status=HTTP_201_CREATED, body=body)

        return await answer_once(request, transaction, principal, create)

    @patch(
        "/{workspace_id:uuid}",
        operation_id="changeWorkspace",
        summary="Rename a workspace",
        guards=[requires(Permission.WORKSPACE_WRITE)],
        responses=problems(400, 404),
    )
    async def change_workspace(
        self,
        workspace_id: FromPath[UUID],
        data: JSONBody[WorkspaceChange],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
    ) -> MyWorkspace:
        """The one that the token is for; any other answers 404."""
        return await WorkspaceService(transaction, principal).change(workspace_id, data)
