"""`/v1/connections`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Redirect, Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_303_SEE_OTHER
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.browser import is_https, make_cookie
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.bodies import NOTHING_SAID, NoFields
from app.connections.authorizing import LIFETIME, AuthorizationService, name_cookie
from app.connections.authorizing import Answer as ProviderAnswer
from app.connections.schemas import (
    AuthorizationStart,
    ConnectionChange,
    ConnectionDetail,
    ConnectionSummary,
    ConnectionTest,
    ConnectionTestResult,
    NewConnection,
)
from app.connections.service import ConnectionService
from app.connections.testing import ConnectionTester
from app.etags import make_etag
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="the ETag that was read")]
Force = Annotated[bool, QueryParameter(description="also where workflows name the connection")]
CountUses = Annotated[bool, QueryParameter(description="tell of each how many workflows name it")]
_NOTHING_ASKED = ConnectionTest()

AnyRequest = Request[Any, Any, Any]
# Given back by the other system, which may add what it likes.
State = Annotated[str | None, QueryParameter(name="state", description="as it was sent along")]
Code = Annotated[str | None, QueryParameter(description="what the tokens are given for")]
ErrorCode = Annotated[str | None, QueryParameter(name="error", description="why there is no code")]
Issuer = Annotated[str | None, QueryParameter(name="iss", description="who answers, by RFC 9207")]
ErrorText = Annotated[str | None, QueryParameter(name="error_description", description="the same in words")]


class ConnectionController(Controller):
    """Credentials for other systems, which steps use by name."""

    path = "/connections"
    tags = ("connections",)

    @get(operation_id="listConnections", summary="List connections", guards=[requires(Permission.CONNECTIONS_READ)])
    async def list_connections(
        self,
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        connections: NamedDependency[ConnectionService],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        count_uses: CountUses = False,
    ) -> Page[ConnectionSummary]:
        """Newest first. Secrets are never shown."""
        return await connections.list_all(
            transaction, principal, after=decode_cursor(cursor), limit=limit, is_use_counted=count_uses
        )

    @post(
        operation_id="createConnection",
        summary="Make a connection",
        status_code=HTTP_201_CREATED,
        guards=[requires(Permission.CONNECTIONS_WRITE)],
        responses=problems(409),
        idempotent=True,
    )
    async def create_connection(
        self,
        request: AnyRequest,
        data: JSONBody[NewConnection],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        connections: NamedDependency[ConnectionService],
    ) -> Response[ConnectionDetail]:
        """Its secret is sealed at once, and shown to nobody."""

        async def create() -> Answer:
            detail = await connections.create(transaction, principal, data)
            headers = {"etag": make_etag(detail.revision), "location": f"/v1/connections/{detail.id}"}
            return Answer(status=HTTP_201_CREATED, body=detail, headers=headers)

        return await answer_once(request, transaction, principal, create)

    @get(
        "/{connection_id:uuid}",
        operation_id="getConnection",
        summary="Read a connection",
        guards=[requires(Permission.CONNECTIONS_READ)],
    )
    async def get_connection(
        self,
        connection_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        connections: NamedDependency[ConnectionService],
    ) -> Response[ConnectionDetail]:
        """With the workflows that name it, and without its secret."""
        return _with_etag(await connections.read(transaction, principal, connection_id))

    @patch(
        "/{connection_id:uuid}",
        operation_id="changeConnection",
        summary="Change a connection",
        guards=[requires(Permission.CONNECTIONS_WRITE)],
        responses=problems(409, 412),
    )
    async def change_connection(
        self,
        connection_id: FromPath[UUID],
        data: JSONBody[ConnectionChange],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        connections: NamedDependency[ConnectionService],
        if_match: IfMatch = None,
        force: Force = False,
    ) -> Response[ConnectionDetail]:
        """Attempts that start from now on use it so, those of waiting runs too. With `If-Match`, 412 where it is stale.

        Another name is refused with 409 where workflows know it by the one that it has.
        """
        change = connections.change(transaction, principal, connection_id, data, if_match=if_match, is_forced=force)
        return _with_etag(await change)

    @delete(
        "/{connection_id:uuid}",
        operation_id="deleteConnection",
        summary="Delete a connection",
        guards=[requires(Permission.CONNECTIONS_WRITE)],
        responses=problems(409, 412),
    )
    async def delete_connection(
        self,
        connection_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        connections: NamedDependency[ConnectionService],
        if_match: IfMatch = None,
        force: Force = False,
    ) -> None:
        """Steps that name it fail from now on: 409 with those workflows, unless it is forced."""
        await connections.delete(transaction, principal, connection_id, if_match=if_match, is_forced=force)

    @post(
        "/{connection_id:uuid}/test",
        operation_id="testConnection",
        summary="Test a connection",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.CONNECTIONS_WRITE)],
    )
    async def test_connection(
        self,
        connection_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        connection_tester: NamedDependency[ConnectionTester],
        data: JSONBody[ConnectionTest] = _NOTHING_ASKED,
    ) -> ConnectionTestResult:
        """A real call, within the same bounds as a step's. 200 also where it fails: `ok` and `message` tell."""
        return await connection_tester.test(principal, connection_id, data)

    @post(
        "/{connection_id:uuid}/authorize",
        operation_id="authorizeConnection",
        summary="Sign in for a connection",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.CONNECTIONS_WRITE)],
        responses=problems(409),
    )
    async def authorize_connection(
        self,
        request: AnyRequest,
        connection_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        authorizations: NamedDependency[AuthorizationService],
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> Response[AuthorizationStart]:
        """The address to open in this very browser, which keeps a cookie for the way back; good for 10 minutes."""
        del data
        begun = await authorizations.begin(transaction, principal, connection_id)
        cookie = _cookie(request, begun.cookie_id, begun.verifier, int(LIFETIME.total_seconds()))
        return Response(begun.start, cookies=[cookie])

    @get(
        "/oauth/callback",
        operation_id="endAuthorization",
        summary="Come back from a sign-in",
        status_code=HTTP_303_SEE_OTHER,
        public=True,
        free_query=True,
    )
    async def end_authorization(
        self,
        request: AnyRequest,
        authorizations: NamedDependency[AuthorizationService],
        given_state: State = None,
        code: Code = None,
        error: ErrorCode = None,
        error_description: ErrorText = None,
        iss: Issuer = None,
    ) -> Redirect:
        """Where the other system sends the browser. It goes on to the web app, whose address tells what came of it."""
        # By RFC 6749 no parameter comes twice; a state that does is none.
        state = given_state if given_state and len(request.query_params.getall("state")) == 1 else ""
        name = name_cookie(state)
        issuers = [] if iss is None else request.query_params.getall("iss")
        answer = ProviderAnswer(
            state=state, issuers=issuers, code=code, error=error, error_description=error_description
        )
        page = await authorizations.end(answer, request.cookies.get(_cookie_name(request, name)))
        cookies = [_cookie(request, name, "", 0)] if state else []
        return Redirect(page, status_code=HTTP_303_SEE_OTHER, cookies=cookies)


def _cookie(request: AnyRequest, name: str, value: str, seconds: int) -> Cookie:
    """One for each sign-in. Lax: it has to come along when another site sends the browser back here."""
    return make_cookie(request, _cookie_name(request, name), value, seconds, "lax")


def _cookie_name(request: AnyRequest, name: str) -> str:
    return f"__Host-flowforge-oauth-{name}" if is_https(request) else f"flowforge-oauth-{name}"


def _with_etag(detail: ConnectionDetail) -> Response[ConnectionDetail]:
    return Response(detail, headers={"etag": make_etag(detail.revision)})
