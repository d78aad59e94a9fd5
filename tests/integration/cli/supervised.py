"""A supervisor over small children, as a program: for the tests beside it.

Prints a JSON line at every change: when it was, by the monotonic clock, and the process ids by name. Children: `steady`
lives, `short` ends at once with the code in SHORT_CODE, `stubborn` ignores SIGTERM. ROLES names those that are wanted.
One that has its signal handler in place leaves a file of its process id in MARKS. With SERVER there is a server beside
them: `recovering` has died, and its next start takes for ever; `stranded` runs without serving anybody, until it is
started anew. They leave the files `recovering` or `started`, and `stopped`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from cli import supervisor
from cli.children import Child
from cli.supervisor import Supervisor


def mark() -> None:
    Path(os.environ["MARKS"], str(os.getpid())).touch()


def steady() -> int:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    mark()
    while not stopped:
        time.sleep(0.01)
    return 0


def short() -> int:
    return int(os.environ["SHORT_CODE"])


def stubborn() -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark()
    while True:
        time.sleep(1)


class Recovering:
    """A server that has died, and does not come back."""

    name = "server"
    pid = 0

    def restart(self) -> None:
        Path(os.environ["MARKS"], "recovering").touch()
        while True:
            time.sleep(1)

    def poll(self) -> int:
        return 1

    def last_words(self) -> str:
        return "it has died"

    def is_stranded(self) -> bool:
        return False

    def stop(self) -> None:
        Path(os.environ["MARKS"], "stopped").touch()


class Stranded:
    """A server that runs without serving anybody, until it is started anew."""

    name = "server"
    pid = os.getpid()

    def __init__(self) -> None:
        self._code: int | None = None
        self._is_stranded = True

    def restart(self) -> None:
        self._code, self._is_stranded = None, False
        Path(os.environ["MARKS"], "started").touch()

    def poll(self) -> int | None:
        return self._code

    def last_words(self) -> str:
        return "it was stopped"

    def is_stranded(self) -> bool:
        return self._is_stranded

    def stop(self) -> None:
        self._code = 0
        Path(os.environ["MARKS"], "stopped").touch()


CHOICES = {"steady": steady, "short": short, "stubborn": stubborn}
SERVERS: dict[str, type[Recovering | Stranded]] = {"recovering": Recovering, "stranded": Stranded}
children = [Child(name, CHOICES[name]) for name in os.environ["ROLES"].split(",")]


supervisor.STRANDED_SECONDS = 0.1


def tell() -> None:
    pids = {child.name: child.pid for child in children}
    sys.stdout.write(json.dumps({"at": time.monotonic(), "pids": pids}) + "\n")
    sys.stdout.flush()


sys.exit(
    Supervisor(
        [SERVERS[os.environ["SERVER"]]()] if "SERVER" in os.environ else [],
        children,
        grace_seconds=float(os.environ.get("GRACE", "5")),
        on_change=tell,
        probe=lambda: os.environ.get("IS_READY", "yes") == "yes",
    ).run()
)
