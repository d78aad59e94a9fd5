"""Connections and their tokens as they are kept: sealed, and read together."""

from collections.abc import Sequence
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from engine.infra.envelopes import Sealed

Need: TypeAlias = Literal["never", "refused", "ended"]
"""Why somebody has to sign in: nobody has with this secret, the endpoint refused the grant, or it ended for good."""


class TokenState(Struct, frozen=True, kw_only=True):
    """How a connection's tokens are, by the database's clock as they were read.

    `left_seconds`: until the access token ends, None where it does not.
    """

    token_id: UUID | None = None
    is_refreshable: bool = False
    is_refused: bool = False
    left_seconds: float | None = None
    failure: str | None = None

    @property
    def is_valid(self) -> bool:
        """Whether there is an access token that has not ended."""
        is_there = self.token_id is not None and not self.is_refused
        return is_there and (self.left_seconds is None or self.left_seconds > 0)

    @property
    def need(self) -> Need | None:
        """Why nothing but a sign-in helps, for a connection that needs one; None where it goes on by itself."""
        if self.token_id is None:
            return "never"
        if self.is_refused:
            return "refused"
        return None if self.is_refreshable or self.is_valid else "ended"


class KeptToken(TokenState, frozen=True, kw_only=True):
    """The tokens themselves, sealed. `usable_seconds`: until another access token is asked for, None for never."""

    sealed: Sealed | None = None
    usable_seconds: float | None = None

    @property
    def is_usable(self) -> bool:
        """Whether the access token can be used without asking for another one."""
        return self.is_valid and (self.usable_seconds is None or self.usable_seconds > 0)


class NewToken(Struct, frozen=True, kw_only=True):
    """Tokens to be kept, sealed; its times in seconds from now."""

    token_id: UUID
    sealed: Sealed
    is_refreshable: bool
    usable_seconds: float | None
    left_seconds: float | None
    scope: str | None = None


class KeptConnection(Struct, frozen=True, kw_only=True):
    """A connection as it is kept, its secret sealed; `revision` tells one state of it from the next.

    `token`: what all processes share of an OAuth client's tokens, for this very secret.
    """

    id: UUID
    workspace_id: UUID
    name: str
    type: str
    sealed: Sealed
    place: str
    secret_version: int
    allowed_hosts: Sequence[str]
    revision: int
    token: KeptToken | None = None


def place_of_tokens(workspace_id: UUID, connection_id: UUID, token_id: UUID) -> str:
    """What tokens are bound to."""
    return f"connection_token/{workspace_id}/{connection_id}/{token_id}"
