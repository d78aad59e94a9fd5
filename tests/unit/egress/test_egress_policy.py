"""The policy alone: what it reads from the setting and what it lets through."""

import pytest

from engine.infra.egress import EgressPolicy, TargetNotAllowedError
from engine.infra.settings import SettingError

PUBLIC = EgressPolicy.parse("")


@pytest.mark.parametrize(
    "ip",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
        *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1"),
        *("168.63.129.16", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *("64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
        *("5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "fd00:ec2::254"),
        *("::ffff:0:127.0.0.1", "1::1", "4000::1", "9000::1"),
        *("fe80::1%eth0", "2606:4700::1111%eth0", "localhost", "", "127.1", "2130706433"),
    ],
)
def test_forbidden_address_is_refused(ip: str) -> None:
    with pytest.raises(TargetNotAllowedError, match="FLOWFORGE_HTTP_ALLOW_PRIVATE"):
        PUBLIC.check("some.example", ip, 443)


@pytest.mark.parametrize(
    "ip",
    [
        *("1.1.1.1", "8.8.8.8", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1"),
        *("168.63.129.15", "168.63.129.17"),
        *("172.15.255.255", "172.32.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255"),
        *("2606:4700::1111", "2a00:1450:4001::1", "::ffff:1.1.1.1", "2003::1"),
    ],
)
def test_public_address_is_allowed(ip: str) -> None:
    PUBLIC.check("some.example", ip, 443)


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 8443, 65535])
def test_web_and_free_ports_are_open(port: int) -> None:
    assert PUBLIC.allows("some.example", "1.1.1.1", port)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 53, 81, 445, 1023, 2049, 3306, 5432, 6379, 6667, 11211, 27017])
def test_service_ports_are_closed(port: int) -> None:
    assert not PUBLIC.allows("some.example", "1.1.1.1", port)


def test_network_entry_opens_every_port_of_its_addresses() -> None:
    policy = EgressPolicy.parse("10.0.0.0/8, fd00::/8")
    assert policy.allows("a.example", "10.1.2.3", 22)
    assert policy.allows("a.example", "::ffff:10.1.2.3", 9000)
    assert policy.allows("a.example", "fd00::5", 80)
    assert not policy.allows("a.example", "192.168.1.1", 80)


def test_bare_address_is_a_network_of_one() -> None:
    policy = EgressPolicy.parse("127.0.0.1")
    assert policy.allows("a.example", "127.0.0.1", 9000)
    assert not policy.allows("a.example", "127.0.0.2", 9000)


@pytest.mark.parametrize(("entry", "ip"), [("127.0.0.1:9000", "127.0.0.1"), ("[::1]:9000", "::1")])
def test_address_and_port_entry_opens_that_port_alone(entry: str, ip: str) -> None:
    policy = EgressPolicy.parse(entry)
    assert policy.allows("a.example", ip, 9000)
    assert not policy.allows("a.example", ip, 9001)


def test_host_entry_opens_what_the_name_stands_for_on_that_port_alone() -> None:
    policy = EgressPolicy.parse("Target.Internal:9000")
    assert policy.allows("target.internal.", "10.0.0.5", 9000)
    assert not policy.allows("target.internal", "10.0.0.5", 9001)
    assert not policy.allows("other.internal", "10.0.0.5", 9000)


def test_star_opens_everything_but_zone_ids() -> None:
    policy = EgressPolicy.parse("*")
    assert policy.allows("a.example", "169.254.169.254", 22)
    assert not policy.allows("a.example", "fe80::1%eth0", 80)


@pytest.mark.parametrize(
    "entry",
    [
        *("localhost", "10.0.0.1/8", "10.0.0.0/33", "http://localhost:9000", "localhost:0", "localhost:65536"),
        *("localhost:http", "[zz]:80", "[localhost]:80", "a b:80", "user@localhost:80", "10.0.0.0/8;127.0.0.0/8"),
    ],
)
def test_bad_entry_names_the_setting_and_the_entry(entry: str) -> None:
    with pytest.raises(SettingError, match="FLOWFORGE_HTTP_ALLOW_PRIVATE") as raised:
        EgressPolicy.parse(f"127.0.0.0/8, {entry}")
    assert repr(entry) in str(raised.value)
