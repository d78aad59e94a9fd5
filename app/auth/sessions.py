"""A user's own sign-ins: other workspaces, what is signed in where, sign-out of others, another password."""

from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.audit.entries import Act, Action, Target
from app.audit.refusals import Refusals
from app.audit.trail import enter
from app.auth import repository
from app.auth.authenticator import Authenticator
from app.auth.common_passwords import refuse_common
from app.auth.passwords import Passwords
from app.auth.principal import Principal
from app.auth.schemas import PasswordChange, SessionView, Tokens
from app.auth.service import IdentityService
from app.auth.throttle import LoginThrottle
from app.errors import InvalidCredentials, NoSession, NotFound
from app.pagination import Page, decode_cursor, make_page

_log = structlog.get_logger()


class SessionService:
    """Each call opens short transactions of its own: hashing takes long. None of them is for API keys."""

    def __init__(
        self,
        *,
        database: AsyncEngine,
        identity: IdentityService,
        authenticator: Authenticator,
        passwords: Passwords,
        throttle: LoginThrottle,
        refusals: Refusals,
    ) -> None:
        self._database = database
        self._identity = identity
        self._authenticator = authenticator
        self._passwords = passwords
        self._throttle = throttle
        self._refusals = refusals

    async def switch(self, principal: Principal, workspace_id: UUID) -> Tokens:
        """Tokens for another workspace of the user's. Raises NoSession, NotFound, InvalidToken."""
        return await self._identity.move(principal, require_session(principal), workspace_id)

    async def list_all(self, principal: Principal, *, limit: int, cursor: str | None) -> Page[SessionView]:
        """The user's sign-ins that go on, in all workspaces, the newest first. Raises NoSession, InvalidCursor."""
        current = require_session(principal)
        before = decode_cursor(cursor)
        async with self._database.begin() as connection:
            rows = await repository.list_sessions(connection, principal.user_id, before=before, limit=limit + 1)
        return make_page(
            rows, limit, lambda row: SessionView(**row, is_current=row["id"] == current), lambda row: row["id"]
        )

    async def end(self, principal: Principal, session_id: UUID) -> None:
        """Sign out one of the user's sign-ins. Raises NoSession, NotFound."""
        require_session(principal)
        async with self._database.begin() as connection:
            if not await repository.revoke_own_session(connection, principal.user_id, session_id):
                raise NotFound
            target = Target(type="session", id=str(session_id))
            await enter(connection, principal, Act(action=Action.SESSION_ENDED, target=target))
        self._authenticator.forget_session(session_id)

    async def end_others(self, principal: Principal) -> None:
        """Sign out everywhere else. Raises NoSession."""
        current = require_session(principal)
        async with self._database.begin() as connection:
            await repository.revoke_other_sessions(connection, principal.user_id, current, "signed_out_elsewhere")
            await enter(connection, principal, Act(action=Action.SESSIONS_ENDED))
        self._authenticator.forget_user(principal.user_id)

    async def change_password(self, principal: Principal, change: PasswordChange, address: str) -> None:
        """Another password, and sign-out everywhere else.

        Raises NoSession, InvalidRequest (of a common one), InvalidCredentials, TooManyRequests.
        """
        current = require_session(principal)
        async with self._database.begin() as connection:
            me = await repository.find_me(connection, principal.user_id, principal.workspace_id)
            password_hash = await repository.find_password_hash(connection, principal.user_id)
        refuse_common(change.new_password, me.email, "/new_password")
        note = partial(
            self._refusals.note_wrong_password, principal.workspace_id, principal.user_id, Action.PASSWORD_REFUSED
        )
        async with self._throttle.attempt(me.email, address, partial(note, is_throttled=True)):
            if not await self._passwords.verify(password_hash, change.current_password):
                note()
                raise InvalidCredentials("The current password is wrong.")
        renewed = await self._passwords.hash(change.new_password)
        async with self._database.begin() as connection:
            await repository.revoke_other_sessions(connection, principal.user_id, current, "password_changed")
            await repository.update_password_hash(connection, principal.user_id, renewed)
            target = Target(type="user", id=str(principal.user_id), name=me.email)
            await enter(connection, principal, Act(action=Action.PASSWORD_CHANGED, target=target))
        self._authenticator.forget_user(principal.user_id)
        _log.info("password changed", user_id=str(principal.user_id))


def require_session(principal: Principal) -> UUID:
    """The session of somebody who is signed in; raises NoSession for an API key."""
    if principal.session_id is None:
        raise NoSession("An API key has no sign-ins and no password. Sign in instead.")
    return principal.session_id
