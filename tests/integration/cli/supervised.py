"""A supervisor over small children, as a program: for the tests beside it.

Prints a JSON line at every change: when it was, by the monotonic clock, and the process ids by name. Children: `steady`
lives, `short` ends at once with the code in SHORT_CODE, `stubborn` ignores SIGTERM. ROLES names those that are wanted.
One that has its signal handler in place leaves a file of its process id in MARKS. With SERVER there is a server beside
them that has died, and whose next start takes for ever; it leaves the file `recovering`, and `stopped` once it is.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

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

    def start(self) -> None:
        Path(os.environ["MARKS"], "recovering").touch()
        while True:
            time.sleep(1)

    def poll(self) -> int:
        return 1

    def stop(self) -> None:
        Path(os.environ["MARKS"], "stopped").touch()


CHOICES = {"steady": steady, "short": short, "stubborn": stubborn}
children = [Child(name, CHOICES[name]) for name in os.environ["ROLES"].split(",")]


def tell() -> None:
    pids = {child.name: child.pid for child in children}
    sys.stdout.write(json.dumps({"at": time.monotonic(), "pids": pids}) + "\n")
    sys.stdout.flush()


sys.exit(
    Supervisor(
        [Recovering()] if "SERVER" in os.environ else [],
        children,
        grace_seconds=float(os.environ.get("GRACE", "5")),
        on_change=tell,
        probe=lambda: os.environ.get("IS_READY", "yes") == "yes",
    ).run()
)
