"""Bodies of the calls about providers of sign-ins."""

from msgspec import Struct


class ProviderView(Struct, frozen=True, kw_only=True):
    """A provider that people may sign in with: what it is called, and where a browser goes for that."""

    name: str
    url: str


class ProviderList(Struct, frozen=True, kw_only=True):
    """The providers that are set up."""

    items: list[ProviderView]
    next_cursor: None = None
