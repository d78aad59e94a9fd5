"""What opens an account beside its password: linked by somebody who is signed in, listed, and taken away again."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.audit.entries import Act, Action, Target
from app.audit.refusals import Refusals
from app.audit.trail import enter, enter_of
from app.auth import repository as users
from app.auth.oidc import repository
from app.auth.oidc.accounts import Identified
from app.auth.oidc.errors import Failure, LastSignIn, SignInFailed
from app.auth.oidc.flows import Link
from app.auth.oidc.schemas import IdentityList, IdentityView
from app.auth.passwords import Passwords
from app.auth.principal import Principal
from app.auth.sessions import require_session
from app.auth.throttle import LoginThrottle
from app.errors import InvalidCredentials, NotFound
from engine.infra.ids import new_id

logger = structlog.get_logger(__name__)


class IdentityLinks:
    """A user's identities at providers. Each call opens short transactions of its own; none is for API keys."""

    def __init__(
        self, *, database: AsyncEngine, passwords: Passwords, throttle: LoginThrottle, refusals: Refusals
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._throttle = throttle
        self._refusals = refusals

    async def prepare(self, principal: Principal, password: str, address: str) -> Link:
        """Let somebody who is signed in and gives their password link an identity.

        Raises NoSession, InvalidCredentials (also where there is no password), TooManyRequests.
        """
        session_id = require_session(principal)
        async with self._database.begin() as connection:
            me = await users.find_me(connection, principal.user_id, principal.workspace_id)
            password_hash = await users.find_password_hash(connection, principal.user_id)
        note: Callable[..., None] = partial(
            self._refusals.note_wrong_password, principal.workspace_id, principal.user_id, Action.PASSWORD_REFUSED
        )
        async with self._throttle.attempt(me.email, address, partial(note, is_throttled=True)):
            if not await self._passwords.verify(password_hash, password):
                note()
                raise InvalidCredentials("The password is wrong, or your account has none.")
        return Link(user_id=principal.user_id, workspace_id=principal.workspace_id, session_id=session_id)

    async def finish(self, link: Link, issuer: str, who: Identified) -> None:
        """Link an identity to the account of a session that goes on. Raises SignInFailed."""
        try:
            await self._finish(link, issuer, who)
        except IntegrityError:
            # Somebody else linked it at this moment: by now that can be seen.
            await self._finish(link, issuer, who)

    async def _finish(self, link: Link, issuer: str, who: Identified) -> None:
        async with self._database.begin() as connection:
            role = await users.find_session_role(connection, link.session_id, link.user_id, link.workspace_id)
            if role is None:
                raise SignInFailed(Failure.FLOW_MISSING, "the session that began it has ended")
            await repository.lock_user(connection, link.user_id)
            known = await repository.lock_identity(connection, issuer, who.subject)
            if known is not None and known.user_id != link.user_id:
                raise SignInFailed(Failure.IDENTITY_TAKEN, f"user {link.user_id} wants what is another one's")
            if known is not None:
                await repository.note_use(connection, known.id, who.email)
                return
            identity_id = new_id()
            await repository.insert_identity(
                connection,
                id=identity_id,
                issuer=issuer,
                subject=who.subject,
                user_id=link.user_id,
                email=who.email,
                is_provisioned=False,
            )
            target = Target(type="identity", id=str(identity_id), name=who.email)
            linked = Act(action=Action.IDENTITY_LINKED, target=target, after={"issuer": issuer})
            await enter_of(connection, link.workspace_id, link.user_id, linked)
        logger.info("identity linked", user_id=str(link.user_id))

    async def list_all(self, principal: Principal) -> IdentityList:
        """The user's identities, the newest first. Raises NoSession."""
        require_session(principal)
        async with self._database.begin() as connection:
            rows = await repository.list_identities(connection, principal.user_id)
        return IdentityList(items=[IdentityView(**row) for row in rows])

    async def unlink(self, principal: Principal, identity_id: UUID) -> None:
        """Take one of the user's identities away. Raises NoSession, NotFound, LastSignIn."""
        require_session(principal)
        async with self._database.begin() as connection:
            has_password = await repository.lock_user(connection, principal.user_id)
            issuer = await repository.delete_identity(connection, principal.user_id, identity_id)
            if issuer is None:
                raise NotFound
            if not has_password and not await repository.list_identities(connection, principal.user_id):
                raise LastSignIn
            target = Target(type="identity", id=str(identity_id))
            unlinked = Act(action=Action.IDENTITY_UNLINKED, target=target, before={"issuer": issuer})
            await enter(connection, principal, unlinked)
        logger.info("identity unlinked", user_id=str(principal.user_id))
