"""From where and with what somebody is signed in, so that they recognise their own sign-ins and a stranger's."""

from typing import Any, Final

from msgspec import Struct

from app.audit.trail import CALL, find_origin

_MAX_CHARACTERS: Final = 300


class Device(Struct, frozen=True):
    """An address, as trusted proxies tell it, and what a browser or program says of itself; null what is not known."""

    address: str | None
    user_agent: str | None


def find_device() -> Device:
    """What the call that is being served comes from."""
    scope: Any = CALL.get()
    headers = () if scope is None else scope["headers"]
    told = next((value for name, value in headers if name == b"user-agent"), b"")
    return Device(find_origin().address, read_user_agent(told))


def read_user_agent(told: bytes) -> str | None:
    """What can be shown of it on one line, cut where it is long; None where that is nothing."""
    text = "".join(sign for sign in told.decode("latin-1") if sign.isascii() and sign.isprintable())
    return text[:_MAX_CHARACTERS].strip() or None
