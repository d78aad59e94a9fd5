"""A whole product for end-to-end tests: real processes of `up`, in a data folder of their own."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cli.servers.ports import find_free_port

ROOT = Path(__file__).resolve().parent.parent
Found = TypeVar("Found")

# For what comes for certain: how soon depends on who else is at work on the machine, and is not what is tested.
PATIENCE_SECONDS = 60.0
# Of so many tries, one must be in time where time is what is tested.
TRIES = 5


def wait_for(look: Callable[[], Found | None], *, seconds: float = PATIENCE_SECONDS, what: str) -> Found:
    """What `look` gives, asked every 10 ms until it is neither None nor False; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"no {what} after {seconds} s"
        time.sleep(0.01)


def in_time(measure: Callable[[], float], bound: float) -> None:
    """Assert that `measure` gives less than `bound` at least once in a few tries.

    A try that others on the machine held up says nothing about the product; one that is in time says that it can.
    """
    measured: list[float] = []
    while not measured or measured[-1] >= bound:
        assert len(measured) < TRIES, f"{measured}, never less than {bound}"
        measured.append(measure())


async def idle_in_time(seconds: float, bound: float) -> None:
    """Assert that this process uses less than `bound` of the processor in some `seconds` out of a few tries."""
    used: list[float] = []
    while not used or used[-1] >= bound:
        assert len(used) < TRIES, f"{used} of {seconds} s each, never less than {bound}"
        before = time.process_time()
        await asyncio.sleep(seconds)
        used.append(time.process_time() - before)


def on_this_machine(seconds: float) -> float:
    """So long on a machine that has nothing else to do; as many times longer as programs wait for a processor."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without any setting of FlowForge but those named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWFORGE_")}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def run_command(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `./flowforge` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=clean_environment(**extra),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class Product:
    """`up` as a child process. `url` answers once `start` returned."""

    def __init__(self, folder: Path, *, workers: int = 1, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are environment variables, as in {"FLOWFORGE_LOG_LEVEL": "debug"}."""
        self.folder = folder
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / f"{folder.name}.log"
        self._workers = workers
        self._settings = dict(settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        # What runs `./flowforge`: the arguments of `up` follow.
        self.command = [sys.executable, "-m", "cli.main"]

    def configure(self, **settings: str) -> None:
        """Settings for the next start that name what is known only once the product has its address."""
        self._settings |= settings

    @property
    def run(self) -> dict[str, Any]:
        """What run.json says; empty where it is not there."""
        with contextlib.suppress(FileNotFoundError):
            content: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
            return content
        return {}

    @property
    def output(self) -> str:
        """All that the processes have printed, over all starts."""
        return self.log.read_text()

    def start(self) -> float:
        """Start and return the seconds until everything was ready."""
        started = time.monotonic()
        arguments = ["up", "--port", str(self.port), "--data-dir", str(self.folder), "--workers", str(self._workers)]
        with self.log.open("ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(
                [*self.command, *arguments],
                env=clean_environment(**self._settings),
                stdout=log,
                stderr=log,
                process_group=0,
            )
        wait_for(lambda: self._is_ready(before), seconds=60, what=f"ready product, see {self.log}")
        return time.monotonic() - started

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def pid_of(self, role: str, number: int = 0) -> int:
        """The process of a role (`api`, `relay`, `workers`, `postgres`, `redis`), once it lives.

        After a death, run.json goes on naming the dead one until its successor has been started.
        """

        def find_living() -> int | None:
            entries = self.run.get(role, [])
            pid: int = (entries[number] if role == "workers" else entries)["pid"] if entries else 0
            return pid if pid and not is_gone(pid) else None

        return wait_for(find_living, what=f"living process of {role}")

    def kill(self, role: str) -> None:
        """Kill the process of a role at once, and all workers where the role is `workers`."""
        count = self._workers if role == "workers" else 1
        for pid in [self.pid_of(role, number) for number in range(count)]:
            os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self, *, with_children: bool = False) -> None:
        """Kill the supervisor at once, alone or with all that it has started."""
        assert self.process is not None
        children = [int(pid) for pid in re.findall(r'"pid": (\d+)', json.dumps(self.run))] if with_children else []
        self.process.kill()
        for pid in children:
            # Some of them end with it, by themselves.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310 - our own http address
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def _is_ready(self, before: int) -> bool:
        assert self.process is not None
        output = self.log.read_bytes()[before:].decode(errors="replace")
        assert self.process.poll() is None, f"`up` ended with code {self.process.returncode}:\n{output}"
        return "FlowForge is ready at" in output
