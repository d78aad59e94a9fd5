"""Connections as they are used: opened at the moment of a call, checked against the host, and taken out of answers."""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from engine.infra.access_tokens import AccessToken, NeedsAuthorization
from engine.infra.credentials import (
    SECRET_TYPES,
    AuthorizationCode,
    ClientCredentials,
    ConnectionType,
    OAuthSecret,
    Secret,
    is_host_allowed,
    make_credential,
)
from engine.infra.envelopes import Envelopes
from engine.infra.http_url import parse_url
from engine.infra.kept_connections import KeptConnection
from engine.infra.redaction import Redactor
from engine.infra.secrets import SecretError
from engine.infra.token_endpoint import TokenError

MOST_OPENED = 1024


class ConnectionFault(Exception):
    """A connection cannot be used: a stable code, and a sentence without secrets for who built the workflow."""

    def __init__(self, code: str, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.is_retryable = is_retryable


class TokenSource(Protocol):
    """Where access tokens come from."""

    async def get(self, kept: KeptConnection, client: OAuthSecret) -> AccessToken:
        """A token that can be used now; raises TokenError."""


class OpenConnection(Struct, kw_only=True):
    """A connection for one call."""

    name: str
    headers: Mapping[str, str]
    allowed_hosts: Sequence[str]
    redactor: Redactor
    token: AccessToken | None = None

    def require_host(self, url: str) -> None:
        """Raise ConnectionFault unless the credentials may go to the URL's host; InvalidUrlError where it has none."""
        parsed = parse_url(url)
        if not is_host_allowed(parsed, self.allowed_hosts):
            message = f"the connection '{self.name}' is not for {parsed.host}: its hosts are "
            raise ConnectionFault("host_not_allowed", message + ", ".join(self.allowed_hosts))

    def add_to(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers with those of the connection, which replace any of the same name."""
        own = {name.lower() for name in self.headers}
        return [*(pair for pair in headers if pair[0].lower() not in own), *self.headers.items()]


class ConnectionOpener:
    """Opens connections. What was opened is kept, in memory alone, for the calls that follow."""

    def __init__(self, envelopes: Envelopes, tokens: TokenSource) -> None:
        self._envelopes = envelopes
        self._tokens = tokens
        self._opened: dict[UUID, tuple[int, Secret, OpenConnection]] = {}

    async def open(self, kept: KeptConnection) -> OpenConnection:
        """The connection with what a call needs, an access token included. Raises ConnectionFault."""
        secret, opened = self._decrypt(kept)
        if not isinstance(secret, ClientCredentials | AuthorizationCode):
            return opened
        try:
            token = await self._tokens.get(kept, secret)
        except NeedsAuthorization as error:
            message = f"the connection '{kept.name}' needs a sign-in: {error.message}"
            raise ConnectionFault("connection_needs_authorization", message) from None
        except TokenError as error:
            message = f"the connection '{kept.name}': {error.message}"
            raise ConnectionFault("token_refused", message, is_retryable=error.is_retryable) from None
        credential = make_credential(secret, token.text, token.refresh_token)
        return OpenConnection(
            name=kept.name,
            headers=credential.headers,
            allowed_hosts=kept.allowed_hosts,
            redactor=Redactor(credential.secrets),
            token=token,
        )

    def read_secret(self, kept: KeptConnection) -> Secret:
        """What a connection keeps; raises ConnectionFault."""
        return self._decrypt(kept)[0]

    def _decrypt(self, kept: KeptConnection) -> tuple[Secret, OpenConnection]:
        known = self._opened.get(kept.id)
        if known is not None and known[0] == kept.revision:
            return known[1], known[2]
        try:
            raw = self._envelopes.open(kept.sealed, kept.place)
        except SecretError as error:
            message = f"the secret of the connection '{kept.name}' does not open: {error}"
            raise ConnectionFault("connection_sealed", message) from None
        secret: Secret = msgspec.json.decode(raw, type=SECRET_TYPES[cast("ConnectionType", kept.type)])
        credential = make_credential(secret)
        opened = OpenConnection(
            name=kept.name,
            headers=credential.headers,
            allowed_hosts=kept.allowed_hosts,
            redactor=Redactor(credential.secrets),
        )
        if len(self._opened) >= MOST_OPENED:
            self._opened.pop(next(iter(self._opened)))
        self._opened[kept.id] = (kept.revision, secret, opened)
        return secret, opened
