"""`/v1/vars`."""

from typing import Annotated

from litestar import Controller, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.openapi import problems
from app.pagination import Cursor, WholeLimit, cut_page
from app.variables.schemas import VariableDetail, VariableList, VariableName, VariableValue, VariableView
from app.variables.service import VariableService, make_variable_etag

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="the ETag that was read")]


class VariableController(Controller):
    """Values that all workflows of a workspace may read."""

    path = "/vars"
    tags = ("variables",)

    @get(operation_id="listVariables", summary="List variables", guards=[requires(Permission.VARIABLES_READ)])
    async def list_variables(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        limit: WholeLimit = None,
        cursor: Cursor = None,
    ) -> VariableList:
        """All of the workspace's variables, by name: there are never so many that they must come in pages."""
        everything = await VariableService(transaction, principal).list_all()
        items, next_cursor = cut_page(everything.items, limit, cursor, lambda item: item.name)
        return VariableList(items=items, next_cursor=next_cursor)

    @get(
        "/{name:str}",
        operation_id="getVariable",
        summary="Read a variable",
        guards=[requires(Permission.VARIABLES_READ)],
        responses=problems(404),
    )
    async def get_variable(
        self, name: VariableName, principal: NamedDependency[Principal], transaction: NamedDependency[AsyncConnection]
    ) -> Response[VariableDetail]:
        """With the workflows that read it; the ETag stands for its value."""
        detail = await VariableService(transaction, principal).read(name)
        return Response(detail, headers={"etag": make_variable_etag(detail.updated_at)})

    @put(
        "/{name:str}",
        operation_id="putVariable",
        summary="Set a variable",
        guards=[requires(Permission.VARIABLES_WRITE)],
        responses={
            HTTP_201_CREATED: ResponseSpec(VariableView, generate_examples=False, description="it is new"),
            **problems(412),
        },
    )
    async def put_variable(
        self,
        name: VariableName,
        data: JSONBody[VariableValue],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        if_match: IfMatch = None,
    ) -> Response[VariableView]:
        """Runs that start from now on see it; those under way keep what they started with. 201 where it is new.

        With `If-Match`, 412 where it is stale, or there is no such variable.
        """
        view, is_new = await VariableService(transaction, principal).put(name, data, if_match=if_match)
        return Response(
            view,
            status_code=HTTP_201_CREATED if is_new else HTTP_200_OK,
            headers={"etag": make_variable_etag(view.updated_at)},
        )

    @delete(
        "/{name:str}",
        operation_id="deleteVariable",
        summary="Delete a variable",
        guards=[requires(Permission.VARIABLES_WRITE)],
        responses=problems(404, 412),
    )
    async def delete_variable(
        self,
        name: VariableName,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        if_match: IfMatch = None,
    ) -> None:
        """Runs that read it from now on fail, with the names that exist. With `If-Match`, 412 where it is stale."""
        await VariableService(transaction, principal).delete(name, if_match=if_match)
