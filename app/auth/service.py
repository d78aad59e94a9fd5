"""Identity: the first set-up, sign-in, refresh, sign-out.

Hashing takes tenths of a second, so no database connection is held meanwhile: each method opens its own short
transactions instead of living in the request's one.
"""

import base64
import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.audit.entries import Act, Action, Target
from app.audit.refusals import Refusals
from app.audit.trail import enter, enter_of
from app.auth import repository
from app.auth.authenticator import Authenticator
from app.auth.common_passwords import refuse_common
from app.auth.confirmation import confirm
from app.auth.devices import find_device
from app.auth.passwords import Passwords
from app.auth.permissions import Permission, Role
from app.auth.principal import Principal
from app.auth.schemas import LoginRequest, Me, SetupRequest, Tokens, UserView, WorkspaceView
from app.auth.signing_keys import SigningKeys
from app.auth.throttle import LoginThrottle
from app.auth.tokens import AccessClaims, sign_token
from app.errors import InvalidCredentials, InvalidRefreshToken, InvalidSetupToken, NoSession, NotFound, SetupDone
from engine.infra.ids import new_id
from engine.infra.secrets import SecretDigests, SecretKeys
from engine.infra.settings import Settings

SESSION_LIFETIME: Final = timedelta(days=30)
REFRESH_LIFETIME: Final = timedelta(days=7)
# In a browser, an answer with the next cookie may get lost: a page is left while it loads, or two tabs ask at once.
COOKIE_LEEWAY: Final = timedelta(seconds=10)
_AT_ONCE: Final = timedelta(0)
_REFRESH_TOKEN_BYTES: Final = 32
_EXPIRED_SESSIONS_A_LOGIN: Final = 20
# How often a browser may go on within the leeway, with an answer still under way that was asked for before all that.
_LONGEST_WAY: Final = 20

logger = structlog.get_logger(__name__)


class IdentityService:
    """What the identity calls do."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: AsyncEngine,
        keys: SigningKeys,
        authenticator: Authenticator,
        passwords: Passwords,
        throttle: LoginThrottle,
        refusals: Refusals,
    ) -> None:
        self._settings = settings
        self._database = database
        self._keys = keys
        self._authenticator = authenticator
        self._passwords = passwords
        self._throttle = throttle
        self._refusals = refusals
        self._successors = SecretDigests(SecretKeys(settings), "refresh tokens")

    async def is_setup_needed(self) -> bool:
        """Whether nobody can sign in yet."""
        async with self._database.begin() as connection:
            return not await repository.has_users(connection)

    async def set_up(self, request: SetupRequest) -> Tokens:
        """Make the first user, owner of the first workspace; raises SetupDone, also for the slower of two at once."""
        if not await self.is_setup_needed():
            raise SetupDone
        expected = self._settings.setup_token
        if not expected and self._settings.is_reached_by_others:
            # Whoever came first would own it.
            raise InvalidSetupToken("Others reach this installation: set FLOWFORGE_SETUP_TOKEN, and give it here.")
        if expected and not hmac.compare_digest((request.setup_token or "").encode(), expected.encode()):
            raise InvalidSetupToken
        refuse_common(request.password, request.email, "/password")
        password_hash = await self._passwords.hash(request.password)
        user_id, workspace_id = new_id(), new_id()
        async with self._database.begin() as connection:
            await repository.lock_setup(connection)
            if await repository.has_users(connection):
                raise SetupDone
            await repository.insert_user(connection, user_id, request.email.lower(), request.name, password_hash)
            await repository.insert_workspace(connection, workspace_id, request.workspace)
            await repository.insert_membership(connection, workspace_id, user_id, Role.OWNER.value)
            target = Target(type="workspace", id=str(workspace_id), name=request.workspace)
            made = Act(action=Action.WORKSPACE_CREATED, target=target)
            await enter_of(connection, workspace_id, user_id, made)
            session_id, refresh_token = await self._begin_session(connection, user_id, workspace_id)
        logger.info("set up", user_id=str(user_id), workspace_id=str(workspace_id))
        return await self._make_tokens(user_id, workspace_id, session_id, refresh_token)

    async def log_in(self, request: LoginRequest, address: str) -> Tokens:
        """Exchange credentials for tokens; raises InvalidCredentials alike for unknown users, or TooManyRequests."""
        email = request.email.lower()
        async with self._throttle.attempt(email, address, lambda: self._refusals.note_throttled(email, address)):
            user, session_id, refresh_token = await self._verify(email, request.password, address)
        return await self._make_tokens(user.id, user.workspace_id, session_id, refresh_token)

    async def _verify(self, email: str, password: str, address: str) -> tuple[Any, UUID, str]:
        """Whoever has these credentials, and a session for them. Raises InvalidCredentials."""
        async with self._database.begin() as connection:
            user = await repository.find_login(connection, email)
        password_hash = user.password_hash if user is not None else None
        if not await self._passwords.verify(password_hash, password) or user is None:
            logger.info("sign-in refused", address=address)
            if user is not None:
                self._refusals.note_wrong_password(user.workspace_id, user.id, Action.SESSION_REFUSED)
            raise InvalidCredentials
        renewed = None
        if self._passwords.needs_rehash(user.password_hash):
            renewed = await self._passwords.hash(password)
        async with self._database.begin() as connection:
            if await repository.hold_sign_ins(connection, user.id) == user.password_hash:
                if renewed is not None:
                    await repository.update_password_hash(connection, user.id, renewed)
                await repository.delete_expired_sessions(connection, _EXPIRED_SESSIONS_A_LOGIN)
                return user, *await self._begin_session(connection, user.id, user.workspace_id)
        # Another hash was kept at this moment: of this password, or of another one, which has ended all sessions.
        return await self._verify(email, password, address)

    async def refresh(self, token: str, leeway: timedelta = _AT_ONCE) -> Tokens:
        """Exchange a refresh token for new tokens, once; one that comes again ends its session for everybody.

        Within `leeway` after its first use it may come again.
        """
        # What can fail comes before the token is used up: it would come again, as a stolen one does.
        await self._keys.current()
        token_hash = _hash(token)
        successor = ""
        async with self._database.begin() as connection:
            session = await repository.use_refresh_token(connection, token_hash, leeway)
            if session is not None:
                successor = await self._succeed(connection, session.session_id, token)
                await repository.note_device(connection, session.session_id, find_device())
            reused = None if session else await repository.find_reused_session(connection, token_hash)
            if reused is not None:
                await repository.revoke_session(connection, reused.session_id, "refresh_token_reused")
                target = Target(type="session", id=str(reused.session_id))
                act = Act(action=Action.TOKEN_REUSED, target=target, outcome="refused")
                await enter_of(connection, reused.workspace_id, reused.user_id, act)
        if reused is not None:
            self._authenticator.forget_session(reused.session_id)
            logger.warning("a refresh token came twice: its session is revoked", session_id=str(reused.session_id))
        if session is None:
            raise InvalidRefreshToken
        return await self._make_tokens(session.user_id, session.workspace_id, session.session_id, successor)

    async def _succeed(self, connection: AsyncConnection, session_id: UUID, token: str) -> str:
        """The token that follows on another one; for whoever comes again, the very one that the first got.

        So a session has one line of tokens: two who go on with the same one meet, and the later is found out. Where
        what follows was used as well, the end of the line follows. Raises InvalidRefreshToken where that is far away.
        """
        for _ in range(_LONGEST_WAY):
            token = base64.urlsafe_b64encode(self._successors.make(token.encode())).decode().rstrip("=")
            is_new = await repository.insert_refresh_token(connection, _hash(token), session_id, REFRESH_LIFETIME)
            if is_new or not await repository.is_refresh_token_used(connection, _hash(token)):
                return token
        raise InvalidRefreshToken

    async def begin(self, user_id: UUID, workspace_id: UUID, *, through: str | None = None) -> Tokens:
        """Sign a user in to a workspace of theirs; who they are is known by now, `through` a provider or otherwise."""
        async with self._database.begin() as connection:
            await repository.delete_expired_sessions(connection, _EXPIRED_SESSIONS_A_LOGIN)
            session_id, refresh_token = await self._begin_session(connection, user_id, workspace_id, through=through)
        return await self._make_tokens(user_id, workspace_id, session_id, refresh_token)

    async def move(self, principal: Principal, session_id: UUID, workspace_id: UUID) -> Tokens:
        """Sign who is signed in to another workspace of theirs, for as long as they are here.

        Raises InvalidToken where the session has ended meanwhile, NotFound.
        """
        user_id = principal.user_id
        async with self._database.begin() as connection:
            await repository.hold_sign_ins(connection, user_id)
            await confirm(connection, principal, Permission.ACCOUNT_READ)
            if not await repository.has_membership(connection, user_id, workspace_id):
                raise NotFound
            await repository.delete_expired_sessions(connection, _EXPIRED_SESSIONS_A_LOGIN)
            moved_id, refresh_token = await self._begin_session(connection, user_id, workspace_id, within=session_id)
        return await self._make_tokens(user_id, workspace_id, moved_id, refresh_token)

    async def log_out(self, principal: Principal) -> None:
        """End the session: its refresh token and its access tokens are worth nothing any more. Raises NoSession."""
        if principal.session_id is None:
            raise NoSession
        async with self._database.begin() as connection:
            await repository.revoke_session(connection, principal.session_id, "signed_out")
            target = Target(type="session", id=str(principal.session_id))
            await enter(connection, principal, Act(action=Action.SESSION_ENDED, target=target))
        self._authenticator.forget_session(principal.session_id)

    async def describe(self, connection: AsyncConnection, principal: Principal) -> Me:
        """Who the principal is."""
        row = await repository.find_me(connection, principal.user_id, principal.workspace_id)
        return Me(
            user=UserView(id=row.user_id, email=row.email, name=row.name),
            has_password=row.has_password,
            workspace=WorkspaceView(id=row.workspace_id, name=row.workspace_name),
            role=principal.role,
            permissions=sorted(principal.permissions),
        )

    async def _begin_session(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        workspace_id: UUID,
        *,
        through: str | None = None,
        within: UUID | None = None,
    ) -> tuple[UUID, str]:
        session_id, token = new_id(), secrets.token_urlsafe(_REFRESH_TOKEN_BYTES)
        await repository.insert_session(
            connection, session_id, user_id, workspace_id, SESSION_LIFETIME, find_device(), within
        )
        await repository.insert_refresh_token(connection, _hash(token), session_id, REFRESH_LIFETIME)
        target = Target(type="session", id=str(session_id))
        began = Act(action=Action.SESSION_BEGAN, target=target, after=through and {"issuer": through})
        await enter_of(connection, workspace_id, user_id, began)
        return session_id, token

    async def _make_tokens(self, user_id: UUID, workspace_id: UUID, session_id: UUID, refresh_token: str) -> Tokens:
        now = time.time()
        lifetime = self._settings.access_token_seconds
        claims = AccessClaims(
            user_id=user_id, workspace_id=workspace_id, session_id=session_id, expires_at=int(now) + lifetime
        )
        return Tokens(
            access_token=sign_token(await self._keys.current(), claims, now),
            refresh_token=refresh_token,
            token_type="Bearer",  # noqa: S106 - a scheme's name, not a secret
            expires_in=lifetime,
        )


async def find_user_name(connection: AsyncConnection, user_id: UUID) -> str | None:
    """The name of a user, to tell others who did something; None for one who is gone."""
    return await repository.find_user_name(connection, user_id)


def _hash(token: str) -> bytes:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode()).digest()
