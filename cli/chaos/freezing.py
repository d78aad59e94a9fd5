"""A PostgreSQL that stands still: its postmaster and all that it has started."""

import contextlib
import os
import signal
import time

from cli.chaos.standby import read_state
from cli.servers.postgres import Postgres
from cli.servers.process import children_of

_STOPPED_OR_ENDED = ("T", "Z", "")
_LOOK_SECONDS = 0.01


def freeze(server: Postgres) -> int:
    """Stop every process of a server; how many. Returns once they all stand still."""
    # First the one that would start others.
    _send(server.pid, signal.SIGSTOP)
    while not is_frozen(server):
        for child in children_of(server.pid):
            _send(child, signal.SIGSTOP)
        time.sleep(_LOOK_SECONDS)
    return 1 + len(children_of(server.pid))


def is_frozen(server: Postgres) -> bool:
    """Whether every process of a server stands still."""
    pid = server.pid
    return read_state(pid) == "T" and all(read_state(child) in _STOPPED_OR_ENDED for child in children_of(pid))


def thaw(server: Postgres) -> None:
    """Let every process of a server go on."""
    for pid in (*children_of(server.pid), server.pid):
        _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
