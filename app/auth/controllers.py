"""`/v1/setup` and `/v1/auth`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.browser import answer_tokens, forget_cookie, is_kept_in_cookie, read_cookie
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.auth.schemas import (
    LoginRequest,
    Me,
    PasswordChange,
    RefreshRequest,
    SessionView,
    SetupRequest,
    SetupState,
    Switch,
    Tokens,
)
from app.auth.service import COOKIE_LEEWAY, IdentityService
from app.auth.sessions import SessionService
from app.bodies import NOTHING_SAID, SMALL_BODY_BYTES, NoFields
from app.dependencies import begin_account_transaction
from app.errors import InvalidRequest
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from engine.core.problems import Problem

AnyRequest = Request[Any, Any, Any]


class SetupController(Controller):
    """The first set-up."""

    path = "/setup"
    tags = ("setup",)
    request_max_body_size = SMALL_BODY_BYTES

    @get(operation_id="getSetup", summary="Is the first set-up still needed?", public=True)
    async def get_setup(self, identity: NamedDependency[IdentityService]) -> SetupState:
        """Whether nobody can sign in yet."""
        return SetupState(needed=await identity.is_setup_needed())

    @post(
        operation_id="setUp",
        summary="Make the first user and workspace",
        status_code=HTTP_201_CREATED,
        public=True,
        responses=problems(403, 409),
    )
    async def set_up(
        self, request: AnyRequest, data: JSONBody[SetupRequest], identity: NamedDependency[IdentityService]
    ) -> Response[Tokens]:
        """Make the owner of the first workspace and sign them in; 409 once done."""
        return answer_tokens(request, await identity.set_up(data), HTTP_201_CREATED)


class AuthController(Controller):
    """Sign-in, refresh, sign-out."""

    path = "/auth"
    tags = ("auth",)
    request_max_body_size = SMALL_BODY_BYTES

    @post(
        "/login",
        operation_id="logIn",
        summary="Sign in",
        status_code=HTTP_200_OK,
        public=True,
        responses=problems(401, 429),
    )
    async def log_in(
        self, request: AnyRequest, data: JSONBody[LoginRequest], identity: NamedDependency[IdentityService]
    ) -> Response[Tokens]:
        """Exchange email and password for tokens."""
        tokens = await identity.log_in(data, request.client.host if request.client else "unknown")
        return answer_tokens(request, tokens, HTTP_200_OK)

    @post(
        "/refresh",
        operation_id="refresh",
        summary="Exchange the refresh token",
        status_code=HTTP_200_OK,
        public=True,
        responses=problems(401),
    )
    async def refresh(
        self, request: AnyRequest, data: JSONBody[RefreshRequest], identity: NamedDependency[IdentityService]
    ) -> Response[Tokens]:
        """Exchange a refresh token for new tokens; a token that comes twice ends its session."""
        if data.refresh_token is not UNSET:
            tokens = await identity.refresh(data.refresh_token)
        elif is_kept_in_cookie(request):
            tokens = await identity.refresh(read_cookie(request), leeway=COOKIE_LEEWAY)
        else:
            raise InvalidRequest(errors=[Problem("/refresh_token", "required", "it is missing")])
        return answer_tokens(request, tokens, HTTP_200_OK)

    @post(
        "/logout",
        operation_id="logOut",
        summary="Sign out",
        status_code=HTTP_204_NO_CONTENT,
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(409),
    )
    async def log_out(
        self,
        request: AnyRequest,
        principal: NamedDependency[Principal],
        identity: NamedDependency[IdentityService],
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> Response[None]:
        """End the session of this token, with all its tokens."""
        del data
        await identity.log_out(principal)
        cookies = [forget_cookie(request)] if is_kept_in_cookie(request) else []
        return Response(None, status_code=HTTP_204_NO_CONTENT, cookies=cookies)

    @post(
        "/switch",
        operation_id="switchWorkspace",
        summary="Act in another workspace",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(404, 409),
    )
    async def switch_workspace(
        self,
        request: AnyRequest,
        data: JSONBody[Switch],
        principal: NamedDependency[Principal],
        sessions: NamedDependency[SessionService],
    ) -> Response[Tokens]:
        """Tokens for a workspace that you are a member of; those that you have stay good for theirs."""
        return answer_tokens(request, await sessions.switch(principal, data.workspace_id), HTTP_200_OK)

    @get(
        "/sessions",
        operation_id="listSessions",
        summary="Where am I signed in?",
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(400, 409),
    )
    async def list_sessions(
        self,
        principal: NamedDependency[Principal],
        sessions: NamedDependency[SessionService],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[SessionView]:
        """Your sign-ins in all workspaces, the newest first."""
        return await sessions.list_all(principal, limit=limit, cursor=cursor)

    @delete(
        "/sessions",
        operation_id="endOtherSessions",
        summary="Sign out everywhere else",
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(409),
    )
    async def end_other_sessions(
        self, principal: NamedDependency[Principal], sessions: NamedDependency[SessionService]
    ) -> None:
        """All of your sign-ins but this one end, within 5 seconds everywhere."""
        await sessions.end_others(principal)

    @delete(
        "/sessions/{session_id:uuid}",
        operation_id="endSession",
        summary="Sign out one sign-in",
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(404, 409),
    )
    async def end_session(
        self,
        session_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        sessions: NamedDependency[SessionService],
    ) -> None:
        """One of your own sign-ins ends, within 5 seconds everywhere."""
        await sessions.end(principal, session_id)

    @post(
        "/password",
        operation_id="changePassword",
        summary="Change your password",
        status_code=HTTP_204_NO_CONTENT,
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(409, 429),
    )
    async def change_password(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[PasswordChange],
        principal: NamedDependency[Principal],
        sessions: NamedDependency[SessionService],
    ) -> None:
        """All of your other sign-ins end with it."""
        await sessions.change_password(principal, data, request.client.host if request.client else "unknown")

    @get(
        "/me",
        operation_id="getMe",
        summary="Who am I?",
        guards=[requires(Permission.ACCOUNT_READ)],
        # Bound to a workspace, nothing may be read of passwords: not even whether there is one.
        dependencies={"transaction": Provide(begin_account_transaction)},
    )
    async def get_me(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        identity: NamedDependency[IdentityService],
    ) -> Me:
        """The user, the workspace, the role and its permissions."""
        return await identity.describe(transaction, principal)
