"""Whose an address is, where calls are counted by where they come from."""

from ipaddress import IPv6Address, ip_address
from typing import Final

# What belongs to one subscriber of IPv6.
_SUBSCRIBER: Final = 64


def find_subscriber(address: str) -> str:
    """What stands for whoever has this address: of IPv6 its first half, for the other one is theirs to choose."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> _SUBSCRIBER << _SUBSCRIBER))
    return str(parsed)
