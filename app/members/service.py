"""What the member and invitation calls do."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.audit.entries import Act, Action, Target
from app.audit.refusals import Refusals
from app.audit.trail import enter, enter_of
from app.auth import repository as identities
from app.auth.authenticator import Authenticator
from app.auth.common_passwords import refuse_common
from app.auth.confirmation import confirm
from app.auth.passwords import Passwords
from app.auth.permissions import Permission, Role, is_above
from app.auth.principal import Principal
from app.auth.schemas import Tokens
from app.auth.service import IdentityService
from app.auth.sessions import require_session
from app.auth.throttle import LoginThrottle
from app.bodies import decode_body
from app.errors import (
    AlreadyMember,
    InvalidCredentials,
    InvitationGone,
    LastOwner,
    MissingPermission,
    NotFound,
)
from app.members import repository
from app.members.schemas import (
    Acceptance,
    InvitationView,
    MadeInvitation,
    MemberChange,
    MemberView,
    Newcomer,
    NewInvitation,
)
from app.pagination import Page, decode_cursor, make_page
from engine.infra.ids import new_id
from engine.infra.secrets import SecretBox

LIFETIME: Final = timedelta(days=7)
# Of the API keys that end with a member, so many are told by their ids.
MOST_NAMED: Final = 50
_TOKEN_BYTES: Final = 32

_log = structlog.get_logger()


class MemberService:
    """Members and their roles, in the request's transaction."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def list_all(
        self,
        connection: AsyncConnection,
        principal: Principal,
        *,
        limit: int,
        cursor: str | None,
        is_last_seen_told: bool = False,
    ) -> Page[MemberView]:
        """The workspace's members. Raises InvalidCursor; MissingPermission where a colleague asks who was seen when."""
        if is_last_seen_told and Permission.MEMBERS_WRITE not in principal.permissions:
            raise MissingPermission(
                "It takes an admin to see when members were last seen.", permission=Permission.MEMBERS_WRITE.value
            )
        rows = await repository.list_members(
            connection, principal.workspace_id, before=decode_cursor(cursor), limit=limit + 1
        )
        seen: Mapping[UUID, datetime] = {}
        if is_last_seen_told:
            user_ids = [row["id"] for row in rows]
            seen = await repository.find_last_seen(connection, principal.workspace_id, user_ids)
        return make_page(
            rows, limit, lambda row: MemberView(**row, last_seen_at=seen.get(row["id"])), lambda row: row["id"]
        )

    async def change(
        self, connection: AsyncConnection, principal: Principal, user_id: UUID, change: MemberChange
    ) -> MemberView:
        """Give a member another role. Raises NotFound, LastOwner."""
        row = await self._lock(connection, principal, user_id)
        await confirm(connection, principal, Permission.ROLES_WRITE)
        if row["role"] == Role.OWNER.value and change.role is not Role.OWNER:
            await self._keep_an_owner(connection, principal)
        await repository.update_role(connection, principal.workspace_id, user_id, change.role.value)
        if is_above(Role(row["role"]), change.role):
            await repository.revoke_invitations_by(connection, principal.workspace_id, user_id)
        before, after = {"role": row["role"]}, {"role": change.role.value}
        changed = Act(action=Action.ROLE_CHANGED, target=_member(row), before=before, after=after)
        if before != after:
            await enter(connection, principal, changed)
        self._authenticator.forget_user(user_id)
        _log.info("role changed", user_id=str(user_id), role=change.role.value, by=str(principal.user_id))
        return MemberView(**{**row, "role": change.role})

    async def bring_role(
        self, connection: AsyncConnection, workspace_id: UUID, user_id: UUID, role: Role, issuer: str
    ) -> None:
        """Give a member the role that a provider of sign-ins gives them; the last owner stays one."""
        row = await repository.lock_member(connection, workspace_id, user_id)
        if row is None or row["role"] == role.value:
            return
        if row["role"] == Role.OWNER.value and await repository.count_owners(connection, workspace_id) == 1:
            _log.warning("the last owner stays one, whatever the provider says", user_id=str(user_id))
            return
        await repository.update_role(connection, workspace_id, user_id, role.value)
        if is_above(Role(row["role"]), role):
            await repository.revoke_invitations_by(connection, workspace_id, user_id)
        before, after = {"role": row["role"]}, {"role": role.value, "issuer": issuer}
        changed = Act(action=Action.ROLE_CHANGED, target=_member(row), before=before, after=after)
        await enter_of(connection, workspace_id, user_id, changed)
        self._authenticator.forget_user(user_id)
        _log.info("role changed by the provider", user_id=str(user_id), role=role.value)

    async def remove(self, connection: AsyncConnection, principal: Principal, user_id: UUID) -> None:
        """Remove a member, or oneself. Raises NotFound, MissingPermission, LastOwner."""
        row = await self._lock(connection, principal, user_id)
        role = await confirm(connection, principal, Permission.MEMBERS_WRITE)
        if is_above(Role(row["role"]), role):
            raise MissingPermission(f"Your role is {role}: you cannot remove an {row['role']}.")
        await self._end_membership(connection, principal, row)

    async def leave(self, connection: AsyncConnection, principal: Principal, workspace_id: UUID) -> None:
        """Leave the workspace that one is signed in to. Raises NoSession, NotFound for any other, LastOwner."""
        require_session(principal)
        if workspace_id != principal.workspace_id:
            raise NotFound
        row = await self._lock(connection, principal, principal.user_id)
        await confirm(connection, principal, Permission.ACCOUNT_READ)
        await self._end_membership(connection, principal, row)

    async def _end_membership(self, connection: AsyncConnection, principal: Principal, row: RowMapping) -> None:
        user_id: UUID = row["id"]
        if row["role"] == Role.OWNER.value:
            await self._keep_an_owner(connection, principal)
        await repository.revoke_invitations_by(connection, principal.workspace_id, user_id)
        key_ids = await repository.delete_member(connection, principal.workspace_id, user_id)
        before = {"role": row["role"], **({"api_keys": key_ids[:MOST_NAMED]} if key_ids else {})}
        removed = Act(action=Action.MEMBER_REMOVED, target=_member(row), before=before)
        await enter(connection, principal, removed)
        self._authenticator.forget_user(user_id)
        _log.info("member removed", user_id=str(user_id), by=str(principal.user_id))

    async def _lock(self, connection: AsyncConnection, principal: Principal, user_id: UUID) -> RowMapping:
        row = await repository.lock_member(connection, principal.workspace_id, user_id)
        if row is None:
            raise NotFound
        return row

    async def _keep_an_owner(self, connection: AsyncConnection, principal: Principal) -> None:
        if await repository.count_owners(connection, principal.workspace_id) == 1:
            raise LastOwner


class InvitationService:
    """Makes invitations and lets them be accepted, in short transactions of its own: hashing takes long."""

    def __init__(
        self,
        *,
        database: AsyncEngine,
        identity: IdentityService,
        passwords: Passwords,
        throttle: LoginThrottle,
        refusals: Refusals,
        base_url: str,
        box: SecretBox,
    ) -> None:
        """`box` seals answers that are kept for their repetition: an invitation's token is in them."""
        self._database = database
        self._identity = identity
        self._passwords = passwords
        self._throttle = throttle
        self._refusals = refusals
        self._base_url = base_url
        self.box = box

    async def create(self, connection: AsyncConnection, principal: Principal, new: NewInvitation) -> MadeInvitation:
        """Invite somebody, as at most what one is oneself. Raises MissingPermission, AlreadyMember, InvalidToken."""
        role = await confirm(connection, principal, Permission.MEMBERS_WRITE)
        if is_above(new.role, role):
            raise MissingPermission(f"Your role is {role}: you cannot invite an {new.role}.")
        email = new.email.lower()
        if await repository.is_member(connection, principal.workspace_id, email):
            raise AlreadyMember
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        row = await repository.insert_invitation(
            connection,
            LIFETIME,
            id=new_id(),
            workspace_id=principal.workspace_id,
            email=email,
            role=new.role.value,
            token_hash=_hash(token),
            invited_by=principal.user_id,
        )
        made = {"role": new.role.value, "expires_at": row.expires_at}
        target = Target(type="invitation", id=str(row.id), name=email)
        await enter(connection, principal, Act(action=Action.INVITATION_CREATED, target=target, after=made))
        # Behind the '#' it is sent to nobody: no log of a server or proxy has it.
        url = f"{self._base_url}/invitation#{token}"
        return MadeInvitation(**msgspec.structs.asdict(_show(row)), token=token, url=url)

    async def list_all(
        self, connection: AsyncConnection, principal: Principal, *, limit: int, cursor: str | None
    ) -> Page[InvitationView]:
        """Open invitations, the newest first; raises InvalidCursor."""
        rows = await repository.list_invitations(
            connection, principal.workspace_id, before=decode_cursor(cursor), limit=limit + 1
        )
        return make_page(rows, limit, _show, lambda row: row.id)

    async def revoke(self, connection: AsyncConnection, principal: Principal, invitation_id: UUID) -> None:
        """Take an open invitation back; raises NotFound."""
        row = await repository.revoke_invitation(connection, principal.workspace_id, invitation_id)
        if row is None:
            raise NotFound
        target = Target(type="invitation", id=str(invitation_id), name=row.email)
        before = {"role": row.role, "expires_at": row.expires_at}
        await enter(connection, principal, Act(action=Action.INVITATION_REVOKED, target=target, before=before))

    async def accept(self, acceptance: Acceptance, address: str) -> Tokens:
        """Join the workspace, and be signed in to it.

        Raises InvitationGone, InvalidRequest (a newcomer's name or password), InvalidCredentials, TooManyRequests.
        """
        token_hash = _hash(acceptance.token)
        async with self._database.begin() as connection:
            invited = await repository.find_invited(connection, token_hash)
        if invited is None:
            raise InvitationGone
        newcomer = None
        if invited.user_id is None:
            newcomer = await self._read_newcomer(acceptance, invited.email)
        else:
            workspace_id, user_id = invited.workspace_id, invited.user_id
            note = partial(self._refusals.note_wrong_password, workspace_id, user_id, Action.INVITATION_REFUSED)
            async with self._throttle.attempt(invited.email, address, partial(note, is_throttled=True)):
                if not await self._passwords.verify(invited.password_hash, acceptance.password):
                    note()
                    raise InvalidCredentials("You have an account already: give its password.")
        user_id = invited.user_id or new_id()
        workspace_id = await self._join(token_hash, user_id, invited.email, newcomer)
        _log.info("invitation accepted", user_id=str(user_id), workspace_id=str(workspace_id))
        return await self._identity.begin(user_id, workspace_id)

    async def _read_newcomer(self, acceptance: Acceptance, email: str) -> tuple[str, str]:
        """The name, and the hash of the password."""
        given = {name: value for name, value in msgspec.structs.asdict(acceptance).items() if value is not None}
        given.pop("token")
        newcomer: Newcomer = decode_body(msgspec.json.encode(given), Newcomer)
        refuse_common(newcomer.password, email, "/password")
        return newcomer.name, await self._passwords.hash(newcomer.password)

    async def _join(self, token_hash: bytes, user_id: UUID, email: str, newcomer: tuple[str, str] | None) -> UUID:
        try:
            async with self._database.begin() as connection:
                used = await repository.use_invitation(connection, token_hash)
                if used is None:
                    raise InvitationGone
                if newcomer is not None:
                    await identities.insert_user(connection, user_id, email, *newcomer)
                await repository.add_member(connection, used.workspace_id, user_id, used.role)
                workspace_id: UUID = used.workspace_id
                target = Target(type="member", id=str(user_id), name=email)
                joined = Act(action=Action.MEMBER_JOINED, target=target, after={"role": used.role})
                await enter_of(connection, workspace_id, user_id, joined)
                return workspace_id
        except IntegrityError:
            # Another invitation to the same address was accepted at this moment.
            raise InvalidCredentials("You have an account already: give its password.") from None


def _member(row: RowMapping) -> Target:
    return Target(type="member", id=str(row["id"]), name=row["email"])


def _show(row: Any) -> InvitationView:
    return InvitationView(**{name: getattr(row, name) for name in InvitationView.__struct_fields__})


def _hash(token: str) -> bytes:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode()).digest()
