"""The port is tried before anything is started."""

import socket
from collections.abc import Iterator

import pytest

from cli.listening import local_url, require_port
from engine.infra.settings import SettingError, Settings, is_loopback


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_told(taken_port: int) -> None:
    with pytest.raises(SettingError, match=rf"FLOWFORGE_PORT={taken_port} \(--port\) is taken on 127.0.0.1"):
        require_port(Settings(port=taken_port))


def test_a_port_taken_on_one_address_is_taken_on_all(taken_port: int) -> None:
    with pytest.raises(SettingError, match=r"is taken on 0\.0\.0\.0"):
        require_port(Settings(port=taken_port, host="0.0.0.0"))


def test_an_address_of_another_machine_is_told(taken_port: int) -> None:
    with pytest.raises(SettingError, match=r"FLOWFORGE_HOST=192\.0\.2\.1 \(--host\) is no address of this machine"):
        require_port(Settings(port=taken_port, host="192.0.2.1"))


def test_a_free_port_can_be_tried_twice(taken_port: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert port != taken_port
    require_port(Settings(port=port))
    require_port(Settings(port=port))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("box", False)],
)
def test_only_this_machine_reaches_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert Settings(host=host).is_reached_by_others is not expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("https://flows.example", True), ("http://10.0.0.1:8000", True), ("http://[::1]:8000", False), ("", False)],
)
def test_others_come_through_a_proxy(address: str, expected: bool) -> None:
    assert Settings(public_url=address).is_reached_by_others is expected


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000"), ("10.0.0.1", "http://10.0.0.1:8000")],
)
def test_a_wildcard_is_called_by_loopback(host: str, url: str) -> None:
    assert local_url(Settings(host=host)) == url
