"""Access tokens of OAuth 2.0 clients: asked for once, however many processes need one, and again before they end.

All processes share what is kept, sealed, beside the connection. Whoever finds no token that is usable takes a lease and
asks the token endpoint, outside any transaction; the others go on with the token that there is, or wait for the next.
An answer is kept durably before any of it is used: where the refresh token was rotated, the old one is worth nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from engine.infra.credentials import SIGNED_IN_TYPE, AuthorizationCode, OAuthSecret
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.infra.kept_connections import KeptConnection, KeptToken, Need, NewToken, TokenState, place_of_tokens
from engine.infra.secrets import SecretError
from engine.infra.token_endpoint import (
    REQUEST_SECONDS,
    Granted,
    TokenError,
    ask_by_refresh_token,
    ask_for_client,
)

# Longer than a request takes, and shorter than most attempts: they outlast a process that dies with the lease.
LEASE_SECONDS: Final = REQUEST_SECONDS + 5.0
PAUSE_SECONDS: Final = 0.2
# What was asked for when a process stops has so long to be kept.
CLOSE_SECONDS: Final = 5.0
# Where the endpoint does not say how long a token lives that can be replaced.
ASSUMED_SECONDS: Final = 300.0
# A token is replaced in the last tenth of its life, or in its last minute.
LONGEST_MARGIN_SECONDS: Final = 60.0
MARGIN_SHARE: Final = 0.1
MOST_TOKENS: Final = 1024
_NEEDS: Final[dict[Need, str]] = {
    "never": "nobody has signed in with it yet",
    "refused": "its sign-in is not accepted any more",
    "ended": "its access token has ended, and it got no token to ask for another one",
}

_log = structlog.get_logger()


class NeedsAuthorization(TokenError):
    """Somebody has to sign in before the connection works."""


class AccessToken(Struct, frozen=True, kw_only=True):
    """A token for a call, and all that came with it; `is_new`: it was asked for just now."""

    text: str
    refresh_token: str | None = None
    token_id: UUID | None = None
    is_new: bool = False


class TokenKeeper(Protocol):
    """Where tokens are kept for all processes. `seen` names the tokens that the caller has seen there last."""

    async def read(self, kept: KeptConnection) -> KeptToken | None:
        """What is kept for this secret of the connection now; None where there is nothing."""

    async def take_lease(self, kept: KeptConnection, seen: UUID | None, lease_id: UUID, seconds: float) -> bool:
        """The right to ask for the next tokens, unless somebody else has it, or `seen` is not what there is."""

    async def keep(self, kept: KeptConnection, seen: UUID | None, new: NewToken) -> bool:
        """Put new tokens in the place of `seen`, durably; False where others stand there, or another secret."""

    async def give_up(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        """Let others ask; `failure` tells why nothing came. False where the lease is not this one any more."""

    async def refuse(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        """The grant of the tokens is not accepted any more. False where the lease is not this one any more."""

    async def end(self, kept: KeptConnection, token_id: UUID) -> bool:
        """A target has refused this access token: whether another one can be had, which is not often asked for so."""


class AccessTokens:
    """The tokens of connections, as one process uses them."""

    def __init__(
        self,
        http: HttpClient,
        envelopes: Envelopes,
        keeper: TokenKeeper,
        *,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._envelopes = envelopes
        self._keeper = keeper
        self._clock = clock
        self._pause = pause
        self._opened: dict[UUID, _Tokens] = {}
        self._requests: dict[Hashable, asyncio.Task[AccessToken]] = {}
        self._asking: set[Hashable] = set()

    async def get(self, kept: KeptConnection, client: OAuthSecret) -> AccessToken:
        """A token that can be used now; raises TokenError.

        Who asks while it is being asked for gets the same.
        """
        if kept.token is not None and kept.token.is_usable and (token := self._open(kept, client, kept.token)):
            return token
        _require_grant(client, kept.token)
        key = (kept.id, kept.secret_version, _name(kept.token))
        request = self._requests.get(key)
        if request is None:
            request = asyncio.get_running_loop().create_task(self._obtain(kept, client, key))
            self._requests[key] = request
            request.add_done_callback(lambda done: self._forget(key, done))
        # One attempt that is broken off must not take the token from the others.
        return await asyncio.shield(request)

    async def discard(self, kept: KeptConnection, token: AccessToken) -> bool:
        """A target has refused this token; whether the next attempt gets another one, as this one was not new."""
        if token.is_new or token.token_id is None:
            return False
        return await self._keeper.end(kept, token.token_id)

    def seal(self, kept: KeptConnection, granted: Granted, refresh_token: str | None = None) -> NewToken:
        """What was granted, as it is kept; `refresh_token` is that of before, where none came."""
        refresh_token = granted.refresh_token or refresh_token
        token_id = new_id()
        is_refreshable = kept.type != SIGNED_IN_TYPE or refresh_token is not None
        left = granted.left_seconds if granted.left_seconds is not None or not is_refreshable else ASSUMED_SECONDS
        usable = None if left is None else left - min(LONGEST_MARGIN_SECONDS, left * MARGIN_SHARE)
        raw = msgspec.json.encode(_Tokens(access_token=granted.access_token, refresh_token=refresh_token))
        return NewToken(
            token_id=token_id,
            sealed=self._envelopes.seal(raw, place_of_tokens(kept.workspace_id, kept.id, token_id)),
            is_refreshable=is_refreshable,
            usable_seconds=usable if is_refreshable else left,
            left_seconds=left,
            scope=granted.scope,
        )

    async def close(self) -> None:
        """Break off what waits, and what was asked for unless its answer comes soon: it may hold the only copy."""
        for key, request in self._requests.items():
            if key not in self._asking:
                request.cancel()
        waiting = list(self._requests.values())
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=CLOSE_SECONDS)
            for request in late:
                request.cancel()

    def _forget(self, key: Hashable, request: "asyncio.Task[AccessToken]") -> None:
        self._requests.pop(key, None)
        self._asking.discard(key)
        if not request.cancelled():
            # Everybody who waited may have been broken off: then nobody else looks at it.
            request.exception()

    async def _obtain(self, kept: KeptConnection, client: OAuthSecret, key: Hashable) -> AccessToken:
        """The next token: asked for, or waited for where another process has the lease."""
        lease_id, known = new_id(), kept.token
        while True:
            if await self._keeper.take_lease(kept, _name(known), lease_id, LEASE_SECONDS):
                self._asking.add(key)
                token = await self._ask(kept, client, known, lease_id)
                self._asking.discard(key)
                if token is not None:
                    return token
            known, token = await self._look(kept, client)
            if token is not None:
                return token
            _require_grant(client, known)
            await self._pause(PAUSE_SECONDS)

    async def _look(self, kept: KeptConnection, client: OAuthSecret) -> tuple[KeptToken, AccessToken | None]:
        """What is kept now, and of it the access token, unless it has ended or does not open."""
        known = await self._keeper.read(kept)
        if known is None:
            raise TokenError("it was changed or deleted meanwhile", is_retryable=True)
        token = self._open(kept, client, known) if known.is_valid else None
        return known, msgspec.structs.replace(token, is_new=True) if token and known.is_usable else token

    async def _ask(
        self, kept: KeptConnection, client: OAuthSecret, known: KeptToken | None, lease_id: UUID
    ) -> AccessToken | None:
        """What the endpoint gives; None where it refuses the grant, and the lease is another one's by now."""
        before = None
        try:
            if known is not None and known.sealed is not None:
                before = self._open(kept, client, known)
            refresh_token = None if before is None else before.refresh_token
            if isinstance(client, AuthorizationCode):
                granted = await ask_by_refresh_token(self._http, client, refresh_token or "", self._clock)
            else:
                granted = await ask_for_client(self._http, client, self._clock)
        except TokenError as error:
            return await self._fall_back(kept, client, known, before, lease_id, error)
        new = self.seal(kept, granted, refresh_token)
        if not await self._keeper.keep(kept, _name(known), new):
            latest = await self._keeper.read(kept)
            if latest is not None and latest.is_usable and (token := self._open(kept, client, latest)):
                return msgspec.structs.replace(token, is_new=True)
        return AccessToken(
            text=granted.access_token,
            refresh_token=granted.refresh_token or refresh_token,
            token_id=new.token_id,
            is_new=True,
        )

    async def _fall_back(
        self,
        kept: KeptConnection,
        client: OAuthSecret,
        known: KeptToken | None,
        before: AccessToken | None,
        lease_id: UUID,
        error: TokenError,
    ) -> AccessToken | None:
        """What there is besides where nothing was given; raises the error where there is nothing.

        None where a refusal came too late: who has the lease by then may have been given what follows this very grant.
        """
        if isinstance(client, AuthorizationCode) and error.is_grant_refused:
            if await self._keeper.refuse(kept, lease_id, error.message):
                raise NeedsAuthorization(f"{_NEEDS['refused']} ({error.message}); sign in again") from None
            return None
        token = None
        if not await self._keeper.give_up(kept, lease_id, error.message):
            _, token = await self._look(kept, client)
        elif error.is_retryable and known is not None and known.is_valid:
            # It is to be replaced, but has not ended.
            token = before
        if token is None:
            raise error
        return token

    def _open(self, kept: KeptConnection, client: OAuthSecret, token: KeptToken) -> AccessToken | None:
        """The access token; None where it does not open and another one can be had without anybody.

        Raises NeedsAuthorization where somebody has to sign in for that.
        """
        try:
            tokens = self._read(kept, token)
        except SecretError as error:
            _log.warning("tokens_do_not_open", connection_id=str(kept.id), error=str(error))
            if isinstance(client, AuthorizationCode):
                raise NeedsAuthorization(f"its tokens do not open: {error}; sign in again") from None
            return None
        return AccessToken(text=tokens.access_token, refresh_token=tokens.refresh_token, token_id=token.token_id)

    def _read(self, kept: KeptConnection, token: KeptToken) -> "_Tokens":
        """The tokens; they are opened once, and kept in memory alone. Raises SecretError."""
        if token.token_id is None or token.sealed is None:
            raise TypeError("there are no tokens to open")
        tokens = self._opened.get(token.token_id)
        if tokens is None:
            raw = self._envelopes.open(token.sealed, place_of_tokens(kept.workspace_id, kept.id, token.token_id))
            tokens = msgspec.json.decode(raw, type=_Tokens)
            if len(self._opened) >= MOST_TOKENS:
                self._opened.pop(next(iter(self._opened)))
            self._opened[token.token_id] = tokens
        return tokens


class _Tokens(Struct, frozen=True, kw_only=True):
    """What is sealed."""

    access_token: str
    refresh_token: str | None = None


def tell_need(state: TokenState | None) -> str | None:
    """Why a connection needs a sign-in, in words; None where it needs none."""
    need = "never" if state is None else state.need
    if need is None:
        return None
    told = f" ({state.failure})" if need == "refused" and state is not None and state.failure else ""
    return f"{_NEEDS[need]}{told}; sign in{'' if need == 'never' else ' again'}"


def _name(token: KeptToken | None) -> UUID | None:
    return None if token is None else token.token_id


def _require_grant(client: OAuthSecret, token: KeptToken | None) -> None:
    told = tell_need(token) if isinstance(client, AuthorizationCode) else None
    if told is not None:
        raise NeedsAuthorization(told)
