"""`/v1/members` and `/v1/invitations`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.browser import answer_tokens
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.auth.schemas import Tokens
from app.bodies import NOTHING_SAID, SMALL_BODY_BYTES, NoFields
from app.idempotency.service import Answer, answer_once
from app.members.previews import InvitationOffer, InvitationToken, read_offer
from app.members.schemas import (
    Acceptance,
    InvitationView,
    MadeInvitation,
    MemberChange,
    MemberView,
    NewInvitation,
)
from app.members.service import InvitationService, MemberService
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page

LastSeen = Annotated[bool, QueryParameter(description="tell of each when they were last seen here; for admins")]


class MemberController(Controller):
    """Who is in the workspace, as what."""

    path = "/members"
    tags = ("members",)

    @get(
        operation_id="listMembers",
        summary="List members",
        guards=[requires(Permission.MEMBERS_READ)],
        responses=problems(400),
    )
    async def list_members(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        members: NamedDependency[MemberService],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        last_seen: LastSeen = False,
    ) -> Page[MemberView]:
        """The workspace's members, the newest users first."""
        return await members.list_all(transaction, principal, limit=limit, cursor=cursor, is_last_seen_told=last_seen)

    @patch(
        "/{user_id:uuid}",
        operation_id="changeMember",
        summary="Change a member's role",
        guards=[requires(Permission.ROLES_WRITE)],
        responses=problems(404, 409),
    )
    async def change_member(
        self,
        user_id: FromPath[UUID],
        data: JSONBody[MemberChange],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        members: NamedDependency[MemberService],
    ) -> MemberView:
        """It takes hold within 5 seconds everywhere, for their API keys as well. The last owner stays one."""
        return await members.change(transaction, principal, user_id, data)

    @delete(
        "/{user_id:uuid}",
        operation_id="removeMember",
        summary="Remove a member",
        guards=[requires(Permission.MEMBERS_WRITE)],
        responses=problems(404, 409),
    )
    async def remove_member(
        self,
        user_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        members: NamedDependency[MemberService],
    ) -> None:
        """Their sign-ins and API keys end within 5 seconds; what they made stays. Nobody removes who is above them."""
        await members.remove(transaction, principal, user_id)


@post(
    "/workspaces/{workspace_id:uuid}/leave",
    operation_id="leaveWorkspace",
    summary="Leave a workspace",
    tags=["members"],
    status_code=HTTP_204_NO_CONTENT,
    guards=[requires(Permission.ACCOUNT_READ)],
    responses=problems(404, 409),
)
async def leave_workspace(
    workspace_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    transaction: NamedDependency[AsyncConnection],
    members: NamedDependency[MemberService],
    data: JSONBody[NoFields] = NOTHING_SAID,
) -> None:
    """The one that you are signed in to; whatever your role, unless you are its last owner. What you made stays."""
    del data
    await members.leave(transaction, principal, workspace_id)


class InvitationController(Controller):
    """How members come."""

    path = "/invitations"
    tags = ("members",)
    request_max_body_size = SMALL_BODY_BYTES

    @get(
        operation_id="listInvitations",
        summary="List open invitations",
        guards=[requires(Permission.MEMBERS_WRITE)],
        responses=problems(400),
    )
    async def list_invitations(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        invitations: NamedDependency[InvitationService],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[InvitationView]:
        """Invitations that were neither accepted nor taken back and have not expired, the newest first."""
        return await invitations.list_all(transaction, principal, limit=limit, cursor=cursor)

    @post(
        operation_id="createInvitation",
        summary="Invite somebody",
        status_code=HTTP_201_CREATED,
        idempotent=True,
        guards=[requires(Permission.MEMBERS_WRITE)],
        responses=problems(400, 403, 409),
    )
    async def create_invitation(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewInvitation],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        invitations: NamedDependency[InvitationService],
    ) -> Response[MadeInvitation]:
        """Its `url` is shown this once, is good for one use within 7 days, and voids an earlier one to that address."""

        async def create() -> Answer:
            return Answer(status=HTTP_201_CREATED, body=await invitations.create(transaction, principal, data))

        return await answer_once(request, transaction, principal, create, box=invitations.box)

    @delete(
        "/{invitation_id:uuid}",
        operation_id="revokeInvitation",
        summary="Take an invitation back",
        guards=[requires(Permission.MEMBERS_WRITE)],
        responses=problems(404),
    )
    async def revoke_invitation(
        self,
        invitation_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        invitations: NamedDependency[InvitationService],
    ) -> None:
        """Its link is void at once."""
        await invitations.revoke(transaction, principal, invitation_id)

    @post(
        "/read",
        operation_id="readInvitation",
        summary="What does an invitation offer?",
        status_code=HTTP_200_OK,
        public=True,
        responses=problems(400, 410),
    )
    async def read_invitation(
        self, data: JSONBody[InvitationToken], transaction: NamedDependency[AsyncConnection]
    ) -> InvitationOffer:
        """Nothing is accepted by it. 410 where it cannot be any more: `reason` is unknown, used, revoked or expired."""
        return await read_offer(transaction, data.token)

    @post(
        "/accept",
        operation_id="acceptInvitation",
        summary="Accept an invitation",
        status_code=HTTP_200_OK,
        public=True,
        responses=problems(400, 401, 410, 429),
    )
    async def accept_invitation(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[Acceptance],
        invitations: NamedDependency[InvitationService],
    ) -> Response[Tokens]:
        """Join the workspace and be signed in. Somebody new makes an account; who has one gives its password."""
        tokens = await invitations.accept(data, request.client.host if request.client else "unknown")
        return answer_tokens(request, tokens, HTTP_200_OK)
