"""A token endpoint and the place where processes keep tokens, driven by hand."""

import asyncio
import base64
from typing import Any, cast
from uuid import UUID

import msgspec

from engine.infra.access_tokens import AccessToken, AccessTokens
from engine.infra.credentials import AuthorizationCode, ClientCredentials, OAuthSecret
from engine.infra.envelopes import Envelopes, Sealed
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.ids import new_id
from engine.infra.kept_connections import KeptConnection, KeptToken, NewToken
from engine.infra.secrets import SecretBox
from engine.infra.token_endpoint import Granted

KEY = base64.b64encode(bytes(range(32))).decode()
URL = "https://a.example/token"
CLIENT = ClientCredentials(token_url=URL, client_id="c", client_secret="cl13nt-s3cret")
SIGNED_IN = AuthorizationCode(
    authorize_url="https://a.example/authorize", token_url=URL, client_id="c", client_secret="cl13nt-s3cret"
)


class Row(msgspec.Struct):
    """What is kept of a connection's tokens, at times of a hand-driven clock."""

    token: NewToken | None = None
    kept_at: float = 0.0
    ended_at: float | None = None
    lease_id: UUID | None = None
    lease_until: float = 0.0
    failure: str | None = None
    is_refused: bool = False


class Desk:
    """A token endpoint and what processes share, each at a clock that stands still unless it is moved."""

    def __init__(self, **answer: Any) -> None:
        self.requests: list[dict[str, str]] = []
        # Of single requests, by their number: what they wait for, and how they are answered.
        self.held: dict[int, asyncio.Event] = {}
        self.told: dict[int, tuple[int, Any]] = {}
        self.now = 0.0
        self.status = 200
        self.answer: Any = {"expires_in": 600, **answer}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.paused = asyncio.Event()
        self.rows: dict[UUID, Row] = {}
        self.ids: dict[str, UUID] = {}

    def process(self, key: str = KEY) -> "Process":
        """One of the processes that share the tokens."""
        return Process(self, key)

    def hold(self, number: int) -> asyncio.Event:
        """Answer the request of this number once the event is set."""
        return self.held.setdefault(number, asyncio.Event())

    async def request(self, _method: str, url: str, *, body: bytes, **_more: Any) -> HttpResponse:
        self.requests.append(dict(part.split("=") for part in body.decode().split("&")))
        number = len(self.requests)
        await self.may_answer.wait()
        if number in self.held:
            await self.held[number].wait()
        status, answer = self.told.get(number, (self.status, self.answer))
        if isinstance(answer, Exception):
            raise answer
        given = answer if isinstance(answer, bytes) else {"access_token": f"token-{number}", **answer}
        raw = given if isinstance(given, bytes) else msgspec.json.encode(given)
        return HttpResponse(status, {}, raw, 1, url)

    async def read(self, kept: KeptConnection) -> KeptToken | None:
        row = self.rows.get(kept.id)
        if row is None:
            return None
        token, passed = row.token, self.now - row.kept_at
        ended = row.ended_at is not None
        usable, left = (None, None) if token is None else (token.usable_seconds, token.left_seconds)
        return KeptToken(
            token_id=None if token is None else token.token_id,
            sealed=None if token is None else token.sealed,
            is_refreshable=token is not None and token.is_refreshable,
            is_refused=row.is_refused,
            failure=row.failure,
            usable_seconds=0.0 if ended else usable and usable - passed,
            left_seconds=0.0 if ended else left and left - passed,
        )

    async def take_lease(self, kept: KeptConnection, seen: UUID | None, lease_id: UUID, seconds: float) -> bool:
        row = self.rows.setdefault(kept.id, Row())
        is_held = row.lease_id not in {None, lease_id} and row.lease_until > self.now
        if (row.token and row.token.token_id) != seen or row.is_refused or is_held:
            return False
        row.lease_id, row.lease_until = lease_id, self.now + seconds
        return True

    async def keep(self, kept: KeptConnection, seen: UUID | None, new: NewToken) -> bool:
        row = self.rows[kept.id]
        if (row.token and row.token.token_id) != seen:
            return False
        self.rows[kept.id] = Row(token=new, kept_at=self.now)
        return True

    async def give_up(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        row = self.rows[kept.id]
        if row.lease_id != lease_id:
            return False
        row.lease_id, row.failure = None, failure
        return True

    async def refuse(self, kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
        row = self.rows[kept.id]
        if row.lease_id != lease_id:
            return False
        row.is_refused, row.failure, row.lease_id = True, failure, None
        return True

    async def end(self, kept: KeptConnection, token_id: UUID) -> bool:
        row = self.rows[kept.id]
        if row.token is not None and row.token.token_id == token_id:
            row.ended_at = self.now
        return True

    async def pause(self, _seconds: float) -> None:
        self.paused.set()
        await asyncio.sleep(0)

    def grant(self, name: str, key: str = KEY, **granted: Any) -> None:
        """Somebody signs in."""
        told = {"access_token": "first", "refresh_token": "r3fresh-0", "left_seconds": 600.0, "scope": None, **granted}
        kept = self.kept(name, SIGNED_IN)
        self.rows[kept.id] = Row(token=self.process(key).tokens.seal(kept, Granted(**told)), kept_at=self.now)

    def kept(self, name: str, client: OAuthSecret, token: KeptToken | None = None) -> KeptConnection:
        is_signed_in = isinstance(client, AuthorizationCode)
        return KeptConnection(
            id=self.ids.setdefault(name, new_id()),
            workspace_id=UUID(int=1),
            name=name,
            type="oauth2_authorization_code" if is_signed_in else "oauth2_client_credentials",
            sealed=Sealed(wrapped_key=b"", value=b""),
            place="",
            secret_version=1,
            allowed_hosts=(),
            revision=1,
            token=token,
        )


class Process:
    """A process: it reads a connection with what is kept of it, and asks for its token."""

    def __init__(self, desk: Desk, key: str) -> None:
        self.desk = desk
        envelopes = Envelopes(SecretBox(key, "connections"))
        self.tokens = AccessTokens(cast("HttpClient", desk), envelopes, desk, clock=lambda: desk.now, pause=desk.pause)

    async def get(self, name: str = "shop", client: OAuthSecret = CLIENT) -> AccessToken:
        return await self.tokens.get(await self._read(name, client), client)

    async def discard(self, token: AccessToken, name: str = "shop", client: OAuthSecret = CLIENT) -> bool:
        return await self.tokens.discard(await self._read(name, client), token)

    async def _read(self, name: str, client: OAuthSecret) -> KeptConnection:
        kept = self.desk.kept(name, client)
        return msgspec.structs.replace(kept, token=await self.desk.read(kept))


async def until_asked(desk: Desk, count: int = 1) -> None:
    while len(desk.requests) < count:
        await asyncio.sleep(0)
