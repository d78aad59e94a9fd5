"""Ports for servers of our own are none that an outgoing connection could take."""

import socket
from pathlib import Path

import pytest

from cli.servers import ports
from cli.servers.ports import find_free_port, is_port_free

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_are_free_below_those_of_connections_and_never_the_same() -> None:
    found = [find_free_port() for _ in range(200)]
    assert len(set(found)) == 200
    assert all(1024 <= port < 32_768 for port in found)
    if EPHEMERAL.exists() and EPHEMERAL.read_text().split()[0] == "32768":
        assert max(found) < int(EPHEMERAL.read_text().split()[0])


def test_a_taken_port_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert not is_port_free(taken)
        monkeypatch.setattr(ports, "_CANDIDATES", range(taken, taken + 1))
        with pytest.raises(OSError, match=f"no free port from {taken} to {taken}"):
            find_free_port()
