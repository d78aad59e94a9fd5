"""Which network targets a step may call: the policy that keeps steps out of private networks."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from engine.infra.settings import SettingError

SETTING = "FLOWFORGE_HTTP_ALLOW_PRIVATE"

# Written out on purpose: `ipaddress.is_private` and `is_global` answer differently from one Python version to the
# next, and both let through addresses that carry an IPv4 address inside (NAT64, 6to4, IPv4-compatible).
FORBIDDEN_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        # A public address that one cloud answers inside of every machine, with what that machine is.
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Of IPv6 only 2000::/3 is in public use: no NAT64, mapped, translated, local, or multicast address is in it.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)

FIRST_FREE_PORT = 1024
LAST_PORT = 65535
WEB_PORTS = frozenset({80, 443})
# Above 1023, but spoken by services that take an HTTP request for commands, or that have no business with a step.
FORBIDDEN_PORTS = frozenset(
    {
        *(1433, 1521, 1719, 1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5900),
        *(6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017),
    }
)

_HOST_AND_PORT = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s\[\]:/@%]+)):(?P<port>[0-9]{1,5})")


class TargetNotAllowedError(OSError):
    """The policy refuses a target. The text says nothing about what listens there, or whether anything does."""


class EgressPolicy(Struct, frozen=True, kw_only=True):
    """Targets that an operator has opened on top of the public internet."""

    is_open: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    addresses: frozenset[tuple[IPv4Address | IPv6Address, int]] = frozenset()
    hosts: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def parse(cls, setting: str) -> "EgressPolicy":
        """The policy that FLOWFORGE_HTTP_ALLOW_PRIVATE describes; raises SettingError on an entry it cannot read."""
        is_open = False
        networks: list[IPv4Network | IPv6Network] = []
        addresses: set[tuple[IPv4Address | IPv6Address, int]] = set()
        hosts: set[tuple[str, int]] = set()
        for entry in filter(None, (part.strip() for part in setting.split(","))):
            if entry == "*":
                is_open = True
            elif match := _HOST_AND_PORT.fullmatch(entry):
                port = int(match["port"])
                address = _parse_address(match["literal"] or match["host"])
                if not 0 < port <= LAST_PORT or (address is None and match["literal"]):
                    raise _bad_entry(setting, entry)
                if address is None:
                    hosts.add((normalise_host(match["host"]), port))
                else:
                    addresses.add((address, port))
            else:
                networks.append(_parse_network(setting, entry))
        return cls(is_open=is_open, networks=tuple(networks), addresses=frozenset(addresses), hosts=frozenset(hosts))

    def check(self, host: str, ip: str, port: int) -> None:
        """Raise TargetNotAllowedError unless a step may connect to `ip`:`port`, which `host` stands for."""
        if not self.allows(host, ip, port):
            raise TargetNotAllowedError(
                f"{host}:{port} is not an allowed target: steps call public addresses on the ports 80, 443 and "
                f"from 1024 on; an operator opens others with {SETTING}"
            )

    def allows(self, host: str, ip: str, port: int) -> bool:
        """Whether a step may connect to `ip`:`port`, which `host` stands for."""
        address = _parse_address(ip)
        if address is None:
            return False
        if self.is_open or (address, port) in self.addresses or (normalise_host(host), port) in self.hosts:
            return True
        if any(address in network for network in self.networks):
            return True
        if any(address in network for network in FORBIDDEN_NETWORKS):
            return False
        return port in WEB_PORTS or (port >= FIRST_FREE_PORT and port not in FORBIDDEN_PORTS)


def normalise_host(host: str) -> str:
    """A host name as the policy compares it: lower case, no trailing dot."""
    return host.rstrip(".").lower()


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4-mapped one unwrapped; None for what is no plain address, a zone id included."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _parse_network(setting: str, entry: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry)
    except ValueError:
        raise _bad_entry(setting, entry) from None


def _bad_entry(setting: str, entry: str) -> SettingError:
    return SettingError(
        f"{SETTING}={setting!r} cannot be used: {entry!r} is neither a network like 10.0.0.0/8, nor a target like "
        "localhost:9000 or [::1]:9000, nor *. See `./flowforge settings`."
    )
