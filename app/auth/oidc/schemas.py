"""Bodies of the calls about providers of sign-ins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct


class ProviderView(Struct, frozen=True, kw_only=True):
    """A provider that people may sign in with: what it is called, and where a browser goes for that."""

    name: str
    url: str


class ProviderList(Struct, frozen=True, kw_only=True):
    """The providers that are set up."""

    items: list[ProviderView]
    next_cursor: None = None


class LinkRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Your password, for whoever links a provider can sign in through it from then on."""

    password: Annotated[str, Meta(min_length=1, max_length=1024)]
    next: Annotated[str, Meta(max_length=1000, description="the page of the web app that it leads to")] = "/"


class JoinRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands behind the `#` of an invitation's link."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    next: Annotated[str, Meta(max_length=1000, description="the page of the web app that it leads to")] = "/"


class LinkStart(Struct, frozen=True, kw_only=True):
    """Where the browser goes now, with the cookie that came with this."""

    url: str


class IdentityView(Struct, frozen=True, kw_only=True):
    """Who you are at a provider. `is_provisioned`: your account was made by it, and it decides on your role."""

    id: UUID
    issuer: str
    email: str | None
    is_provisioned: bool
    created_at: datetime
    last_used_at: datetime


class IdentityList(Struct, frozen=True, kw_only=True):
    """All that open your account beside its password, the newest first."""

    items: list[IdentityView]
    next_cursor: None = None
