"""Ports for servers of our own: below those from which connections go out."""

import secrets
import socket

# Linux takes the ports of outgoing connections from 32768 on, others from 49152 on. A server's port among these may be
# taken while it restarts, by whoever connects to anything: even by its own clients, which then talk to themselves.
_CANDIDATES = range(10_000, 32_768)
_TRIES = 1000

_given: set[int] = set()


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """A port of 127.0.0.1 on which a server could listen now; never the same one twice from one process."""
    for _ in range(_TRIES):
        port = secrets.choice(_CANDIDATES)
        if port not in _given and is_port_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port from {_CANDIDATES.start} to {_CANDIDATES.stop - 1}")
