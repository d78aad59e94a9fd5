"""Signing in for a connection at another system: begun by a member, ended by what their browser brings back from there.

What comes back is bound three times over: its `state` is known here and good once, the browser holds the PKCE verifier
in a cookie of its own, and the session that began it goes on. So nobody can have another person's sign-in end in a
connection of theirs, nor one of theirs in somebody else's.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from msgspec import UNSET, Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.audit.entries import Act, Action, Outcome, Target
from app.audit.trail import enter
from app.auth.permissions import PERMISSIONS, Permission, Role
from app.auth.principal import Principal
from app.auth.repository import find_session_role
from app.connections import repository
from app.connections.errors import ConnectionSealed, NotSignedInFor
from app.connections.schemas import AuthorizationStart
from app.dependencies import driver_connection
from app.errors import NoSession, NotFound
from app.outages import as_outage
from engine.infra.access_tokens import AccessTokens
from engine.infra.credentials import AuthorizationCode, make_credential
from engine.infra.http_client import HttpClient
from engine.infra.http_errors import InvalidUrlError
from engine.infra.http_url import parse_url
from engine.infra.kept_connections import KeptConnection
from engine.infra.open_connections import ConnectionFault, ConnectionOpener
from engine.infra.redaction import Redactor
from engine.infra.token_endpoint import TokenError, ask_by_code, write_authorize_url
from engine.store.connection_tokens import grant_tokens, note_failure
from engine.store.connections import read_connection

LIFETIME: Final = timedelta(minutes=10)
CALLBACK_PATH: Final = "/v1/connections/oauth/callback"
# In seconds, between tries to keep what a sign-in ended with: a failover may take as long.
PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
_PAGE: Final = "/connections"
_STATE_BYTES: Final = 32
_VERIFIER_BYTES: Final = 48
_ID_BYTES: Final = 8
_TOLD_CHARACTERS: Final = 300
_VERIFIER: Final = re.compile(r"[A-Za-z0-9_-]{43,128}")
_DENIED: Final = "access_denied"

Failure: TypeAlias = Literal[
    "sign_in_unknown",
    "sign_in_elsewhere",
    "session_ended",
    "connection_changed",
    "denied",
    "wrong_issuer",
    "provider_refused",
    "token_refused",
    "token_unavailable",
]

_log = structlog.get_logger()


class BegunSignIn(Struct, frozen=True, kw_only=True):
    """Where to sign in, and what the browser keeps meanwhile: the verifier, in a cookie of this id."""

    start: AuthorizationStart
    cookie_id: str
    verifier: str


class Answer(Struct, frozen=True, kw_only=True):
    """What came back from the other system. All of it may be anybody's. `issuers`: every `iss` of it."""

    state: str
    issuers: Sequence[str]
    code: str | None
    error: str | None
    error_description: str | None


class _Failed(Exception):
    """The sign-in came to nothing; `message` is for the members, without secrets."""

    def __init__(self, code: Failure, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class _SignIn(Struct, frozen=True, kw_only=True):
    """A sign-in that may end: who began it, for which connection, by what client."""

    principal: Principal
    kept: KeptConnection
    client: AuthorizationCode
    verifier: str


class AuthorizationService:
    """Begins and ends sign-ins. An end has short transactions of its own: in between, the token endpoint is asked."""

    def __init__(
        self, database: AsyncEngine, http: HttpClient, opener: ConnectionOpener, tokens: AccessTokens, redirect_uri: str
    ) -> None:
        self._database = database
        self._http = http
        self._opener = opener
        self._tokens = tokens
        self._redirect_uri = redirect_uri

    async def begin(self, transaction: AsyncConnection, principal: Principal, connection_id: UUID) -> BegunSignIn:
        """Where to sign in. Raises NotFound, NotSignedInFor, NoSession, ConnectionSealed."""
        kept = await _read(transaction, principal.workspace_id, connection_id)
        if kept is None:
            raise NotFound
        try:
            client = self._opener.read_secret(kept)
        except ConnectionFault as fault:
            raise ConnectionSealed(fault.message) from None
        if not isinstance(client, AuthorizationCode):
            raise NotSignedInFor
        if principal.session_id is None:
            raise NoSession("A person signs in, in a browser; an API key cannot.")
        state, verifier = secrets.token_urlsafe(_STATE_BYTES), secrets.token_urlsafe(_VERIFIER_BYTES)
        expires_at = await repository.insert_authorization(
            transaction,
            lifetime=LIFETIME,
            state_hash=_hash(state),
            connection_id=kept.id,
            workspace_id=kept.workspace_id,
            secret_version=kept.secret_version,
            user_id=principal.user_id,
            session_id=principal.session_id,
            code_challenge=create_s256_code_challenge(verifier),
        )
        url = write_authorize_url(client, redirect_uri=self._redirect_uri, state=state, code_verifier=verifier)
        start = AuthorizationStart(url=url, expires_at=expires_at)
        return BegunSignIn(start=start, cookie_id=name_cookie(state), verifier=verifier)

    async def end(self, answer: Answer, verifier: str | None) -> str:
        """The page to go to, which says what came of it. `verifier` is what the browser's cookie holds."""
        async with self._database.begin() as transaction:
            row = await repository.take_authorization(transaction, _hash(answer.state))
        if row is None:
            return _tell(None, "sign_in_unknown")
        try:
            sign_in = await self._check(row, verifier)
            await self._redeem(sign_in, answer)
        except _Failed as failed:
            _log.info("connection sign-in failed", connection_id=str(row.connection_id), code=failed.code)
            return _tell(row.connection_id, failed.code)
        _log.info("connection authorized", connection_id=str(row.connection_id), user_id=str(row.user_id))
        return _tell(row.connection_id, None)

    async def _check(self, row: Any, verifier: str | None) -> _SignIn:
        """Raises _Failed unless it is the browser, the session and the secret with which the sign-in began."""
        if verifier is None or _VERIFIER.fullmatch(verifier) is None:
            raise _Failed("sign_in_elsewhere")
        if not hmac.compare_digest(create_s256_code_challenge(verifier), row.code_challenge):
            raise _Failed("sign_in_elsewhere")
        async with self._database.begin() as transaction:
            role = await find_session_role(transaction, row.session_id, row.user_id, row.workspace_id)
            kept = await _read(transaction, row.workspace_id, row.connection_id)
        if role is None or Permission.CONNECTIONS_WRITE not in PERMISSIONS[Role(role)]:
            raise _Failed("session_ended")
        if kept is None or kept.secret_version != row.secret_version:
            raise _Failed("connection_changed")
        try:
            client = self._opener.read_secret(kept)
        except ConnectionFault:
            raise _Failed("connection_changed") from None
        if not isinstance(client, AuthorizationCode):
            raise _Failed("connection_changed")
        principal = Principal(
            user_id=row.user_id, workspace_id=row.workspace_id, session_id=row.session_id, role=Role(role)
        )
        return _SignIn(principal=principal, kept=kept, client=client, verifier=verifier)

    async def _redeem(self, sign_in: _SignIn, answer: Answer) -> None:
        """Exchange the code for tokens and keep them. Raises _Failed, which is noted and entered by then."""
        try:
            _require_issuer(answer, sign_in.client)
            code = _find_code(answer, sign_in.client)
            granted = await ask_by_code(
                self._http, sign_in.client, code=code, code_verifier=sign_in.verifier, redirect_uri=self._redirect_uri
            )
        except _Failed as failed:
            await self._enter_failure(sign_in, failed)
            raise
        except TokenError as error:
            refused = _Failed("token_unavailable" if error.is_retryable else "token_refused", error.message)
            await self._enter_failure(sign_in, refused)
            raise refused from None
        kept, principal = sign_in.kept, sign_in.principal
        new = self._tokens.seal(kept, granted)
        after = {"scope": new.scope, "is_refreshable": new.is_refreshable, "secret_version": kept.secret_version}

        async def keep() -> None:
            async with self._database.begin() as transaction:
                if not await grant_tokens(await driver_connection(transaction), kept, new, principal.user_id):
                    raise _Failed("connection_changed")
                await _enter(transaction, sign_in, after, "done")

        await _insist(keep)

    async def _enter_failure(self, sign_in: _SignIn, failed: _Failed) -> None:
        async with self._database.begin() as transaction:
            if failed.message is not None:
                await note_failure(await driver_connection(transaction), sign_in.kept, failed.message)
            await _enter(transaction, sign_in, {"code": failed.code, "message": failed.message}, "refused")


async def _insist(work: Callable[[], Awaitable[None]]) -> None:
    """Do it again while the database is away for a moment: the code is spent, and nobody gives these tokens again."""
    for pause in PAUSES:
        try:
            return await work()
        except Exception as error:
            if as_outage(error) is None:
                raise
            _log.warning("sign-in not kept yet", error=repr(error))
        await asyncio.sleep(pause)
    return await work()


def name_cookie(state: str) -> str:
    """What tells one sign-in's cookie from another's."""
    return _hash(state)[:_ID_BYTES].hex()


async def _read(transaction: AsyncConnection, workspace_id: UUID, connection_id: UUID) -> KeptConnection | None:
    row = await read_connection(await driver_connection(transaction), workspace_id, connection_id)
    return None if row is None else row.kept


async def _enter(transaction: AsyncConnection, sign_in: _SignIn, after: Mapping[str, Any], outcome: Outcome) -> None:
    target = Target(type="connection", id=str(sign_in.kept.id), name=sign_in.kept.name)
    act = Act(action=Action.CONNECTION_AUTHORIZED, target=target, after=after, outcome=outcome)
    await enter(transaction, sign_in.principal, act)


def _require_issuer(answer: Answer, client: AuthorizationCode) -> None:
    """Raise _Failed where another system answers than the one that was asked (RFC 9207).

    A system that is not to be trusted could lead the browser on to one that is, and be given the code of that one.
    """
    expected = None if client.issuer is UNSET else client.issuer
    if expected is None and (not answer.issuers or _is_at_home(answer.issuers, client.authorize_url)):
        return
    if list(answer.issuers) == [expected]:
        return
    told = " and ".join(answer.issuers) or "nobody"
    asked = f"the issuer of the connection is {expected}" if expected else "the connection names no `issuer`"
    message = f"the sign-in was answered by {told} (iss), and {asked}"
    raise _Failed("wrong_issuer", _redactor(answer, client).clean_text(message)[:_TOLD_CHARACTERS])


def _is_at_home(issuers: Sequence[str], authorize_url: str) -> bool:
    """Whether the one issuer is of the very origin at which the sign-in was begun."""
    try:
        (issuer,) = issuers
        return parse_url(issuer).origin() == parse_url(authorize_url).origin()
    except (ValueError, InvalidUrlError):
        return False


def _redactor(answer: Answer, client: AuthorizationCode) -> Redactor:
    return Redactor([*make_credential(client).secrets, *([answer.code] if answer.code else [])])


def _find_code(answer: Answer, client: AuthorizationCode) -> str:
    """The code; raises _Failed where an error came in its place."""
    if answer.error is None and answer.code:
        return answer.code
    told = ": ".join(part for part in (answer.error, answer.error_description) if part) or "neither code nor error"
    told = _redactor(answer, client).clean_text(told)[:_TOLD_CHARACTERS]
    message = f"{urlsplit(client.authorize_url).hostname} answered the sign-in with {told}"
    raise _Failed("denied" if answer.error == _DENIED else "provider_refused", message)


def _tell(connection_id: UUID | None, failure: Failure | None) -> str:
    """The web app's page, told what came of it. Nothing of what the other system says stands in an address."""
    told = {} if connection_id is None else {"connection": str(connection_id)}
    told["authorization"] = "granted" if failure is None else "failed"
    if failure is not None:
        told["code"] = failure
    return f"{_PAGE}?{urlencode(told)}"


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode(errors="replace")).digest()
