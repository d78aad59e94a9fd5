"""Whose account a sign-in through the provider opens. An identity is issuer and subject, and never an email alone."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec import Struct
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter_of
from app.auth import repository as users
from app.auth.oidc import repository
from app.auth.oidc.config import OidcConfig
from app.auth.oidc.errors import Failure, SignInFailed
from app.auth.oidc.repository import AnyRow
from app.auth.permissions import Role
from app.members.joining import find_invited_email, join
from app.members.service import MemberService
from engine.infra.ids import new_id

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_LONGEST_EMAIL: Final = 254
_LONGEST_NAME: Final = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

logger = structlog.get_logger(__name__)


class Identified(Struct, frozen=True, kw_only=True):
    """Who the provider says has signed in. `is_verified` is None where it says nothing of the email."""

    subject: str
    email: str | None
    is_verified: bool | None
    name: str
    role: Role | None


class Opened(Struct, frozen=True, kw_only=True):
    """The account that a sign-in opens, and the workspace that it leads to."""

    user_id: UUID
    workspace_id: UUID


def read_claims(config: OidcConfig, claims: Mapping[str, Any]) -> Identified:
    """What is used of the claims. Raises SignInFailed for an email that the allow-list does not let in."""
    email = _read_email(claims.get("email"))
    verified = _read_verified(claims.get("email_verified"))
    if config.domains:
        _check_domain(config.domains, email, verified)
    return Identified(
        subject=claims["sub"],
        email=email,
        is_verified=None if email is None else verified,
        name=_read_name(claims, email),
        role=config.find_role(claims),
    )


class AccountService:
    """Finds accounts, and makes them where the operator lets the provider do that."""

    def __init__(self, config: OidcConfig, database: AsyncEngine, members: MemberService) -> None:
        self._config = config
        self._database = database
        self._members = members

    async def open(self, who: Identified, invitation: str | None = None) -> Opened:
        """The account of an identity, which joins by an invitation where it brings one. Raises SignInFailed."""
        enter = self._open if invitation is None else partial(self._join, invitation=invitation)
        try:
            return await enter(who)
        except IntegrityError:
            # Somebody else got an account with the same email at this moment: by now that can be seen.
            return await enter(who)
        except SignInFailed as failed:
            if failed.user_id is not None:
                await self._enter_refusal(failed.user_id, failed.failure)
            raise

    async def _enter_refusal(self, user_id: UUID, failure: Failure) -> None:
        """Whoever it was has proved who they are, and is told no: that belongs into the log of their workspace."""
        async with self._database.begin() as connection:
            home = await repository.find_home(connection, user_id)
            if home is not None:
                target = Target(type="user", id=str(user_id))
                why = {"issuer": self._config.issuer, "reason": failure.value}
                refused = Act(action=Action.SESSION_REFUSED, outcome="refused", target=target, after=why)
                await enter_of(connection, home, user_id, refused)

    async def _open(self, who: Identified) -> Opened:
        async with self._database.begin() as connection:
            known = await repository.lock_identity(connection, self._config.issuer, who.subject)
            if known is None:
                return await self._provision(connection, who)
            return await self._open_known(connection, known, who)

    async def _open_known(self, connection: AsyncConnection, known: AnyRow, who: Identified) -> Opened:
        if not known.is_active:
            raise SignInFailed(Failure.NO_ACCESS, f"user {known.user_id} is switched off", known.user_id)
        home = await repository.find_home(connection, known.user_id)
        if home is None:
            # Who was removed does not come back by themselves.
            raise SignInFailed(Failure.NO_ACCESS, f"user {known.user_id} is a member of no workspace")
        if known.is_provisioned and self._config.is_mapping_roles:
            if who.role is None:
                raise SignInFailed(Failure.NO_ROLE, f"user {known.user_id} has no role any more", known.user_id)
            await self._bring_role(connection, known.user_id, who.role)
        await repository.note_use(connection, known.id, who.email)
        return Opened(user_id=known.user_id, workspace_id=home)

    async def _join(self, who: Identified, invitation: str) -> Opened:
        """Let somebody join who was invited under the email that the provider tells."""
        async with self._database.begin() as connection:
            invited = await find_invited_email(connection, invitation)
            if invited is None:
                raise SignInFailed(Failure.INVITATION_GONE, "it is used, expired or was taken back")
            if who.email != invited:
                raise SignInFailed(Failure.OTHER_EMAIL, "the invitation is for another email")
            if who.is_verified is False:
                raise SignInFailed(Failure.EMAIL_UNVERIFIED, "the provider has not verified the email")
            known = await repository.lock_identity(connection, self._config.issuer, who.subject)
            if known is not None and not known.is_active:
                raise SignInFailed(Failure.NO_ACCESS, f"user {known.user_id} is switched off")
            if known is not None:
                user_id: UUID = known.user_id
                await repository.note_use(connection, known.id, who.email)
            elif await repository.is_email_taken(connection, invited):
                raise SignInFailed(
                    Failure.ACCOUNT_EXISTS, "an account has this email, and is linked to no such identity"
                )
            else:
                user_id = await self._make_account(connection, who, invited, is_provisioned=False)
            workspace_id = await join(connection, invitation, user_id, invited, self._config.issuer)
            if workspace_id is None:
                raise SignInFailed(Failure.INVITATION_GONE, "somebody else has used it meanwhile")
        logger.info("invitation accepted", user_id=str(user_id), workspace_id=str(workspace_id))
        return Opened(user_id=user_id, workspace_id=workspace_id)

    async def _make_account(
        self, connection: AsyncConnection, who: Identified, email: str, *, is_provisioned: bool
    ) -> UUID:
        user_id = new_id()
        await repository.insert_user(connection, user_id, email, who.name)
        await repository.insert_identity(
            connection,
            id=new_id(),
            issuer=self._config.issuer,
            subject=who.subject,
            user_id=user_id,
            email=email,
            is_provisioned=is_provisioned,
        )
        return user_id

    async def _provision(self, connection: AsyncConnection, who: Identified) -> Opened:
        email = await self._check_newcomer(connection, who)
        if who.role is None:
            raise SignInFailed(Failure.NO_ROLE, "the claim gives none, and there is no default role")
        workspace_id = await repository.find_workspace(connection, self._config.workspace_id)
        if workspace_id is None:
            raise SignInFailed(Failure.NO_ACCOUNT, "FLOWFORGE_OIDC_WORKSPACE names no workspace that there is")
        user_id = await self._make_account(connection, who, email, is_provisioned=True)
        await users.insert_membership(connection, workspace_id, user_id, who.role.value)
        after = {"role": who.role.value, "issuer": self._config.issuer}
        target = Target(type="member", id=str(user_id), name=email)
        joined = Act(action=Action.MEMBER_JOINED, target=target, after=after)
        await enter_of(connection, workspace_id, user_id, joined)
        logger.info("account made by the provider", user_id=str(user_id), workspace_id=str(workspace_id))
        return Opened(user_id=user_id, workspace_id=workspace_id)

    async def _check_newcomer(self, connection: AsyncConnection, who: Identified) -> str:
        """The email of somebody who may get an account. Raises SignInFailed."""
        if not await users.has_users(connection):
            raise SignInFailed(Failure.SETUP_NEEDED, "nobody has set up FlowForge yet")
        is_taken = who.email is not None and await repository.is_email_taken(connection, who.email)
        if is_taken and who.is_verified:
            raise SignInFailed(Failure.ACCOUNT_EXISTS, "an account has this email, and is linked to no such identity")
        if not self._config.is_provisioning:
            raise SignInFailed(Failure.NO_ACCOUNT, "FLOWFORGE_OIDC_PROVISION is off")
        if who.email is None:
            raise SignInFailed(Failure.EMAIL_MISSING, "an account needs an email")
        if who.is_verified is False:
            raise SignInFailed(Failure.EMAIL_UNVERIFIED, "the provider has not verified the email")
        if is_taken:
            # Whether somebody has this account is not told to whom the email may not belong.
            raise SignInFailed(Failure.NO_ACCOUNT, "an account has this email, which nobody has verified")
        return who.email

    async def _bring_role(self, connection: AsyncConnection, user_id: UUID, role: Role) -> None:
        """The provider decides on roles in the workspace that it is set up for, and in no other."""
        workspace_id = await repository.find_workspace(connection, self._config.workspace_id)
        if workspace_id is not None:
            await self._members.bring_role(connection, workspace_id, user_id, role, self._config.issuer)


def _read_email(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_EMAIL or _EMAIL.fullmatch(value) is None:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value.lower()


def _read_verified(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    # Some providers write it as a text.
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _check_domain(domains: frozenset[str], email: str | None, verified: bool | None) -> None:
    if email is None:
        raise SignInFailed(Failure.EMAIL_MISSING, "FLOWFORGE_OIDC_DOMAINS asks for an email")
    if not verified:
        raise SignInFailed(Failure.EMAIL_UNVERIFIED, "FLOWFORGE_OIDC_DOMAINS asks for a verified email")
    if email.rpartition("@")[2] not in domains:
        raise SignInFailed(Failure.DOMAIN_REFUSED, "the domain of the email is not among FLOWFORGE_OIDC_DOMAINS")


def _read_name(claims: Mapping[str, Any], email: str | None) -> str:
    for value in (claims.get("name"), claims.get("preferred_username"), (email or "").partition("@")[0]):
        if isinstance(value, str):
            readable = _CONTROL.sub(" ", value).encode(errors="ignore").decode().strip()[:_LONGEST_NAME].strip()
            if readable:
                return readable
    return "Somebody"
